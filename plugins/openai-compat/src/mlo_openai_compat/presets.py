"""From preset and corrections to a dialect. Pure, but for reading package data."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from attrs import asdict, evolve

from mlo_sdk.openai_compat import Dialect

from .config import OpenAICompatConfig

__all__ = ["base_url_of", "dialect_of", "presets"]


@cache
def presets() -> dict[str, dict[str, Any]]:
    """The presets of ``presets.toml``, by name."""
    return tomllib.loads((files(__package__) / "presets.toml").read_text(encoding="utf-8"))


def base_url_of(config: OpenAICompatConfig) -> str | None:
    """The configured base URL, or the preset's."""
    return config.base_url or (presets()[config.preset].get("base_url") if config.preset else None)


def dialect_of(config: OpenAICompatConfig) -> Dialect:
    """The common dialect, changed by the preset, then by the instance's own options."""
    preset = presets()[config.preset] if config.preset else {}
    options = {name: value for name, value in asdict(config.dialect).items() if value is not None}
    plain = Dialect()
    sampling = {**plain.sampling, **preset.get("sampling", {}), **options.get("sampling", {})}
    changes = {**preset, **options, "sampling": {ours: theirs for ours, theirs in sampling.items() if theirs}}
    changes.pop("base_url", None)
    if "tool_choices" in changes:
        changes["tool_choices"] = frozenset(changes["tool_choices"])
    return evolve(plain, **changes, extra=config.extra, headers=config.headers)
