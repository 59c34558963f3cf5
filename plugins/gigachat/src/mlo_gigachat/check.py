"""Finds the scope that fits a key, by asking the token endpoint with each."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from mlo.api import Credentials
from mlo.errors import AuthFailed

from .auth import fetch_token, oauth_client
from .config import SCOPES, OAuthConfig, Scope
from .errors import WRONG_SCOPE
from .keys import normalised

__all__ = ["Verdict", "try_scopes"]


@frozen(kw_only=True)
class Verdict:
    """What the server says of a key with a scope. ``expires_at`` is Unix time, of the token that was given."""

    scope: Scope
    fits: bool
    reason: str = ""
    expires_at: float | None = None


async def try_scopes(config: OAuthConfig, path: str) -> Sequence[Verdict]:
    """A verdict on each scope. No token is kept.

    Raises:
        ConfigError: for a key that cannot be one.
        ProviderError: when the server cannot be asked, or is asked too often.
    """
    key = normalised(config.key, f"{path}.key")
    verdicts = []
    async with oauth_client(config, path) as client:
        for scope in SCOPES:
            try:
                credentials: Credentials = await fetch_token(client, key, scope)
            except AuthFailed as error:
                reason = "the key belongs to another scope" if error.code == WRONG_SCOPE else error.message
                verdicts.append(Verdict(scope=scope, fits=False, reason=reason))
            else:
                verdicts.append(Verdict(scope=scope, fits=True, expires_at=credentials.expires_at))
    return verdicts
