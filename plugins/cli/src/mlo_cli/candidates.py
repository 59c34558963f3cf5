"""What may stand at some place of a command line: commands, options, names in the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path
from typing import Literal

from click.shell_completion import CompletionItem, ShellComplete

from mlo.errors import MloError

from .options import Command

__all__ = ["candidates", "names_of", "print_candidates"]

GROUP = "mlo.v1.commands"
_GLOBAL_FLAGS = ("--debug", "--help", "--version")
_GLOBAL_OPTIONS = {"--config": "MLO_CONFIG", "--profile": "MLO_PROFILE"}
_CORE = {
    "config": ("check", "schema", "show"),
    "plugins": ("conformance", "doctor", "hooks", "list", "lock", "new", "show", "verify"),
}
"""The commands of the executable itself, which knows no completion."""


def names_of(kind: Literal["providers", "routes"], config: Path | None, profile: str | None) -> list[str]:
    """The names of provider instances or routes in the configuration; none if it cannot be read."""
    from .routers import Setup, open_router  # noqa: PLC0415 - only when there are names to complete

    try:
        with redirect_stderr(StringIO()):
            router = open_router(Setup(config=config, profile=profile))
    except MloError:
        return []
    return sorted(getattr(router, kind))


def print_candidates(words: Sequence[str], at: int) -> None:
    """Print a line for each candidate: its type, its value and what it means, with tabs between."""
    for item in candidates(words, at):
        meaning = " ".join((item.help or "").split())
        sys.stdout.write(f"{item.type}\t{item.value}\t{meaning}\n")


def candidates(words: Sequence[str], at: int) -> list[CompletionItem]:
    """What may replace ``words[at]``; ``words[0]`` is the executable.

    bash takes ``--route=x`` apart into three words; so does nobody else, and both are understood.
    """
    incomplete = words[at] if at < len(words) else ""
    before = [word for word in words[1:at] if word != "="]
    incomplete = "" if incomplete == "=" else incomplete
    rest = _past_global_options(before)
    if rest is None:
        return [CompletionItem(incomplete, type="file")]
    if not rest:
        return [CompletionItem(name) for name in _first_words(incomplete)]
    return _of_command(rest[0], rest[1:], incomplete)


def _past_global_options(words: Sequence[str]) -> list[str] | None:
    """The words from the command on, global options applied; ``None`` when one of those still lacks its value."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)
        if name in _GLOBAL_OPTIONS:
            if not rest:
                return None
            os.environ[_GLOBAL_OPTIONS[name]] = rest.pop(0)
    return rest


def _first_words(incomplete: str) -> list[str]:
    if incomplete.startswith("-"):
        known = [*_GLOBAL_FLAGS, *_GLOBAL_OPTIONS]
    else:
        known = [*_CORE, *(entry_point.name for entry_point in entry_points(group=GROUP))]
    return sorted({name for name in known if name.startswith(incomplete)})


def _of_command(name: str, arguments: list[str], incomplete: str) -> list[CompletionItem]:
    if name in _CORE and not arguments:
        return [CompletionItem(word) for word in _CORE[name] if word.startswith(incomplete)]
    command = _own_command(name)
    if command is None:
        return [CompletionItem(incomplete, type="file")]
    return ShellComplete(command, {}, name, "").get_completions(arguments, incomplete)


def _own_command(name: str) -> Command | None:
    """One of this distribution's commands; what others take nobody here knows."""
    from .syntax import ask, chat, completion, embed, health, models  # noqa: PLC0415 - only one of the uses of this module

    builders: dict[str, Callable[[], Command]] = {
        "ask": ask.command,
        "chat": chat.command,
        "completion": completion.command,
        "embed": embed.command,
        "health": health.command,
        "models": models.command,
    }
    return builders[name]() if name in builders else None
