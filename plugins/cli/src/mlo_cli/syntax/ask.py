"""``mlo ask``: the command line of one question."""

from __future__ import annotations

from pathlib import Path

import click

from mlo_cli.options import (
    Command,
    InputFile,
    aim_options,
    json_option,
    option,
    sampling_options,
    setup_options,
    speech_options,
)
from mlo_cli.texts import text

__all__ = ["command"]


def command() -> Command:
    """The command, in the reader's language."""
    return Command(
        "ask",
        params=[
            click.Argument(["words"], nargs=-1, metavar=text("metavar.prompt")),
            *aim_options(),
            *sampling_options(),
            option("--schema", key="schema", metavar="file", type=InputFile()),
            option("--image", "images", key="image", metavar="file", type=InputFile(), multiple=True),
            json_option(),
            *speech_options(),
            *setup_options(),
        ],
        callback=_ask,
    )


def _ask(
    *,
    words: tuple[str, ...],
    route: str | None,
    target: str | None,
    model: str | None,
    deadline: float | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    schema: Path | None,
    images: tuple[Path, ...],
    as_json: bool,
    stream: bool | None,
    plain: bool,
    usage: bool,
    config: Path | None,
    profile: str | None,
    debug: bool,  # noqa: ARG001 - looked for by run() before anything is parsed
) -> int:
    from mlo_cli.asking import Manner, ask, request_of  # noqa: PLC0415
    from mlo_cli.routers import Aim, Setup  # noqa: PLC0415

    request = request_of(
        words, system=system, temperature=temperature, max_tokens=max_tokens, schema=schema, images=images
    )
    manner = Manner(as_json=as_json, stream=stream, plain=plain, usage=usage, structure=schema is not None)
    aim = Aim.of(route=route, target=target, model=model, deadline=deadline)
    return ask(request, aim, manner, Setup(config=config, profile=profile))
