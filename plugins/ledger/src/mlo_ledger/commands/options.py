"""Options that the commands of the ledger share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from .texts import text

__all__ = ["Parser", "converted", "place_options", "time_options", "whole"]


class Parser(argparse.ArgumentParser):
    """Refuses abbreviations: they would break when an option is added."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(allow_abbrev=False, **attributes)


def place_options() -> Parser:
    """Which ledger."""
    options = Parser(add_help=False)
    options.add_argument("--config", metavar="FILE", help=text("config"))
    options.add_argument("--profile", metavar="NAME", help=text("profile"))
    which = options.add_mutually_exclusive_group()
    which.add_argument("--observer", metavar="NAME", help=text("observer"))
    which.add_argument("--database", metavar="URL", help=text("database"))
    return options


def time_options(parser: argparse.ArgumentParser) -> None:
    """Which time, to be read by :func:`mlo_ledger.commands.times.chosen_period`."""
    parser.add_argument("--from", dest="begin", metavar=text("day or time"), help=text("from"))
    parser.add_argument("--to", dest="end", metavar=text("day or time"), help=text("to"))
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", metavar="7d", help=text("last"))
    which.add_argument("--month", metavar="2026-11", help=text("month"))
    parser.add_argument("--zone", metavar="ZONE", default="Europe/Moscow", help=text("zone"))


def converted(function: Callable[[str], Any], key: str) -> Callable[[str], Any]:
    """``function`` as argparse wants it: a value that it refuses is described by the text called ``key``."""

    def convert(value: str) -> Any:
        try:
            return function(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(text(key, value=value)) from error

    return convert


def whole(value: str) -> int:
    """A whole number that is not negative."""
    number = int(value)
    if number < 0:
        _refuse(value)
    return number


def _refuse(value: str) -> NoReturn:
    raise ValueError(value)
