"""``mlo models``: the command line."""

from __future__ import annotations

from pathlib import Path

from mlo_cli.options import Command, configured, json_option, option, setup_options

__all__ = ["command"]


def command() -> Command:
    """The command, in the reader's language."""
    provider = option("-p", "--provider", key="provider", metavar="name", shell_complete=configured("providers"))
    return Command("models", params=[provider, json_option(), *setup_options()], callback=_models)


def _models(
    *,
    provider: str | None,
    as_json: bool,
    config: Path | None,
    profile: str | None,
    debug: bool,  # noqa: ARG001 - looked for by run() before anything is parsed
) -> int:
    from mlo_cli.listing import list_models  # noqa: PLC0415
    from mlo_cli.routers import Setup  # noqa: PLC0415

    return list_models(provider, Setup(config=config, profile=profile), as_json=as_json)
