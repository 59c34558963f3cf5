"""``mlo health``: the command line."""

from __future__ import annotations

from pathlib import Path

from mlo_cli.options import Command, json_option, setup_options

__all__ = ["command"]


def command() -> Command:
    """The command, in the reader's language."""
    return Command("health", params=[json_option(), *setup_options()], callback=_health)


def _health(
    *,
    as_json: bool,
    config: Path | None,
    profile: str | None,
    debug: bool,  # noqa: ARG001 - looked for by run() before anything is parsed
) -> int:
    from mlo_cli.checkup import check_health  # noqa: PLC0415
    from mlo_cli.routers import Setup  # noqa: PLC0415

    return check_health(Setup(config=config, profile=profile), as_json=as_json)
