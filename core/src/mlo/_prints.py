"""Fingerprints of installed plugins, for the lock: reads files, imports nothing.

A distribution's files are what Python would import under its top-level names (so a file that somebody puts beside the
others counts, and an editable installation is the same as a built one), and the metadata that discovery reads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ._candidates import Candidate
from ._discovery import metadata_texts, normalized, top_level_names
from ._lock import Lock, LockedDistribution, LockFault, differences, parsed
from ._probe import module_of
from .errors import ConfigError, PluginError
from .settings import PluginPolicy

__all__ = ["check_lock", "fingerprints", "lock_faults"]


def fingerprints(candidates: Iterable[Candidate]) -> Lock:
    """What the lock records of the available candidates, by distribution."""
    rows: dict[str, list[Candidate]] = {}
    for row in candidates:
        if row.verdict == "available" and row.dist is not None:
            rows.setdefault(normalized(row.dist), []).append(row)
    return {name: _print(name, active) for name, active in rows.items()}


def lock_faults(policy: PluginPolicy, candidates: Iterable[Candidate], file: Path) -> tuple[str, ...]:
    """How the installation differs from the lock in that file.

    Raises:
        ConfigError: the file cannot be read, or is no lock.
    """
    where = f"{policy.path}.lock" if policy.lock else str(file)
    try:
        lock = parsed(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot read the lock {file}: {error.strerror or type(error).__name__}"
        raise ConfigError(where, reason, hint="`mlo plugins lock` writes it") from error
    except (LockFault, UnicodeDecodeError) as error:
        raise ConfigError(where, f"{file} is not a lock: {error}", hint="`mlo plugins lock` writes it anew") from error
    return differences(lock, fingerprints(candidates))


def check_lock(policy: PluginPolicy, candidates: Sequence[Candidate]) -> None:
    """Refuse to start if a strict policy names a lock and the installation differs from it.

    Raises:
        PluginError: it differs; says in what.
        ConfigError: the lock cannot be read.
    """
    if not (policy.strict and policy.lock):
        return
    faults = lock_faults(policy, candidates, Path(policy.lock))
    if faults:
        lines = "".join(f"\n  {fault}" for fault in faults)
        message = f"the plugins are not those of {policy.lock} ({policy.path}.lock):{lines}"
        hint = "\n  after a change that was meant: `mlo plugins lock`"
        raise PluginError(message + hint, kind="plugins", plugin_id="*")


def _print(name: str, rows: Sequence[Candidate]) -> LockedDistribution:
    tops = {module_of(row.value).partition(".")[0] for row in rows} | top_level_names(name)
    files = {file: _digest(text.encode()) for file, text in metadata_texts(name).items()}
    for top in sorted(tops):
        files |= {file: _digest(path.read_bytes()) for file, path in _modules(top)}
    plugins = tuple(sorted(f"{row.kind}:{row.id}" for row in rows))
    return LockedDistribution(version=rows[0].version or "", plugins=plugins, files=files)


def _modules(top: str) -> Iterator[tuple[str, Path]]:
    """The files of a top-level module or package, by their names below the folder it stands in."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):  # a module without a spec, such as one that a test has put there
        return
    if spec is None:
        return
    for location in spec.submodule_search_locations or ():
        yield from _below(Path(location), top)
    if spec.submodule_search_locations is None and spec.origin and Path(spec.origin).is_file():
        path = Path(spec.origin)
        yield path.name, path


def _below(folder: Path, top: str) -> Iterator[tuple[str, Path]]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]  # made by Python itself, anew on each machine
        for name in files:
            path = Path(place) / name
            readable = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
            yield f"{top}/{readable}", path


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
