"""What is known of the models offline: prices and abilities, from dated files in this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from mlo.models import Capability, ModelInfo, Price, Residency

__all__ = ["CHAT_ABILITIES", "RESIDENCY", "model_info", "price_of", "price_source"]

RESIDENCY = Residency(region="RU", on_prem=False)
_NANO = 10**9
CHAT_ABILITIES = frozenset(
    {
        Capability.CHAT,
        Capability.STREAM,
        Capability.TOOLS,
        Capability.JSON_OBJECT,
        Capability.JSON_SCHEMA,
        Capability.FILES,
        Capability.REASONING,
    }
)


@cache
def _data(name: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(files(__package__).joinpath("data", name).read_text())
    return loaded


@cache
def _prices() -> Mapping[str, Price]:
    table = _data("prices.json")
    return {name: _price(row, table) for name, row in table["models"].items()}


def _price(row: Mapping[str, str | None], table: Mapping[str, Any]) -> Price:
    nano = {kind: None if text is None else int(Decimal(text) * _NANO) for kind, text in row.items()}
    return Price(
        prompt=nano["prompt"] or 0,
        completion=nano["completion"] or 0,
        cached=nano["cached"],
        currency=table["currency"],
        source=table["source"],
        checked_on=table["checked_on"],
    )


def base_name(model: str) -> str:
    """The id under which a model is listed: without the version of answers and without ``-preview``."""
    return model.partition(":")[0].removesuffix("-preview")


def price_of(model: str) -> Price | None:
    """What a model costs; ``None`` where nothing is published."""
    return _prices().get(base_name(model))


def price_source() -> tuple[str, str]:
    """Where the prices are from, and the day on which they were last compared."""
    table = _data("prices.json")
    return table["source"], table["checked_on"]


def model_info(model_id: str, kind: str | None, owned_by: str | None, provider: str = "gigachat") -> ModelInfo:
    """What is known of a model that the server lists; ``kind`` is the server's ``type``."""
    known = _data("models.json")["models"].get(base_name(model_id), {})
    return ModelInfo(
        id=model_id,
        provider=provider,
        capabilities=_abilities(kind, known),
        context_tokens=known.get("context"),
        residency=RESIDENCY,
        price=price_of(model_id),
        owned_by=owned_by,
        labels={"type": kind} if kind else {},
    )


def _abilities(kind: str | None, known: Mapping[str, Any]) -> frozenset[Capability]:
    if kind == "embedder":
        return frozenset({Capability.EMBEDDINGS})
    if kind not in {"chat", None}:
        return frozenset()
    return CHAT_ABILITIES | {Capability.VISION} if known.get("vision") else CHAT_ABILITIES
