"""The command ``mlo gateway``."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run ``mlo gateway``; the exit code.

    Raises:
        MloError: for the command line of the core to print.
    """
    from mlo_gateway.console.gateway_syntax import parsed  # noqa: PLC0415 - a command imports what it needs when called

    arguments = parsed(argv)
    from mlo_gateway.console.running import run  # noqa: PLC0415 - help needs no database

    return run(arguments)
