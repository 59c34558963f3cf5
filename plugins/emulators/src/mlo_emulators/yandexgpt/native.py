"""The completion method of the native REST API, whole or in frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .answers import Answer, answer_to, prompt_text, tokens_of
from .exchange import Exchange
from .failures import Failure, bad_request, of_status
from .identity import admit
from .models import Model, find
from .schema import COMPLETION, read

__all__ = ["answer_of", "check_text", "checked", "complete", "interfere", "response_of"]

_MAX_TEXT = 100_000
_STATUS = "ALTERNATIVE_STATUS_"
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def checked(body: Any, folder: str) -> tuple[dict[str, Any], Model]:
    """A native completion request that the cloud would accept, and its model.

    Raises:
        Failure: 400 or 404.
    """
    request = read(COMPLETION, body)
    model = find(request.get("modelUri", ""), folder, "gpt")
    if not model.own:
        raise bad_request("model is not available in this API")
    _check_options(request.get("completionOptions", {}))
    if not request.get("messages"):
        raise bad_request("empty messages")
    for message in request["messages"]:
        if not {"toolCallList", "toolResultList"} & message.keys():
            check_text(message.get("text", ""))
    size = len(tokens_of(prompt_text(request)))
    if size > model.context:
        raise bad_request(f"number of input tokens must be no more than {model.context}, got {size}")
    return request, model


def _check_options(options: Mapping[str, Any]) -> None:
    if not 0 <= options.get("temperature", 0.3) <= 1:
        raise bad_request(f"temperature must be in range [0, 1], got {options['temperature']:g}")
    if options.get("maxTokens", 1) <= 0:
        raise bad_request(f"max_tokens must be positive, got {options['maxTokens']}")


def check_text(text: str) -> None:
    """The vendor's limits on a text.

    Raises:
        Failure: 400.
    """
    if not text:
        raise bad_request("empty message text")
    if len(text) > _MAX_TEXT:
        raise bad_request(f"text length is {len(text)}, which is outside the range (0, {_MAX_TEXT}]")


async def complete(exchange: Exchange) -> None:
    """The completion method, whole or in frames. Both are wrapped in ``result``: the method streams by nature."""
    admit(exchange)
    world = exchange.world
    request, model = checked(await exchange.body(), world.options.folder_id)
    with world.generation():
        if await interfere(exchange):
            return
        answer = answer_of(exchange, request)
        if request.get("completionOptions", {}).get("stream"):
            await _stream(exchange, answer, model)
        else:
            response = response_of(answer, model, usage=not world.options.no_usage)
            await exchange.json({"result": response}, headers=exchange.echoed_ids())


async def interfere(exchange: Exchange) -> bool:
    """Let the thinking pass and the faults of the beginning happen; true if the request is answered by them.

    Raises:
        Failure: the one that ``status`` asks for.
    """
    options = exchange.world.options
    await exchange.sleep(options.think + (options.hang or 0.0))
    if options.status is not None:
        raise of_status(options.status)
    if options.html:
        await exchange.start(502, {"content-type": "text/html", "content-length": str(len(_HTML))})
        await exchange.write(_HTML, more=False)
    return options.html


def answer_of(exchange: Exchange, request: Mapping[str, Any]) -> Answer:
    """What the model says, faults included."""
    options = exchange.world.options
    if options.content_filter:
        return Answer.filtered()
    answer = answer_to(request, options.answer)
    if options.truncated:
        return Answer(text=answer.text, ended="TRUNCATED_FINAL", completion_tokens=1, prompt_tokens=1)
    return answer


def response_of(answer: Answer, model: Model, *, usage: bool = True) -> dict[str, Any]:
    """A CompletionResponse."""
    message: dict[str, Any] = {"role": "assistant"}
    if answer.calls:
        message["toolCallList"] = {"toolCalls": list(answer.calls)}
    else:
        message["text"] = answer.text
    body: dict[str, Any] = {"alternatives": [{"message": message, "status": _STATUS + answer.ended}]}
    if usage:
        body["usage"] = answer.usage()
    return body | {"modelVersion": "" if answer.ended == "CONTENT_FILTER" else model.version}


async def _stream(exchange: Exchange, answer: Answer, model: Model) -> None:
    options = exchange.world.options
    await exchange.start(headers=exchange.echoed_ids())
    final = response_of(answer, model, usage=not options.no_usage)
    if options.unknown_status:
        final["alternatives"][0]["status"] = _STATUS + "NEWLY_INVENTED"
    partial = list(_partial_frames(answer, model, options.frame_chars))
    if options.diverge:
        partial.append(_response_of_text("Иначе: " + answer.text[: options.frame_chars * 2], answer, model, 1.0))
    for index, frame in enumerate(partial):
        await exchange.write(_line(frame))
        await exchange.sleep(options.frame_delay)
        if index == 0 and _breaks(exchange):
            return
    if not options.cut:
        await exchange.write(_line(final))
    await exchange.end()


def _breaks(exchange: Exchange) -> bool:
    options = exchange.world.options
    if options.reset:
        exchange.reset()
    if options.error_after_first is not None:
        raise Failure(options.error_after_first, "the model failed while it generated")
    return options.reset


def _partial_frames(answer: Answer, model: Model, size: int) -> Iterator[dict[str, Any]]:
    """All frames but the last; each one repeats the text from the beginning."""
    if answer.calls or answer.ended == "CONTENT_FILTER":
        return
    for end in range(size, max(len(answer.text), size + 1), size):
        yield _response_of_text(answer.text[:end], answer, model, end / max(len(answer.text), 1))


def _response_of_text(text: str, answer: Answer, model: Model, share: float) -> dict[str, Any]:
    alternative = {"message": {"role": "assistant", "text": text}, "status": _STATUS + "PARTIAL"}
    return {"alternatives": [alternative], "usage": answer.usage(min(share, 1.0)), "modelVersion": model.version}


def _line(frame: Mapping[str, Any]) -> bytes:
    return json.dumps({"result": frame}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
