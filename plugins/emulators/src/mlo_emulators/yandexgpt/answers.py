"""What the emulated models say: deterministic, and dependent on the request as a real answer would be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from mlo_emulators.schema_values import json_object, value_for

__all__ = ["Answer", "answer_to", "classify", "embedding_of", "prompt_text", "tokens_of"]

_WORD = re.compile(r"\w{1,4}|[^\w\s]|\s{2,}", re.UNICODE)
_FILTERED = "Я не могу обсуждать эту тему. Давайте поговорим о чём-нибудь ещё."


@frozen(kw_only=True)
class Answer:
    """Text or tool calls, and how the generation ended."""

    text: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    ended: str = "FINAL"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    details: bool = field(default=True)

    def usage(self, share: float = 1.0) -> dict[str, Any]:
        """Usage so far, when ``share`` of the completion is out; numbers are strings, as int64 is in JSON."""
        completion = max(1, round(self.completion_tokens * share)) if self.completion_tokens else 0
        return {
            "inputTextTokens": str(self.prompt_tokens),
            "completionTokens": str(completion),
            "totalTokens": str(self.prompt_tokens + completion),
            "completionTokensDetails": {"reasoningTokens": str(self.reasoning_tokens)} if self.details else None,
        }

    @classmethod
    def filtered(cls) -> Answer:
        """The refusal that looks like an answer: HTTP 200, canned text, zero usage."""
        return cls(text=_FILTERED, ended="CONTENT_FILTER")


def tokens_of(text: str) -> tuple[str, ...]:
    """Pieces of at most four letters: not the vendor's tokens, but about as many."""
    return tuple(_WORD.findall(text))


def prompt_text(request: Mapping[str, Any]) -> str:
    """All that the model reads, as one text: what tokenizeCompletion and usage agree on."""
    pieces = [_message_text(message) for message in request.get("messages", ())]
    pieces += [json.dumps(tool, ensure_ascii=False, sort_keys=True) for tool in request.get("tools", ())]
    return "\n\n".join(pieces)


def _message_text(message: Mapping[str, Any]) -> str:
    if "text" in message:
        return str(message["text"])
    listed = message.get("toolCallList", {}).get("toolCalls") or message.get("toolResultList", {}).get("toolResults")
    return json.dumps(listed or [], ensure_ascii=False)


def answer_to(request: Mapping[str, Any], fixed: str | None = None) -> Answer:
    """The answer to a native request that has passed validation."""
    prompt = len(tokens_of(prompt_text(request)))
    hidden = request.get("completionOptions", {}).get("reasoningOptions", {}).get("mode") == "ENABLED_HIDDEN"
    reasoning = 24 if hidden else 0
    calls = _calls(request)
    if calls:
        spent = len(tokens_of(json.dumps(calls, ensure_ascii=False)))
        return Answer(
            calls=calls,
            ended="TOOL_CALLS",
            prompt_tokens=prompt,
            completion_tokens=spent + reasoning,
            reasoning_tokens=reasoning,
        )
    text, ended = _limited(_text(request, fixed), request.get("completionOptions", {}).get("maxTokens"))
    return Answer(
        text=text,
        ended=ended,
        prompt_tokens=prompt,
        completion_tokens=len(tokens_of(text)) + reasoning,
        reasoning_tokens=reasoning,
    )


def _limited(text: str, limit: int | None) -> tuple[str, str]:
    if limit is None:
        return text, "FINAL"
    for count, match in enumerate(_WORD.finditer(text), start=1):
        if count == limit and match.end() < len(text):
            return text[: match.end()], "TRUNCATED_FINAL"
    return text, "FINAL"


def _text(request: Mapping[str, Any], fixed: str | None) -> str:
    if "jsonSchema" in request:
        schema = request["jsonSchema"].get("schema", {})
        return json.dumps(value_for(schema, word="Москва"), ensure_ascii=False)
    said = _last_user_text(request)
    if request.get("jsonObject"):
        return json_object(fixed or said)
    results = request["messages"][-1].get("toolResultList", {}).get("toolResults")
    if results:
        contents = "; ".join(each["functionResult"].get("content", "") for each in results)
        return fixed or f"Ответ по данным инструментов: {contents}"
    return fixed or f"Эхо: {said}"


def _last_user_text(request: Mapping[str, Any]) -> str:
    said = [message["text"] for message in request["messages"] if message["role"] == "user" and "text" in message]
    return str(said[-1]) if said else ""


def _calls(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    functions = [tool["function"] for tool in request.get("tools", ())]
    choice = request.get("toolChoice", {})
    last = request["messages"][-1]
    if not functions or choice.get("mode") == "NONE" or "toolResultList" in last:
        return ()
    wanted = _wanted(functions, choice, str(last.get("text", "")))
    if not request.get("parallelToolCalls", True):
        wanted = wanted[:1]
    return tuple(
        {"functionCall": {"name": each["name"], "arguments": _as_struct(value_for(schema, word="Москва"))}}
        for each in wanted
        for schema in [each.get("parameters", {})]
    )


def _wanted(functions: Sequence[Mapping[str, Any]], choice: Mapping[str, Any], said: str) -> list[Mapping[str, Any]]:
    if named := choice.get("functionName"):
        return [each for each in functions if each["name"] == named]
    mentioned = [each for each in functions for _ in range(said.count(each["name"]))]
    return mentioned or (list(functions[:1]) if choice.get("mode") == "REQUIRED" else [])


def _as_struct(value: Any) -> Any:
    """Numbers as google.protobuf.Struct keeps them: all are doubles."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, dict):
        return {name: _as_struct(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_struct(item) for item in value]
    return value


def embedding_of(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on nothing but the text."""
    raw: list[float] = []
    for block in range((dimensions + 31) // 32):
        digest = hashlib.sha256(f"{block}:{text}".encode()).digest()
        raw += [byte / 127.5 - 1.0 for byte in digest]
    norm = sum(value * value for value in raw[:dimensions]) ** 0.5 or 1.0
    return [value / norm for value in raw[:dimensions]]


def classify(text: str, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Confidence by label; a label that stands in the text wins."""
    weights = [4.0 if label.lower() in text.lower() else 1.0 for label in labels]
    return [
        {"label": label, "confidence": weight / sum(weights)} for label, weight in zip(labels, weights, strict=True)
    ]
