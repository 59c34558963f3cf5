"""One question and its answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
from attrs import evolve, frozen

from mlo import ChatRequest, ChatResponse, FinishReason, JsonSchema, Message, MloError, Router, Sampling, Text
from mlo.events import Fold, events_of

from . import exits
from .displays import Display, JsonDisplay, NdjsonDisplay, PlainDisplay, WaitingDisplay, print_json, styled
from .inputs import checked, image_of, prompt_of, schema_of
from .report import error_object, footer
from .routers import Aim, Setup, open_router
from .run import complain, note
from .texts import text

__all__ = ["Manner", "answer", "ask", "display_for", "remarks", "request_of"]


@frozen(kw_only=True)
class Manner:
    """How an answer is shown. ``stream`` is ``None`` where the reader left the choice to us."""

    as_json: bool = False
    stream: bool | None = None
    plain: bool = False
    usage: bool = False
    structure: bool = False

    @property
    def streamed(self) -> bool:
        """Whether to ask for a stream: by default where somebody sees it grow."""
        return not (self.as_json or self.structure) if self.stream is None else self.stream


def request_of(
    words: Sequence[str],
    *,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    schema: Path | None = None,
    images: Sequence[Path] = (),
) -> ChatRequest:
    """The request that the options describe.

    Raises:
        UsageProblem: when a file is not what it should be, or there is no prompt.
    """
    prompt = prompt_of(words)
    pictures = [image_of(path) for path in images]
    messages = [Message.user([Text(prompt), *pictures] if pictures else prompt)]
    if system is not None:
        messages.insert(0, Message.system(checked(system, "--system")))
    request = ChatRequest(messages=messages, sampling=Sampling(temperature=temperature, max_tokens=max_tokens))
    return request if schema is None else evolve(request, response_format=JsonSchema(schema=schema_of(schema)))


def ask(request: ChatRequest, aim: Aim, manner: Manner, setup: Setup) -> int:
    """Ask and show the answer; the exit code.

    Raises:
        MloError: when there is no answer. With JSON output, standard output has said so by then.
    """
    try:
        response = anyio.run(partial(_ask, request, aim, manner, setup))
    except MloError as error:
        if manner.as_json:
            print_json({"error": error_object(error)})
        raise
    code = remarks(response, usage=manner.usage)
    if manner.structure and code == exits.OK and not _is_json(response.text):
        complain(text("failed.not_json"))
        return exits.FAILED
    return code


async def _ask(request: ChatRequest, aim: Aim, manner: Manner, setup: Setup) -> ChatResponse:
    async with open_router(setup) as router:
        return await answer(router, request, aim, display_for(manner), stream=manner.streamed)


async def answer(
    router: Router, request: ChatRequest, aim: Aim, display: Display, *, stream: bool, total: Fold | None = None
) -> ChatResponse:
    """Have ``request`` answered and shown; ``total``, if given, adds up what came in so far.

    Raises:
        MloError: when there is no answer, or only part of one.
    """
    total = total or Fold()
    with display:
        if stream:
            async with router.route_stream(request, **aim.arguments()) as events:
                async for event in events:
                    total.add(event)
                    display.show(event)
                response = events.response()
        else:
            response = await router.route(request, **aim.arguments())
            for event in events_of(response):
                total.add(event)
                display.show(event)
    display.finish(response)
    return response


def display_for(manner: Manner) -> Display:
    """The display for this manner and for where standard output goes."""
    environ = dict(os.environ)
    plain = manner.plain or not styled(sys.stdout, environ)
    if not (plain or manner.as_json or manner.structure):
        from .live import LiveDisplay  # noqa: PLC0415 - rich is slow to load

        return LiveDisplay(text("waiting"))
    inner = _quiet_display(manner, plain=plain)
    if not styled(sys.stderr, environ):
        return inner
    from .live import spinner  # noqa: PLC0415 - as above

    return WaitingDisplay(inner, partial(spinner, text("waiting")))


def _quiet_display(manner: Manner, *, plain: bool) -> Display:
    if manner.as_json:
        return NdjsonDisplay() if manner.streamed else JsonDisplay()
    if plain:
        return PlainDisplay()
    from .live import StructureDisplay  # noqa: PLC0415 - as above

    return StructureDisplay()


def remarks(response: ChatResponse, *, usage: bool) -> int:
    """Say on standard error what the text of the answer does not; the exit code."""
    if response.finish_reason is FinishReason.LENGTH:
        note(text("remark.length"))
    if response.finish_reason is FinishReason.CONTENT_FILTER:
        complain(text("remark.content_filter"))
    if usage:
        note(footer(response))
    return exits.REFUSED if response.finish_reason is FinishReason.CONTENT_FILTER else exits.OK


def _is_json(answer_text: str) -> bool:
    try:
        json.loads(answer_text)
    except ValueError:
        return False
    return True
