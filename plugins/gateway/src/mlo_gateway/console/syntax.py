"""What the arguments of both commands have in common."""

from __future__ import annotations

import argparse
import time

from .texts import text
from .times import expiry_at

__all__ = ["Actions", "actions_of", "add_key_limits", "add_names", "expiry", "parser_for", "positive"]

Actions = argparse._SubParsersAction  # noqa: SLF001 - argparse names it nowhere else


def positive(word: str) -> int:
    """A whole number of at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(text("at least 1"))
    return number


def expiry(word: str) -> int:
    """When something ends, in microseconds."""
    return expiry_at(word, time.time_ns() // 1000)


def parser_for(program: str, about: str) -> argparse.ArgumentParser:
    """A parser that speaks the reader's language."""
    parser = argparse.ArgumentParser(prog=program, description=about, add_help=False, allow_abbrev=False)
    _add_help(parser)
    return parser


def actions_of(parser: argparse.ArgumentParser, name: str = "action") -> Actions[argparse.ArgumentParser]:
    """Where subcommands are added."""
    return parser.add_subparsers(dest=name, required=True, metavar=name.upper())


def add_names(actions: Actions[argparse.ArgumentParser], name: str, about: str) -> argparse.ArgumentParser:
    """A subcommand with the options that all have."""
    parser = actions.add_parser(name, help=about, description=about, add_help=False, allow_abbrev=False)
    _add_help(parser)
    parser.add_argument("--database", metavar="URL", help=text("database"))
    parser.add_argument("--json", action="store_true", help=text("json"))
    return parser


def add_key_limits(parser: argparse.ArgumentParser) -> None:
    """The limits that a key or a plan may set."""
    for name in ("requests-minute", "tokens-minute", "concurrency", "requests-month"):
        parser.add_argument(f"--{name}", type=positive, metavar="N", help=text(name.replace("-", " ")))
    parser.add_argument("--budget", metavar="RUB", help=text("budget"))


def _add_help(parser: argparse.ArgumentParser) -> None:
    parser._positionals.title = text("arguments")  # noqa: SLF001 - argparse has no other way
    parser._optionals.title = text("options")  # noqa: SLF001
    parser.add_argument("-h", "--help", action="help", help=text("help"))
