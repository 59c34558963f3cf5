"""Top-level tables of ``mlo.toml`` that belong to commands, taken apart from the kernel's.

``[gateway]`` is the table of the command ``gateway``. Which commands there are is asked of the installed metadata, and
only where a file has a table that is not the kernel's; nothing is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs
from attrs import frozen

from ._explain import near
from ._faults import Fault, dotted
from ._shapes import kind_of
from ._tables import Document, ProfileTable
from .settings import SectionSettings

__all__ = ["Split", "sections_of", "split"]

_DOCUMENT = frozenset(attribute.name for attribute in attrs.fields(Document))
_PROFILE = frozenset(attribute.name for attribute in attrs.fields(ProfileTable))


@frozen(kw_only=True)
class Split:
    """The file as ``kernel`` tables and ``sections``: tables of commands by profile (``None``: outside of any)."""

    kernel: Mapping[str, Any]
    sections: Mapping[str | None, Mapping[str, Mapping[str, Any]]]
    faults: tuple[Fault, ...] = ()


def split(data: Mapping[str, Any]) -> Split:
    """Take the tables of installed commands out of the file; what is nobody's is a fault."""
    profiles = _profiles_in(data)
    strangers = data.keys() - _DOCUMENT
    if not strangers and not any(table.keys() - _PROFILE for table in profiles.values()):
        return Split(kernel=data, sections={})
    commands = _commands()
    kernel, own, faults = _taken(data, (), _DOCUMENT, commands)
    sections: dict[str | None, Mapping[str, Mapping[str, Any]]] = {None: own}
    kept = {}
    for name, table in profiles.items():
        kept[name], sections[name], more = _taken(table, ("profiles", name), _PROFILE, commands)
        faults += more
    if profiles:
        kernel["profiles"] = {**data["profiles"], **kept}
    return Split(kernel=kernel, sections=sections, faults=tuple(faults))


def sections_of(found: Split, profiles: Collection[str]) -> dict[str, SectionSettings]:
    """The sections under profiles, which are given from the eldest: a younger one's table replaces an elder one's."""
    layers: list[tuple[tuple[str, ...], str | None]] = [((), None), *((("profiles", name), name) for name in profiles)]
    return {
        name: SectionSettings(options=table, path=dotted((*prefix, name)))
        for prefix, layer in layers
        for name, table in found.sections.get(layer, {}).items()
    }


def _profiles_in(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    profiles = data.get("profiles")
    if not isinstance(profiles, Mapping):
        return {}
    return {name: table for name, table in profiles.items() if isinstance(table, Mapping)}


def _taken(
    table: Mapping[str, Any], prefix: tuple[str, ...], known: Collection[str], commands: Collection[str]
) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]], list[Fault]]:
    kernel: dict[str, Any] = {}
    own: dict[str, Mapping[str, Any]] = {}
    faults: list[Fault] = []
    for key, value in table.items():
        if key in known:
            kernel[key] = value
        elif key not in commands:
            faults.append(Fault((*prefix, key), "unknown key", _hint(key, known, commands)))
        elif isinstance(value, Mapping):
            own[key] = value
        else:
            faults.append(Fault((*prefix, key), f"expected a table, got {kind_of(value)}"))
    return kernel, own, faults


def _hint(key: str, known: Collection[str], commands: Collection[str]) -> str:
    """What may have been meant, commands included; all that there is would be too long with them."""
    close = near(key, {*known, *commands})
    return close if close.startswith("did you mean") else near(key, known)


def _commands() -> frozenset[str]:
    from ._discovery import scan  # noqa: PLC0415 - most files have no such table

    return frozenset(row.id for row in scan() if row.kind == "commands" and not row.hidden_by)
