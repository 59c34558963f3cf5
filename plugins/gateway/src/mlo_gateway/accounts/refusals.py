"""What callers without a good key are told, in OpenAI's words where it has some."""

from __future__ import annotations

from mlo_gateway.contracts import GatewayError

__all__ = ["UNKNOWN", "accounts_away", "bad_key", "no_key", "out_of_scope"]

UNKNOWN = "Incorrect API key provided."
"""Nothing of the key is repeated: it may be somebody's password for something else."""

_TYPE = "authentication_error"
_RETRY = 1.0


def no_key() -> GatewayError:
    """There is no key in the request."""
    message = "You did not provide an API key: send it as 'Authorization: Bearer mlo-…'."
    return GatewayError(401, "missing_api_key", _TYPE, message)


def bad_key(why: str = UNKNOWN) -> GatewayError:
    """The key does not open."""
    return GatewayError(401, "invalid_api_key", _TYPE, why)


def out_of_scope(scope: str) -> GatewayError:
    """The key is for other things."""
    return GatewayError(
        403,
        "insufficient_scope",
        "permission_error",
        f"This API key lacks the scope {scope!r}.",
        details={"scope": scope},
    )


def accounts_away() -> GatewayError:
    """The database of accounts cannot be asked whether a key that nobody has used here is good."""
    message = "Accounts are out of reach just now, and this key has to be looked up. Try again."
    return GatewayError(503, "accounts_unavailable", "server_error", message, retry_after=_RETRY)
