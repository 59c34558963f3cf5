"""Yandex Cloud's own protobuf schemas as judge of what goes over the wire, in both directions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]  # no stubs in the package
from google.protobuf.message import Message  # type: ignore[import-untyped]
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # noqa: F401 - a type that errors carry
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage
from yandex.cloud.ai.foundation_models.v1.embedding import embedding_service_pb2 as embedding
from yandex.cloud.ai.foundation_models.v1.text_classification import text_classification_service_pb2 as classification
from yandex.cloud.ai.foundation_models.v1.text_generation import text_generation_service_pb2 as generation
from yandex.cloud.iam.v1 import iam_token_service_pb2 as iam
from yandex.cloud.operation import operation_pb2 as operations

_MODELS = "/foundationModels/v1"
_BY_PATH: Mapping[str, tuple[type[Message] | None, type[Message]]] = {
    f"{_MODELS}/completion": (generation.CompletionRequest, generation.CompletionResponse),
    f"{_MODELS}/completionAsync": (generation.CompletionRequest, operations.Operation),
    f"{_MODELS}/tokenize": (generation.TokenizeRequest, generation.TokenizeResponse),
    f"{_MODELS}/tokenizeCompletion": (generation.CompletionRequest, generation.TokenizeResponse),
    f"{_MODELS}/textEmbedding": (embedding.TextEmbeddingRequest, embedding.TextEmbeddingResponse),
    f"{_MODELS}/textClassification": (
        classification.TextClassificationRequest,
        classification.TextClassificationResponse,
    ),
    f"{_MODELS}/fewShotTextClassification": (
        classification.FewShotTextClassificationRequest,
        classification.FewShotTextClassificationResponse,
    ),
    "/iam/v1/tokens": (iam.CreateIamTokenRequest, iam.CreateIamTokenResponse),
    "/iam/v1/tokens:revoke": (iam.RevokeIamTokenRequest, iam.RevokeIamTokenResponse),
    "/operations/": (None, operations.Operation),
}


def _kinds(path: str) -> tuple[type[Message] | None, type[Message]] | None:
    return _BY_PATH.get("/operations/" if path.startswith("/operations/") else path)


def judge_request(path: str, body: bytes) -> bool:
    """Whether there is a schema for requests to `path`; raises ParseError when `body` does not fit it."""
    kinds = _kinds(path)
    if kinds is None or kinds[0] is None:
        return False
    ParseDict(json.loads(body), kinds[0]())
    return True


def judge_answer(path: str, status: int, body: bytes) -> int:
    """How many messages of `body` have a schema; raises ParseError when one does not fit."""
    kinds = _kinds(path)
    if kinds is None:
        return 0
    lines = [json.loads(line) for line in body.split(b"\n") if line.strip()]
    for line in lines:
        _judge_message(kinds[1], line, status, wrapped=path.endswith("/completion"))
    return len(lines)


def _judge_message(kind: type[Message], message: dict[str, Any], status: int, *, wrapped: bool) -> None:
    if status != 200 or ("error" in message and wrapped):
        _judge_error(message)
    else:
        ParseDict(message["result"] if wrapped else message, kind())


def _judge_error(message: dict[str, Any]) -> None:
    nested = message.get("error")
    if isinstance(nested, dict):
        assert set(nested) == {"grpcCode", "httpCode", "message", "httpStatus", "details"}
        message = {"code": nested["grpcCode"], "message": nested["message"], "details": nested["details"]}
    ParseDict(message, Status())


class Witness:
    """ASGI middleware that keeps every answer for the judge."""

    def __init__(self, app: ASGIApp, answers: list[tuple[str, int, bytes]]) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body, complete = 0, b"", False

        async def note(message: AsgiMessage) -> None:
            nonlocal status, body, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body += message.get("body", b"")
                complete = not message.get("more_body", False)
            await send(message)

        await self._app(scope, receive, note)
        if complete and not re.match(rb"\s*<", body):
            self._answers.append((scope.get("path", ""), status, body))
