"""The three shapes of errors, and the HTTP status that goes with a gRPC code."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

__all__ = ["Failure", "bad_request", "native_body", "of_status", "openai_body", "unary_body"]

_GRPC_OF = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 499: 1, 500: 13, 501: 12, 503: 14, 504: 4}


class Failure(Exception):
    """A request that the emulated cloud refuses. ``status`` is HTTP's; the gRPC code follows from it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def grpc(self) -> int:
        """The code of google.rpc.Status."""
        return _GRPC_OF.get(self.status, 2)


def bad_request(message: str) -> Failure:
    """An INVALID_ARGUMENT."""
    return Failure(400, message)


def of_status(status: int) -> Failure:
    """A failure for its own sake."""
    return Failure(status, f"emulated {_phrase(status)}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request" if status == 499 else "Unknown"


def native_body(failure: Failure) -> dict[str, Any]:
    """The shape of the completion method, before and inside its stream."""
    return {
        "error": {
            "grpcCode": failure.grpc,
            "httpCode": failure.status,
            "message": failure.message,
            "httpStatus": _phrase(failure.status),
            "details": [],
        }
    }


def unary_body(failure: Failure) -> dict[str, Any]:
    """The shape of every other method, of IAM and of operations."""
    detail = {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": str(uuid.uuid4()), "servingData": ""}
    return {"code": failure.grpc, "message": failure.message, "details": [detail]}


def openai_body(failure: Failure) -> dict[str, Any]:
    """The shape of the OpenAI-compatible side."""
    return {
        "error": {"message": failure.message, "type": "invalid_request_error", "param": None, "code": failure.status}
    }
