"""Runs a command: parses its arguments, and turns every ending into an exit code and at most one line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from mlo.errors import MloError

from . import exits
from .clean import printable
from .options import Command, UsageProblem
from .texts import text

__all__ = ["complain", "note", "run"]

_OFF = {"", "0", "false", "no", "off"}


def note(line: str) -> None:
    """Tell the reader something that is not part of the output."""
    print(printable(line), file=sys.stderr)  # noqa: T201 - this is the output of a command


def complain(line: str) -> None:
    """Tell the reader what went wrong."""
    note(f"{text('error')}: {line}")


def run(command: Command, argv: Sequence[str]) -> int:
    """Run ``command`` with the arguments ``argv``; its exit code."""
    _survive_narrow_encodings()
    arguments = list(argv)
    try:
        with command.make_context(f"mlo {command.name}", arguments) as ctx:
            code: int = command.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except click.UsageError as error:
        complain(f"{_usage_line(error)} ({text('usage.see_help', command=f'mlo {command.name} --help')})")
        return exits.USAGE
    except MloError as error:
        _trace_if_wanted(argv)
        complain(exits.explain(error))
        return exits.code_of(error)
    except Exception as error:  # noqa: BLE001 - the border: a reader gets a line, a developer asks for the traceback
        _trace_if_wanted(argv)
        complain(text("failed.unexpected", kind=type(error).__name__, error=error))
        return exits.FAILED
    return code


def _survive_narrow_encodings() -> None:
    """Print `?` for what the terminal's encoding lacks: an answer is not worth a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _reader_left() -> int:
    """End quietly when the program that we print to has closed its end, such as `head`."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, sys.stdout.fileno())  # else the interpreter complains when it flushes at exit
    os.close(silent)
    return exits.OK


def _trace_if_wanted(argv: Sequence[str]) -> None:
    before_separator = list(argv)[: list(argv).index("--")] if "--" in argv else argv
    if "--debug" in before_separator or os.environ.get("MLO_DEBUG", "").lower() not in _OFF:
        traceback.print_exc()


def _usage_line(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption(option_name=name, possibilities=near):
            line = text("usage.no_such_option", option=name)
            return line + (f"; {text('usage.near', names=near[0])}" if near else "")
        case click.MissingParameter(param=param):
            return text("usage.missing", param=_name_of(param))
        case click.BadParameter(param=param, message=message):
            return f"{_name_of(param)}: {message}"
        case click.BadOptionUsage(option_name=name):
            return text("usage.needs_value", option=name)
        case UsageProblem(message=message):
            return message
        case _:
            return error.format_message().rstrip(".")


def _name_of(param: click.Parameter | None) -> str:
    if param is None:
        return "?"
    return param.opts[-1] if isinstance(param, click.Option) else param.make_metavar(click.Context(click.Command(None)))
