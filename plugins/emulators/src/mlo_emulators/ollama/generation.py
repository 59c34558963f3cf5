"""A generation as it runs: the objects that go over the wire, one after another."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from time import monotonic_ns
from typing import Any

import anyio

from .answers import Answer, tokens_of
from .chat import Job
from .options import Options
from .scheduler import Scheduler
from .wire import now, without_zeros

__all__ = ["CHAT", "GENERATE", "Shape", "generated", "merged"]

_SECOND = 1_000_000_000


class Shape:
    """How a piece of an answer is put into an object: chat has a message, generate has not."""

    def __init__(self, *, chat: bool) -> None:
        self.chat = chat

    def piece(self, content: str, thinking: str = "", calls: Sequence[Any] = ()) -> dict[str, Any]:
        """The fields that hold a piece."""
        if not self.chat:
            return {"response": content, **without_zeros({"thinking": thinking})}
        more = without_zeros({"thinking": thinking, "tool_calls": list(calls)})
        return {"message": {"role": "assistant", "content": content, **more}}


CHAT = Shape(chat=True)
GENERATE = Shape(chat=False)


async def generated(
    job: Job, server: Options, scheduler: Scheduler, shape: Shape
) -> AsyncGenerator[dict[str, Any], None]:
    """The objects of an answer, the last one with ``done``.

    Raises:
        Refused: before the first object.
    """
    started = monotonic_ns()
    using = scheduler.using(job.model, job.settings, job.num_ctx, job.keep_alive, server)
    async with using as load_seconds:
        prompt = job.fitted(server)
        if job.only_load:
            yield _object(job, shape.piece(""), done=True, done_reason="load" if job.keep_alive else "unload")
            return
        answer = job.answer(prompt, server)
        for piece in _pieces(job, answer, shape, server):
            await anyio.sleep(server.chunk_delay)
            yield _object(job, piece, done=False)
        last: dict[str, Any] = {"done_reason": answer.done_reason}
        if not server.no_metrics:
            last |= _metrics(prompt.tokens, answer, int(load_seconds * _SECOND), monotonic_ns() - started)
        if not shape.chat and not job.raw:
            last["context"] = list(range(min(prompt.tokens, 8)))
        yield _object(job, shape.piece(""), done=True, **last)


def _object(job: Job, piece: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": job.name, "created_at": now(), **piece, **more}


def _pieces(job: Job, answer: Answer, shape: Shape, server: Options) -> list[dict[str, Any]]:
    thinking = [shape.piece("", thinking=text) for text in answer.thinking]
    content = [{**shape.piece(text), **_logprobs(text, job.top_logprobs)} for text in answer.content]
    calls = [shape.piece("", calls=[_call(index, call, server)]) for index, call in enumerate(answer.calls)]
    return [*thinking, *content, *calls]


def _call(index: int, call: Mapping[str, Any], server: Options) -> dict[str, Any]:
    if server.no_ids:
        return {"function": dict(call)}
    return {"id": f"call_{secrets.token_hex(4)}", "function": {"index": index, **call}}


def _logprobs(text: str, top: int | None) -> dict[str, Any]:
    if top is None:
        return {}
    found = [{"token": token, "logprob": -0.25} for token in tokens_of(text)]
    others = [{"token": f"~{index}", "logprob": -1.5 - index} for index in range(max(0, top - 1))]
    return {"logprobs": [{**each, **({"top_logprobs": [each, *others]} if top else {})} for each in found]}


def _metrics(prompt_tokens: int, answer: Answer, load_ns: int, total_ns: int) -> dict[str, int]:
    return without_zeros(
        {
            "total_duration": total_ns,
            "load_duration": load_ns,
            "prompt_eval_count": prompt_tokens,
            "prompt_eval_duration": max(1, (total_ns - load_ns) // 4),
            "eval_count": answer.eval_count,
            "eval_duration": max(1, (total_ns - load_ns) * 3 // 4),
        }
    )


def merged(objects: Sequence[dict[str, Any]], shape: Shape) -> dict[str, Any]:
    """The one object of an unstreamed answer."""
    holders = [each["message"] if shape.chat else each for each in objects]
    field = "content" if shape.chat else "response"
    piece = shape.piece(
        "".join(each.get(field, "") for each in holders),
        thinking="".join(each.get("thinking", "") for each in holders),
        calls=[call for each in holders for call in each.get("tool_calls", ())],
    )
    logprobs = [one for each in objects for one in each.get("logprobs", ())]
    return {**objects[-1], **piece, **without_zeros({"logprobs": logprobs})}
