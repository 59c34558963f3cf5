"""What is installed: entry points as rows of metadata. Nothing here imports a plugin before it is asked to.

This is the only module that knows importlib_metadata, and it knows nothing else: ``mlo --help`` needs no more. Kind
and plugin API stand in the name of an entry point's group (``mlo.v1.providers``), so that a list of plugins needs
neither their code nor their METADATA.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

import importlib_metadata

if TYPE_CHECKING:
    from importlib_metadata import IDistribution as Dist

__all__ = [
    "KINDS",
    "AnyKind",
    "EntryRow",
    "Kind",
    "conformance_suites",
    "installed_version",
    "load_object",
    "metadata_texts",
    "normalized",
    "oddities",
    "project_url",
    "scan",
    "top_level_names",
]

Kind: TypeAlias = Literal["providers", "strategies", "auth", "observers"]
AnyKind: TypeAlias = Literal["providers", "strategies", "auth", "observers", "commands"]

KINDS: tuple[AnyKind, ...] = get_args(AnyKind)
_NO_METADATA = (FileNotFoundError, KeyError)
"""What releases of the backport raise for a dist-info without METADATA, or with an empty one."""
_GROUP = re.compile(rf"mlo\.v(\d+)\.({'|'.join(KINDS)})")


class EntryRow(NamedTuple):
    """One entry point of ours, as the metadata has it. ``hidden_by`` says what hides its distribution, if anything."""

    kind: AnyKind
    id: str
    value: str
    dist: str | None
    version: str | None
    api: int
    hidden_by: str


def normalized(name: str) -> str:
    """A distribution's name in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def scan() -> list[EntryRow]:
    """All entry points of ours on ``sys.path``, ordered by kind and id. A folder may stand on the path twice."""
    rows = (row for dist in importlib_metadata.distributions() for row in _rows(dist))
    return sorted(dict.fromkeys(rows), key=_order)


def load_object(value: str) -> object:
    """Import what an entry point's value names. Raises whatever the import raises."""
    entry_point = importlib_metadata.EntryPoint(name="", value=value, group="")
    loaded: object = entry_point.load()
    return loaded


def installed_version(name: str) -> str | None:
    """The version of a distribution; ``None`` if it is not installed or does not say."""
    try:
        return importlib_metadata.version(name)
    except importlib_metadata.PackageNotFoundError:
        return None
    except _NO_METADATA:
        return None


def conformance_suites(name: str) -> list[str]:
    """Modules with contract tests for a distribution: entry points of its name in the group ``mlo_conformance``."""
    found = importlib_metadata.entry_points(group="mlo_conformance")
    return sorted({each.value for each in found if normalized(each.name) == normalized(name)})


def metadata_texts(name: str) -> dict[str, str]:
    """The files of a distribution's metadata that say what it is and what it offers."""
    dist = importlib_metadata.distribution(name)
    texts = {file: dist.read_text(file) for file in ("METADATA", "entry_points.txt")}
    return {file: text for file, text in texts.items() if text}


def project_url(name: str, label: str) -> str | None:
    """The address that a distribution's metadata gives under that label."""
    try:
        urls = importlib_metadata.distribution(name).metadata.get_all("Project-URL") or ()
    except (importlib_metadata.PackageNotFoundError, *_NO_METADATA):
        return None
    pairs = (str(url).partition(",") for url in urls)
    return next((address.strip() for found, _, address in pairs if found.strip().lower() == label.lower()), None)


def top_level_names(name: str) -> frozenset[str]:
    """Top-level modules and packages that the installer has written down; none for an editable installation."""
    files = importlib_metadata.distribution(name).files or ()
    paths = (PurePosixPath(str(file)) for file in files)
    parts = (path.parts for path in paths if path.suffix == ".py" and ".." not in path.parts)
    return frozenset(first.removesuffix(".py") for first, *_ in parts if not first.startswith("_editable"))


def oddities() -> list[tuple[str, str]]:
    """What is odd about installed metadata: where, and what. For ``mlo plugins doctor``; reads everything anew."""
    odd: list[tuple[str, str]] = []
    for dist in importlib_metadata.distributions():
        text = _entry_points_of(dist)
        name, version = _identity(dist)
        where = f"{name} {version} in {_folder(dist)}"
        if not _has_metadata(dist):
            odd.append((where, "no METADATA, as after an interrupted uninstall: reinstall it or delete its dist-info"))
        if "mlo.v" in text:
            odd += [(where, message) for message in _unknown_groups(dist)]
    return list(dict.fromkeys(odd))


def _unknown_groups(dist: Dist) -> Iterator[str]:
    for group in sorted({entry_point.group for entry_point in dist.entry_points}):
        if group.startswith("mlo.") and not _GROUP.fullmatch(group):
            yield f"the entry point group {group} is none of ours: mlo.v1.KIND, KIND one of {', '.join(KINDS)}"


def _has_metadata(dist: Dist) -> bool:
    try:
        return bool(dist.read_text("METADATA") or dist.read_text("PKG-INFO") or dist.read_text(""))
    except UnicodeDecodeError:
        return True


def _entry_points_of(dist: Dist) -> str:
    try:
        return dist.read_text("entry_points.txt") or ""
    except UnicodeDecodeError:
        return ""


def _rows(dist: Dist) -> Iterator[EntryRow]:
    if "mlo.v" not in _entry_points_of(dist):  # nearly all distributions: spare them the parser
        return
    name, version = _identity(dist)
    hidden_by = _hidden_by(dist, name, version)
    for entry_point in dist.entry_points:
        match = _GROUP.fullmatch(entry_point.group)
        if match is None:
            continue
        yield EntryRow(
            kind=_kind(match[2]),
            id=entry_point.name,
            value=entry_point.value,
            dist=name,
            version=version,
            api=int(match[1]),
            hidden_by=hidden_by,
        )


def _kind(text: str) -> AnyKind:
    return next(kind for kind in KINDS if kind == text)


def _identity(dist: Dist) -> tuple[str | None, str | None]:
    """Name and version; of an interrupted uninstall (no METADATA) what the folder's name tells."""
    with contextlib.suppress(*_NO_METADATA):
        metadata = dist.metadata  # parsed anew at each access
        return metadata["Name"], metadata["Version"]
    # the attribute is private, but nothing public tells the name of the folder
    folder = Path(str(getattr(dist, "_path", ""))).name
    stem, _, rest = folder.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
    return (normalized(stem) if stem else None), (rest or None)


def _hidden_by(dist: Dist, name: str | None, version: str | None) -> str:
    """Why Python would not import from this copy of the distribution; empty if it would."""
    if name is None:
        return ""
    try:
        first = importlib_metadata.distribution(name)
    except importlib_metadata.PackageNotFoundError:
        return ""
    here, there = _folder(dist), _folder(first)
    _, first_version = _identity(first)
    if here != there:
        return f"{name} {first_version} in {there} comes earlier on sys.path than the copy in {here}"
    if version != first_version:
        return f"{name} {first_version} is installed in the same folder {there}: reinstall {name}"
    return ""


def _folder(dist: Dist) -> str:
    return str(Path(str(dist.locate_file(""))).resolve())


def _order(row: EntryRow) -> tuple[int, str, str, str, str]:
    return KINDS.index(row.kind), row.id, row.dist or "", row.version or "", row.value
