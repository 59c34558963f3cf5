"""``mlo completion``: the command line."""

from __future__ import annotations

import click

from mlo_cli.options import Command, Number, UsageProblem
from mlo_cli.texts import text

__all__ = ["command"]

_SHELLS = ("bash", "zsh", "fish")


def command() -> Command:
    """The command, in the reader's language."""
    return Command(
        "completion",
        params=[
            click.Argument(["words"], nargs=-1, metavar="|".join(_SHELLS), shell_complete=_shells),
            click.Option(["--at"], type=Number(whole=True), hidden=True),
        ],
        callback=_completion,
    )


def _shells(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [shell for shell in _SHELLS if shell.startswith(incomplete)]


def _completion(
    *,
    words: tuple[str, ...],
    at: int | None,
    debug: bool,  # noqa: ARG001 - looked for by run() before anything is parsed
) -> int:
    """Print a shell's script, or with ``--at N`` what may stand for word number N: that is what the scripts call."""
    if at is not None:
        from mlo_cli.candidates import print_candidates  # noqa: PLC0415

        print_candidates(words, at)
    elif len(words) == 1 and words[0] in _SHELLS:
        from mlo_cli.shells import script  # noqa: PLC0415

        click.echo(script(words[0]), nl=False)
    else:
        raise UsageProblem(text("usage.shell", shells=", ".join(_SHELLS)))
    return 0
