"""``mlo [OPTIONS] COMMAND …``: finds the command and runs it.

Own commands are ``plugins`` and ``config``; all others are entry points in the group ``mlo.v1.commands``, found by
name and imported only when called (see :class:`mlo.api.Command`). Exit codes: what the command returns; 2 for a
mistake in usage or configuration, 1 for other errors, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .output import complain, say
from .texts import text

if TYPE_CHECKING:
    from mlo._candidates import Candidate
    from mlo.api import Command

__all__ = ["main"]

_WITH_VALUE = ("--config", "--profile")
_OWN = ("config", "plugins")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    with _environment():
        try:
            code = _run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe has left: so do we
            _silence()
            return 141
        except KeyboardInterrupt:
            complain("")
            return 130
        except SystemExit as stop:
            return _code(stop)
        except Exception as error:  # noqa: BLE001 - the outermost border: no traceback for a mistake of the user's
            return _failed(error)
    return code


def _run(arguments: list[str]) -> int:
    count = 0
    while count < len(arguments) and arguments[count].startswith("-"):
        count += 2 if arguments[count] in _WITH_VALUE else 1
    options = _parser().parse_args(arguments[:count])
    for name, value in (("MLO_CONFIG", options.config), ("MLO_PROFILE", options.profile)):
        if value is not None:
            os.environ[name] = value
    if options.debug:
        os.environ["MLO_DEBUG"] = "1"
    rest = arguments[count:]
    if options.version:
        return _version()
    if options.help or not rest:
        return _help(wanted=options.help)
    return _command(rest[0])(rest[1:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlo", add_help=False, allow_abbrev=False, usage="mlo [OPTIONS] COMMAND …", description=text("about")
    )
    parser._optionals.title = text("options")  # noqa: SLF001 - argparse has no other way
    parser.add_argument("-h", "--help", action="store_true", help=text("help"))
    parser.add_argument("--version", action="store_true", help=text("version"))
    parser.add_argument("--config", metavar="FILE", help=text("config"))
    parser.add_argument("--profile", metavar="NAME", help=text("profile"))
    parser.add_argument("--debug", action="store_true", help=text("debug"))
    return parser


def _help(*, wanted: bool) -> int:
    say(_parser().format_help())
    own = [(name, text(f"command {name}")) for name in _OWN]
    from mlo._discovery import scan  # noqa: PLC0415 - metadata only: this is the quickest way to a list

    rows = [row for row in scan() if row.kind == "commands" and row.id not in _OWN and not row.hidden_by]
    plugins = sorted({(row.id, f"{row.dist} {row.version}") for row in rows})
    width = max(len(name) for name, _ in (*own, *plugins))
    for title, lines in (("own commands", own), ("plugin commands", plugins)):
        if lines:
            say(f"{text(title)}:")
            for name, about in lines:
                say(f"  {name.ljust(width)}  {about}")
            say()
    say(text("more"))
    return 0 if wanted else 2


def _version() -> int:
    from mlo._discovery import installed_version  # noqa: PLC0415 - only when asked

    say(f"mlo {installed_version('mlo-core')}")
    return 0


def _command(name: str) -> Callable[[Sequence[str]], int]:
    if name == "plugins":
        from .plugins import run as plugins  # noqa: PLC0415 - one command at a time

        return plugins
    if name == "config":
        from .config import run as config  # noqa: PLC0415 - one command at a time

        return config
    return _plugin_command(name)


def _plugin_command(name: str) -> Command:
    """The command of a plugin, if the policy allows it."""
    from mlo._candidates import discover  # noqa: PLC0415 - own commands do not need it
    from mlo._discovery import load_object  # noqa: PLC0415
    from mlo._explain import load_failed, unusable  # noqa: PLC0415
    from mlo._file import load_policy  # noqa: PLC0415
    from mlo._policy import judge  # noqa: PLC0415

    policy = load_policy(os.environ)
    everything = judge(discover(), policy)
    if policy.lock:
        from mlo._prints import check_lock  # noqa: PLC0415 - few have a lock

        check_lock(policy, everything)
    rows = [row for row in everything if row.kind == "commands"]
    row = next((row for row in rows if row.id == name and row.verdict == "available"), None)
    if row is None:
        raise unusable("commands", name, [*rows, *map(_own_row, _OWN)], policy.path)
    try:
        command = load_object(row.value)
    except (Exception, SystemExit) as error:  # a border: whatever the plugin's import raises is its own business
        raise load_failed(row, error) from error
    if not callable(command):
        reason = TypeError(f"{row.value} is not callable")
        raise load_failed(row, reason) from reason
    return command


def _own_row(name: str) -> Candidate:
    from mlo._candidates import Candidate  # noqa: PLC0415

    return Candidate(kind="commands", id=name, value="mlo._cli", dist="mlo-core", version=None, api=1)


def _failed(error: Exception) -> int:
    from mlo.errors import ConfigError, MloError, PluginNotFound  # noqa: PLC0415 - only in case of need

    if os.environ.get("MLO_DEBUG"):
        import traceback  # noqa: PLC0415 - only in case of need

        traceback.print_exception(error)
    if isinstance(error, MloError):
        complain(f"error: {error}")
        return 2 if isinstance(error, ConfigError | PluginNotFound) else 1
    complain(f"error: unexpected {type(error).__name__}: {error} (MLO_DEBUG=1 shows where)")
    return 1


def _code(stop: SystemExit) -> int:
    """The exit code that ``sys.exit(…)`` means."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    complain(str(stop.code))
    return 1


def _silence() -> None:
    """Keep the interpreter from complaining about the pipe when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _environment() -> Iterator[None]:
    """Take back what the options put into the environment, so that a program may call :func:`main` too."""
    names = ("MLO_CONFIG", "MLO_PROFILE", "MLO_DEBUG")
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
