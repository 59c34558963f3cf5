"""``mlo embed``: the command line."""

from __future__ import annotations

from pathlib import Path

import click

from mlo_cli.options import Command, aim_options, json_option, setup_options
from mlo_cli.texts import text

__all__ = ["command"]


def command() -> Command:
    """The command, in the reader's language."""
    texts = click.Argument(["texts"], nargs=-1, metavar=text("metavar.texts"))
    return Command("embed", params=[texts, *aim_options(), json_option(), *setup_options()], callback=_embed)


def _embed(
    *,
    texts: tuple[str, ...],
    route: str | None,
    target: str | None,
    model: str | None,
    deadline: float | None,
    as_json: bool,
    config: Path | None,
    profile: str | None,
    debug: bool,  # noqa: ARG001 - looked for by run() before anything is parsed
) -> int:
    from mlo_cli.embedding import embed  # noqa: PLC0415
    from mlo_cli.routers import Aim, Setup  # noqa: PLC0415

    aim = Aim.of(route=route, target=target, model=model, deadline=deadline)
    return embed(texts, aim, Setup(config=config, profile=profile), as_json=as_json)
