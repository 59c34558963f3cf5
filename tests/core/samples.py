"""Plugins for tests of discovery and loading: sources, candidates and installed distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlo._candidates import Candidate
from mlo._discovery import AnyKind
from mlo.testing import fake_dist

HEAD = """
from attrs import frozen
from mlo import hookimpl
from mlo.api import AuthSpec, Finding, ObserverSpec, ProviderSpec, StrategySpec

@frozen
class Config:
    answer: str = "yes"

def opened(config, environment):
    raise NotImplementedError
"""

PROVIDER = (
    HEAD
    + """
@hookimpl
def mlo_providers():
    return [ProviderSpec(name=name, config=Config, open=opened) for name in {names!r}]
"""
)


def provider(*names: str) -> str:
    """The source of a plugin that offers these providers."""
    return PROVIDER.replace("{names!r}", repr(list(names)))


def provider_dist(
    folder: Path,
    name: str = "mlo-example",
    ids: Sequence[str] = ("example",),
    *,
    source: str | None = None,
    version: str = "1.0",
    group: str = "providers",
) -> Path:
    """A distribution with one plugin module, called like the distribution."""
    module = name.replace("-", "_")
    entry_points: Mapping[str, Mapping[str, str]] = {group: dict.fromkeys(ids, f"{module}.plugin")}
    text = provider(*ids) if source is None else source
    return fake_dist(folder / name, name, version, entry_points=entry_points, modules={f"{module}.plugin": text})


def candidate(
    plugin_id: str = "example",
    *,
    kind: AnyKind = "providers",
    dist: str | None = "mlo-example",
    version: str | None = "1.0",
    api: int = 1,
) -> Candidate:
    """A row as discovery gives it."""
    return Candidate(kind=kind, id=plugin_id, value=f"{dist}.plugin", dist=dist, version=version, api=api)
