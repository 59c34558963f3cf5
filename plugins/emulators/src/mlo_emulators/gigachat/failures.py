"""Answers of the service that are not answers: the bodies of its API, of its OAuth server and of its gateway."""

from __future__ import annotations

from email.utils import formatdate
from time import time
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from .options import Options

__all__ = ["ApiFailure", "OAuthFailure", "api_failure", "oauth_failure", "status_failure"]

_MESSAGES = {
    400: "Your request contains invalid JSON syntax.",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Permission denied",
    404: "No such model",
    413: "Payload too large",
    422: "Unprocessable Entity",
    429: "Too many requests",
    500: "Internal Server Error",
}
_GATEWAY = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}
_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>{1}</center>\r\n</body>\r\n</html>\r\n"
)


class ApiFailure(Exception):
    """A failure of the API: ``{"status": …, "message": …}``, or an HTML page where the gateway speaks."""

    def __init__(
        self, status: int, message: str = "", *, bare: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message or _MESSAGES.get(status, "")
        self.bare, self.headers = bare, headers or {}


class OAuthFailure(Exception):
    """A failure of the token endpoint: ``{"code": …, "message": …}``."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


def status_failure(status: int, options: Options) -> ApiFailure:
    """The failure that the service means by ``status``."""
    headers: dict[str, str] = {}
    if status in {429, 503} and options.retry_after != "absent":
        seconds = options.retry_after_seconds
        headers["Retry-After"] = (
            str(seconds) if options.retry_after == "seconds" else formatdate(time() + seconds, usegmt=True)
        )
    return ApiFailure(status, headers=headers)


async def api_failure(request: Request, error: Exception) -> Response:
    """Exception handler for :class:`ApiFailure`."""
    assert isinstance(error, ApiFailure)  # noqa: S101 - registered for this class only
    request.app.state.journal.count(f"status {error.status}")
    if error.status in _GATEWAY or error.message == "html":
        title = _GATEWAY.get(error.status, f"{error.status} Forbidden")
        server = "SynGX" if error.status in _GATEWAY else "nginx"
        return HTMLResponse(_PAGE.format(title, server), error.status, headers={**error.headers, "X-Gateway": server})
    body: dict[str, Any] = {"message": error.message}
    if not error.bare:
        body = {"status": error.status, **body}
    return JSONResponse(body, error.status, headers=error.headers)


async def oauth_failure(request: Request, error: Exception) -> Response:
    """Exception handler for :class:`OAuthFailure`."""
    assert isinstance(error, OAuthFailure)  # noqa: S101 - registered for this class only
    request.app.state.journal.count(f"oauth status {error.status}")
    return JSONResponse({"code": error.code, "message": error.message}, error.status)
