"""The lock of the active plugins: what it records, how it is written down, and how an installation differs from it.

Pure functions; :mod:`mlo._prints` reads the installation. A lock tells that something has changed since somebody looked
at it, be it an upgrade or an edit. It is no defence against who can write to the installation and to the lock.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

__all__ = ["DEFAULT_NAME", "Lock", "LockFault", "LockedDistribution", "differences", "parsed", "rendered"]

DEFAULT_NAME = "mlo.plugins.lock"
_FORMAT = 1
_MOST_FILES = 5
"""Files that are named where many have changed; the rest is counted."""
_HEAD = "# Written by `mlo plugins lock`. `mlo plugins verify` compares it with the installation.\n"

Lock: TypeAlias = Mapping[str, "LockedDistribution"]


class LockFault(ValueError):
    """The text is not a lock that this release can read."""


@frozen(kw_only=True)
class LockedDistribution:
    """One distribution: its version, the plugins it may give (``kind:id``), and a digest of each of its files.

    ``version`` is empty where the metadata does not tell.
    """

    version: str
    plugins: tuple[str, ...]
    files: Mapping[str, str] = field(repr=False)


def rendered(lock: Lock) -> str:
    """The lock as TOML, the same text for the same installation."""
    lines = [_HEAD, f"format = {_FORMAT}", "", "[distributions]"]
    for name in sorted(lock):
        locked = lock[name]
        lines += ["", f"[distributions.{_quoted(name)}]", f"version = {_quoted(locked.version)}"]
        lines += [f"plugins = [{', '.join(map(_quoted, locked.plugins))}]"]
        lines += ["", f"[distributions.{_quoted(name)}.files]"]
        lines += [f"{_quoted(file)} = {_quoted(locked.files[file])}" for file in sorted(locked.files)]
    return "\n".join(lines) + "\n"


def parsed(text: str) -> Lock:
    """The lock that :func:`rendered` wrote.

    Raises:
        LockFault: it did not.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LockFault(f"not valid TOML: {error}") from error
    if data.get("format") != _FORMAT:
        raise LockFault(f"the format is {data.get('format')!r}, this release reads {_FORMAT}")
    try:
        return {str(name): _distribution(table) for name, table in data["distributions"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise LockFault(f"damaged: {type(error).__name__} {error}") from error


def differences(lock: Lock, installed: Lock) -> tuple[str, ...]:
    """How the installation differs from the lock, a sentence each; empty if it does not."""
    return tuple(fault for name in sorted({*lock, *installed}) for fault in _compared(name, lock, installed))


def _compared(name: str, lock: Lock, installed: Lock) -> Iterator[str]:
    if name not in installed:
        yield f"{name} {lock[name].version} is locked, but gives no active plugin"
        return
    found = installed[name]
    if name not in lock:
        yield f"{name} {found.version} gives {', '.join(found.plugins)}, but is not locked"
        return
    locked = lock[name]
    if found.version != locked.version:
        yield f"{name} is {found.version}, locked is {locked.version}"
        return
    yield from _plugins(name, locked, found)
    yield from _files(f"{name} {found.version}", locked.files, found.files)


def _plugins(name: str, locked: LockedDistribution, found: LockedDistribution) -> Iterator[str]:
    for plugin in sorted({*found.plugins} - {*locked.plugins}):
        yield f"{name} gives {plugin}, which is not locked"
    for plugin in sorted({*locked.plugins} - {*found.plugins}):
        yield f"{name} does not give {plugin}, which is locked"


def _files(origin: str, locked: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    verbs = {
        **dict.fromkeys(found.keys() - locked.keys(), "was added"),
        **dict.fromkeys(locked.keys() - found.keys(), "is gone"),
        **dict.fromkeys((file for file in found if found[file] != locked.get(file, found[file])), "has changed"),
    }
    for file in sorted(verbs)[:_MOST_FILES]:
        yield f"{origin}: {file} {verbs[file]}"
    if len(verbs) > _MOST_FILES:
        yield f"{origin}: {len(verbs) - _MOST_FILES} more files differ"


def _distribution(table: Any) -> LockedDistribution:
    files = {str(file): str(digest) for file, digest in table["files"].items()}
    return LockedDistribution(version=str(table["version"]), plugins=tuple(map(str, table["plugins"])), files=files)


def _quoted(text: str) -> str:
    """A JSON string is a TOML basic string, but for the one control character that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
