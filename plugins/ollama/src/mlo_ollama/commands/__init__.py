"""The command ``mlo ollama``. Light: what it runs is imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ollama"]


def ollama(argv: Sequence[str]) -> int:
    """Run ``mlo ollama``; returns the exit code.

    Raises:
        MloError: for the command line of the core to print.
    """
    from .parsing import parsed  # noqa: PLC0415 - a command imports what it needs when it is called
    from .running import run  # noqa: PLC0415

    return run(parsed(argv))
