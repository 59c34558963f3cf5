"""Errors of the admin API: whatever goes wrong, the body has OpenAI's shape."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from mlo_gateway.accounts.errors import ActRefused, Reason
from mlo_gateway.accounts.refusals import accounts_away
from mlo_gateway.contracts import GatewayError
from mlo_gateway.wire.errors import error_body, error_headers
from mlo_ledger.errors import DatabaseUnavailable

from .wire import ErrorOut

__all__ = ["RESPONSES", "add_handlers", "response_to"]

_LOG = logging.getLogger("mlo.gateway")

_REFUSALS: Mapping[Reason, tuple[int, str, str]] = {
    "invalid": (422, "invalid_value", "invalid_request_error"),
    "denied": (403, "permission_denied", "permission_error"),
    "missing": (404, "not_found", "invalid_request_error"),
    "conflict": (409, "conflict", "invalid_request_error"),
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorOut, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 404, 408, 409, 413, 422, 503)
}
"""What every route may answer beside its own."""


def add_handlers(app: FastAPI) -> None:
    """Have the application answer errors in one shape."""
    app.add_exception_handler(ActRefused, _refused)
    app.add_exception_handler(DatabaseUnavailable, _away)
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def response_to(error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error."""
    response = Response(error_body(error), error.status, dict(headers or {}), "application/json")
    response.raw_headers.extend(error_headers(error))
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ActRefused)  # noqa: S101 - what it is registered for
    status, code, kind = _REFUSALS[error.reason]
    return response_to(GatewayError(status, code, kind, error.message, param=error.param))


async def _away(_: Request, error: Exception) -> Response:
    _LOG.warning("accounts: %s", error)
    away = accounts_away()
    message = "Accounts are out of reach just now. Nothing was changed. Try again."
    return response_to(GatewayError(away.status, away.code, away.type, message, retry_after=away.retry_after))


async def _gateway_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101 - what it is registered for
    return response_to(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    first = error.errors()[0]
    # neither the value nor its context is repeated: it may be a secret in the wrong place
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    kind = "invalid_json" if first["type"] == "json_invalid" else "invalid_value"
    message = f"`{where}`: {first['msg']}" if kind == "invalid_value" else "The body is no JSON document."
    return response_to(GatewayError(422, kind, "invalid_request_error", message, param=where))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    found = GatewayError(error.status_code, code, "invalid_request_error", str(error.detail))
    return response_to(found, error.headers)


async def _bug(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return response_to(GatewayError(500, "internal_error", "server_error", "The gateway failed. This is a bug in it."))
