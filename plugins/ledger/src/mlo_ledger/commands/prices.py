"""The command ``mlo prices``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import cast

from .options import Parser, converted, place_options, whole
from .texts import text

__all__ = ["main"]

_STALE_DAYS = 180


def main(argv: Sequence[str]) -> int:
    """List, check or import prices.

    Returns:
        0 when it worked, 1 when the check found something or an import was refused.

    Raises:
        ConfigError: when a price file is wrong, no ledger is configured, or there is none where it should be.
        DatabaseUnavailable: when its database does not serve.
    """
    options = _parser().parse_args(list(argv))
    from . import pricelists  # noqa: PLC0415 - `--help` needs none of it

    actions = {"list": pricelists.show, "check": pricelists.check, "import": pricelists.take}
    action = cast("Callable[[argparse.Namespace], int]", actions[options.action])
    return action(options)


def _parser() -> argparse.ArgumentParser:
    place = place_options()
    parser = Parser(prog="mlo prices", description=text("prices"))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str) -> argparse.ArgumentParser:
        about = text(f"prices {name}")
        return actions.add_parser(name, help=about, description=about, parents=[place])

    listing = action("list")
    listing.add_argument("--provider", metavar="NAME", help=text("only", name="provider"))
    listing.add_argument("--model", metavar="NAME", help=text("only", name="model"))
    which = listing.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help=text("all versions"))
    which.add_argument("--at", metavar=text("day or time"), help=text("at"))
    listing.add_argument("--json", action="store_true", help=text("json"))
    check = action("check")
    check.add_argument("files", nargs="*", metavar="FILE", help=text("price file"))
    _stale(check)
    take = action("import")
    take.add_argument("files", nargs="+", metavar="FILE", help=text("price file"))
    take.add_argument("--dry-run", action="store_true", help=text("dry run"))
    _stale(take)
    return parser


def _stale(parser: argparse.ArgumentParser) -> None:
    number = converted(whole, "bad number")
    parser.add_argument("--stale-days", metavar="N", type=number, default=_STALE_DAYS, help=text("stale days"))
    parser.add_argument("--strict", action="store_true", help=text("strict"))
