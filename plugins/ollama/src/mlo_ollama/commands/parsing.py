"""The arguments of ``mlo ollama``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .texts import text

__all__ = ["parsed"]


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(text("at least 1"))
    return number


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments as attributes; ``action`` says which subcommand. Leaves the program for help and usage errors."""
    place = argparse.ArgumentParser(add_help=False)
    which = place.add_mutually_exclusive_group()
    which.add_argument("--url", help=text("url"))
    which.add_argument("--instance", metavar="NAME", help=text("instance"))
    parser = argparse.ArgumentParser(prog="mlo ollama", description=text("about"))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, *, model: bool, shows: bool = False) -> argparse.ArgumentParser:
        found = actions.add_parser(name, help=text(name), description=text(name), parents=[place])
        if model:
            found.add_argument("model", metavar="MODEL", help=text("model"))
        if shows:
            found.add_argument("--json", action="store_true", help=text("json"))
        return found

    action("list", model=False, shows=True)
    action("ps", model=False, shows=True)
    action("show", model=True, shows=True)
    action("pull", model=True).add_argument("--attempts", type=_count, default=5, metavar="N", help=text("attempts"))
    action("preload", model=True).add_argument("--keep-alive", metavar="TIME", help=text("keep alive"))
    action("unload", model=True)
    return parser.parse_args(list(argv))
