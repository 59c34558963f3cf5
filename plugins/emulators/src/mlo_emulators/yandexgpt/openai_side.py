"""The OpenAI-compatible API in its two dialects: Yandex's own models and open-weight ones differ on the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from .answers import Answer, answer_to, embedding_of, tokens_of
from .exchange import Exchange
from .failures import Failure, bad_request
from .identity import admit
from .models import MODELS, Model, find
from .native import interfere

__all__ = ["chat", "embeddings", "list_models", "sse_error"]

_REASONS = {
    "FINAL": "stop",
    "TRUNCATED_FINAL": "length",
    "CONTENT_FILTER": "content_filter",
    "TOOL_CALLS": "tool_calls",
}
_CREATED = 1_757_000_000


def sse_error(encoded: bytes) -> bytes:
    """A failure inside a stream."""
    return b"data: " + encoded + b"\n\n"


@frozen(kw_only=True)
class _Reply:
    """An answer on its way into one of the dialects."""

    id: str
    model: Model
    shown_model: str
    answer: Answer
    thought: str
    piece: int

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Tool calls as OpenAI has them. Yandex's own models use the function's name as the id."""
        found = []
        for index, each in enumerate(self.answer.calls):
            call = each["functionCall"]
            name = call["name"]
            found.append(
                {
                    "id": name if self.model.own else f"chatcmpl-tool-{uuid.uuid4().hex}",
                    "type": "function",
                    "index": index,
                    "function": {"name": name, "arguments": json.dumps(call["arguments"], ensure_ascii=False)},
                }
            )
        return found

    @property
    def usage(self) -> dict[str, Any]:
        """Usage, in the order of keys that the cloud has."""
        prompt, completion = self.answer.prompt_tokens, self.answer.completion_tokens
        return {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}

    def envelope(self, kind: str, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What all answers and chunks have in common."""
        return {
            "id": self.id,
            "object": kind,
            "created": _CREATED,
            "model": self.shown_model,
            "choices": list(choices),
        }


async def chat(exchange: Exchange) -> None:
    """Chat completions."""
    admit(exchange, key_as_bearer=True)
    world = exchange.world
    body = await exchange.body()
    model = find(str(body.get("model", "")), world.options.folder_id, "gpt")
    if not body.get("messages"):
        raise bad_request("messages: at least one is needed")
    with world.generation():
        if await interfere(exchange):
            return
        reply = _reply(exchange, body, model)
        ids = exchange.echoed_ids() if model.own else {"access-control-allow-origin": "*"}
        if not body.get("stream"):
            await exchange.json(_whole(reply), headers=ids)
            return
        await exchange.start(headers={"content-type": "text/event-stream"} | ids)
        await _stream(exchange, reply)


def _reply(exchange: Exchange, body: Mapping[str, Any], model: Model) -> _Reply:
    options = exchange.world.options
    answer = answer_to(_as_native(body), options.answer)
    if options.content_filter:
        answer = Answer.filtered()
    elif options.truncated:
        answer = Answer(text=answer.text, ended="TRUNCATED_FINAL", prompt_tokens=1, completion_tokens=1)
    uri = str(body["model"])
    return _Reply(
        id=str(uuid.uuid4()) if model.own else f"chatcmpl-{uuid.uuid4()}",
        model=model,
        shown_model=uri if model.own else uri.replace(f"{options.folder_id}/", "", 1),
        answer=answer,
        thought="Подумаем. " if body.get("reasoning_effort") and not model.own else "",
        piece=options.frame_chars if model.own else 4,
    )


def _as_native(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request as the native API would have it, for the models that answer both."""
    options: dict[str, Any] = {}
    if limit := body.get("max_tokens") or body.get("max_completion_tokens"):
        options["maxTokens"] = limit
    native: dict[str, Any] = {
        "messages": [_native_message(message) for message in body["messages"]],
        "completionOptions": options,
        "tools": body.get("tools") or [],
        "toolChoice": _native_choice(body.get("tool_choice")),
        "parallelToolCalls": body.get("parallel_tool_calls", True),
    }
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        native["jsonSchema"] = {"schema": wanted["json_schema"].get("schema", {})}
    elif wanted.get("type") == "json_object":
        native["jsonObject"] = True
    return native


def _native_message(message: Mapping[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        result = {"functionResult": {"name": message.get("name", ""), "content": str(message.get("content", ""))}}
        return {"role": "user", "toolResultList": {"toolResults": [result]}}
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return {"role": message["role"], "text": content}


def _native_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        return {"functionName": choice.get("function", {}).get("name", "")}
    return {"mode": str(choice or "auto").upper()}


def _whole(reply: _Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.answer.text}
    if reply.thought:
        message["reasoning_content"] = reply.thought
    if reply.answer.calls:
        message["tool_calls"] = reply.calls
    choice = {"index": 0, "message": message, "finish_reason": _REASONS[reply.answer.ended]}
    return reply.envelope("chat.completion", [choice]) | {"usage": reply.usage}


async def _stream(exchange: Exchange, reply: _Reply) -> None:
    options = exchange.world.options
    chunks = list(_own_chunks(reply) if reply.model.own else _open_chunks(reply))
    spoken = 0
    for choice in chunks:
        if options.cut and "finish_reason" in choice:
            await exchange.end()
            return
        await _event(exchange, reply.envelope("chat.completion.chunk", [choice]))
        await exchange.sleep(options.frame_delay)
        spoken += bool(choice["delta"].get("content"))
        if spoken and options.reset:
            exchange.reset()
            return
        if spoken and options.error_after_first is not None:
            raise Failure(options.error_after_first, "the model failed while it generated")
    if not reply.model.own and not options.no_usage:
        await _event(exchange, reply.envelope("chat.completion.chunk", []) | {"usage": reply.usage})
    await exchange.write(b"data: [DONE]\n\n")
    await exchange.end()


async def _event(exchange: Exchange, body: Mapping[str, Any]) -> None:
    encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    await exchange.write(b"data: " + encoded + b"\n\n")


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _own_chunks(reply: _Reply) -> Iterator[dict[str, Any]]:
    """Few big chunks; the last one with text also has the reason; a tool call comes whole."""
    reason = _REASONS[reply.answer.ended]
    if reply.answer.calls:
        delta = {"role": "assistant", "content": "", "tool_calls": reply.calls}
        yield {"index": 0, "delta": delta, "finish_reason": reason}
        return
    *early, last = _pieces(reply.answer.text, reply.piece) or [""]
    for piece in early:
        yield {"index": 0, "delta": {"role": "assistant", "content": piece}}
    yield {"index": 0, "delta": {"role": "assistant", "content": last}, "finish_reason": reason}


def _open_chunks(reply: _Reply) -> Iterator[dict[str, Any]]:
    """Token by token, the role first; arguments of a tool call in fragments with empty, not absent, names."""
    yield {"index": 0, "delta": {"role": "assistant"}}
    for piece in _pieces(reply.thought, reply.piece):
        yield {"index": 0, "delta": {"reasoning_content": piece}}
    for piece in _pieces(reply.answer.text, reply.piece):
        yield {"index": 0, "delta": {"content": piece}}
    for call in reply.calls:
        yield {"index": 0, "delta": {"tool_calls": [call | {"function": call["function"] | {"arguments": ""}}]}}
        for piece in _pieces(call["function"]["arguments"], reply.piece):
            function = {"name": "", "arguments": piece}
            more = {"id": "", "type": "", "index": call["index"], "function": function}
            yield {"index": 0, "delta": {"tool_calls": [more]}}
    yield {"index": 0, "delta": {"content": ""}, "finish_reason": _REASONS[reply.answer.ended]}


async def embeddings(exchange: Exchange) -> None:
    """Embeddings: one text per request."""
    admit(exchange, key_as_bearer=True)
    body = await exchange.body()
    model = find(str(body.get("model", "")), exchange.world.options.folder_id, "emb")
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or len(texts) != 1 or not texts[0]:
        raise bad_request("input: exactly one text is supported")
    exchange.world.embedding()
    vector = embedding_of(texts[0], body.get("dimensions") or model.dimensions)
    size = len(tokens_of(texts[0]))
    await exchange.json(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": vector}],
            "model": body["model"],
            "usage": {"prompt_tokens": size, "total_tokens": size},
        }
    )


async def list_models(exchange: Exchange) -> None:
    """The models of a folder, which the header ``OpenAI-Project`` names."""
    admit(exchange, key_as_bearer=True)
    folder = exchange.world.options.folder_id
    if exchange.request.headers.get("openai-project") != folder:
        raise bad_request("OpenAI-Project header must name the folder")
    data = [
        {"id": f"{model.scheme}://{folder}/{model.name}/latest", "object": "model", "owned_by": model.owned_by}
        | {"created": 0}
        for model in MODELS.values()
    ]
    await exchange.json({"object": "list", "data": data})
