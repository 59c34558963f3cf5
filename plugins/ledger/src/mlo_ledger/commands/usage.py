"""The command ``mlo usage``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from .options import Parser, place_options, time_options
from .texts import text

if TYPE_CHECKING:
    from mlo_ledger.reports.usage import Report

__all__ = ["main"]

_BY = ("day", "hour", "month", "organization", "project", "key", "provider", "model", "route", "status")


def main(argv: Sequence[str]) -> int:
    """Tell what was used and what it cost.

    Returns:
        0, whether there was anything or not.

    Raises:
        ConfigError: when no ledger is configured, or there is none where it should be.
        DatabaseUnavailable: when its database cannot be read.
    """
    parser = _parser()
    options = parser.parse_args(list(argv))
    # `--help` needs none of these
    from mlo_ledger.reports.usage import usage_report  # noqa: PLC0415

    from .place import reading  # noqa: PLC0415
    from .times import chosen_period  # noqa: PLC0415

    period = chosen_period(parser, options)
    only = {name: values for name in _BY[3:] if (values := getattr(options, name))}
    report = reading(options, partial(usage_report, period=period, by=options.by, only=only))
    _show(report, options)
    return 0


def _show(report: Report, options: argparse.Namespace) -> None:
    from .documents import usage_csv, usage_json  # noqa: PLC0415
    from .drawing import draw_usage  # noqa: PLC0415

    if options.csv:
        usage_csv(report, sys.stdout)
    elif options.json:
        usage_json(report, sys.stdout)
    else:
        draw_usage(report, chart=not options.no_chart)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="mlo usage", description=text("usage"), parents=[place_options()])
    parser.add_argument(
        "--by", metavar="NAME[,NAME]", type=_names, default=("day",), help=text("by", names=", ".join(_BY))
    )
    time_options(parser)
    for name in _BY[3:]:
        parser.add_argument(f"--{name}", action="append", metavar="NAME", help=text("only", name=name))
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--csv", action="store_true", help=text("csv"))
    shape.add_argument("--json", action="store_true", help=text("json"))
    shape.add_argument("--no-chart", action="store_true", help=text("no chart"))
    return parser


def _names(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    if not set(names) <= set(_BY):
        raise argparse.ArgumentTypeError(text("bad by", value=value, names=", ".join(_BY)))
    return names
