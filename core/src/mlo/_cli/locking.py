"""``mlo plugins lock`` and ``mlo plugins verify``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .output import say, say_json
from .texts import text

if TYPE_CHECKING:
    from mlo._candidates import Candidate
    from mlo.settings import PluginPolicy

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to the parser of ``mlo plugins``."""
    for name, function in (("lock", _lock), ("verify", _verify)):
        about = text(f"plugins {name}")
        command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        command.set_defaults(run=function)
        command.add_argument("file", metavar="FILE", nargs="?", type=Path, help=text("lock file"))
        if name == "verify":
            command.add_argument("--json", action="store_true", help=text("json"))


def _lock(options: argparse.Namespace) -> int:
    from mlo._lock import rendered  # noqa: PLC0415 - one command at a time
    from mlo._prints import fingerprints  # noqa: PLC0415
    from mlo.errors import ConfigError  # noqa: PLC0415

    policy, rows = _judged()
    file = _file(options, policy)
    lock = fingerprints(rows)
    try:
        file.write_text(rendered(lock), encoding="utf-8")
    except OSError as error:
        reason = f"cannot write the lock: {error.strerror or type(error).__name__}"
        raise ConfigError(str(file), reason, hint="name another file") from error
    plugins = sum(len(locked.plugins) for locked in lock.values())
    say(text("locked", file=file, distributions=len(lock), plugins=plugins))
    if not (policy.strict and policy.lock):
        say(text("lock advice", table=policy.path, name=file.name))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from mlo._prints import lock_faults  # noqa: PLC0415 - one command at a time

    policy, rows = _judged()
    file = _file(options, policy)
    faults = lock_faults(policy, rows, file)
    if options.json:
        say_json({"lock": str(file), "faults": list(faults)})
        return int(bool(faults))
    for fault in faults:
        say(fault)
    say(text("verified", file=file, faults=len(faults)) if faults else text("unchanged", file=file))
    return int(bool(faults))


def _judged() -> tuple[PluginPolicy, Sequence[Candidate]]:
    from mlo._candidates import discover  # noqa: PLC0415 - one command at a time
    from mlo._file import load_policy  # noqa: PLC0415
    from mlo._policy import judge  # noqa: PLC0415

    policy = load_policy(os.environ)
    return policy, judge(discover(), policy)


def _file(options: argparse.Namespace, policy: PluginPolicy) -> Path:
    """The argument, else what the policy names, else a file beside the configuration."""
    from mlo._file import find_file  # noqa: PLC0415 - one command at a time
    from mlo._lock import DEFAULT_NAME  # noqa: PLC0415

    if options.file is not None:
        return Path(options.file)
    if policy.lock is not None:
        return Path(policy.lock)
    configuration = find_file(None, os.environ)
    return Path(DEFAULT_NAME) if configuration is None else configuration.parent / DEFAULT_NAME
