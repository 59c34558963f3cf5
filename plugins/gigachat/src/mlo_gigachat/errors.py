"""What GigaChat's refusals mean: tables from status, code and message to the kernel's errors."""

from __future__ import annotations

from mlo.errors import AuthFailed, ContextTooLong, InvalidRequest, Overloaded, ServerFault, Unsupported
from mlo_sdk.errors import ErrorRule, ErrorTable

__all__ = ["API_ERRORS", "OAUTH_ERRORS", "OAUTH_HINTS", "WRONG_SCOPE"]

API_ERRORS = ErrorTable(
    rules=(
        ErrorRule(InvalidRequest, status=404, message=r"file"),
        ErrorRule(Unsupported, status=422, message=r"does not support functions|is unavailable"),
        ErrorRule(Unsupported, status=400, message=r"unknown type .* in response_format"),
        ErrorRule(ContextTooLong, status=422, message=r"^unprocessable entity$"),  # a file larger than the context
    ),
    by_status={502: ServerFault, 504: Overloaded},
)
"""402 (the model's tokens are used up) is ``QuotaExhausted``, 429 ``RateLimited``: the common table says so."""

OAUTH_ERRORS = ErrorTable(by_status=dict.fromkeys((400, 403, 404, 405, 422), AuthFailed))

WRONG_SCOPE = "7"

OAUTH_HINTS = {
    "1": "the scope is not one that exists",
    "4": "the server could not decode the key: it is not the authorization key, or it was encoded twice",
    "5": "the request had no scope",
    "6": "the key is unknown: it was revoked, or copied incompletely",
    WRONG_SCOPE: "the key belongs to another scope: `mlo gigachat check` finds out which",
}
"""What the codes of the token endpoint mean (its bodies are ``{"code", "message"}``)."""
