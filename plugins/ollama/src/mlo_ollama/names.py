"""Names of models."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["is_cloud", "similar", "with_tag"]


def with_tag(name: str) -> str:
    """The name as the server lists it: with the tag ``latest`` where none is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def is_cloud(name: str) -> bool:
    """Whether a local server would pass the prompt on to the hosted service."""
    tag = with_tag(name).rpartition(":")[2]
    return tag == "cloud" or tag.endswith("-cloud")


def similar(name: str, known: Iterable[str]) -> list[str]:
    """Up to three of ``known`` that ``name`` may have meant: the same model with another tag first."""
    by_base: dict[str, list[str]] = {}
    for each in known:
        by_base.setdefault(with_tag(each).rpartition(":")[0], []).append(each)
    near = difflib.get_close_matches(with_tag(name).rpartition(":")[0], by_base, n=3, cutoff=0.6)
    return [each for base in near for each in by_base[base]][:3]
