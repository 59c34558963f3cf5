"""What is known of the models: prices, context, abilities; dated and with a source in ``data/prices.json``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen

from mlo.errors import ModelNotFound
from mlo.models import Price

from .config import YandexConfig
from .uris import ModelUri, model_uri

__all__ = ["Known", "embedding_price", "generations_at_once", "known", "price_for", "price_of"]

# roubles per thousand tokens -> nano-roubles per million tokens
_SCALE = Decimal(10) ** 12


@frozen(kw_only=True)
class Known:
    """A model. ``None`` is unknown. ``own`` models speak the native API, others the OpenAI-compatible one only."""

    name: str
    own: bool
    context: int | None = None
    reasoning: bool | None = None
    vision: bool = False
    price: Price | None = None
    async_price: Price | None = None


@functools.cache
def _data() -> Mapping[str, Any]:
    from importlib.resources import files  # noqa: PLC0415 - listing plugins does not need it

    text = files(__package__).joinpath("data/prices.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@functools.cache
def _models() -> Mapping[str, Known]:
    return {row["name"]: _known(row) for row in _data()["models"]}


def _known(row: Mapping[str, Any]) -> Known:
    asynchronous = None
    if "async_input" in row:
        asynchronous = _price(row["async_input"], row["async_output"], row)
    return Known(
        name=row["name"],
        own=row["own"],
        context=row["context"],
        reasoning=row["reasoning"],
        vision=row.get("vision", False),
        price=_price(row["input"], row["output"], row, cached=_nano(row["cached"]), tool=_optional(row.get("tool"))),
        async_price=asynchronous,
    )


def _price(
    prompt: str, completion: str, row: Mapping[str, Any], *, cached: int | None = None, tool: int | None = None
) -> Price:
    data = _data()
    return Price(
        prompt=_nano(prompt),
        completion=_nano(completion),
        cached=cached,
        tool=tool,
        currency=data["currency"],
        source=data["source"],
        checked_on=row.get("checked_on", data["checked_on"]),
    )


def _nano(roubles: str) -> int:
    return int(Decimal(roubles) * _SCALE)


def _optional(roubles: str | None) -> int | None:
    return None if roubles is None else _nano(roubles)


def known(uri: ModelUri) -> Known | None:
    """What is known of a model: of its branch if that has an entry of its own, else of the model.

    The branch ``deprecated`` is the model of before, of which nothing is known.
    """
    models = _models()
    found = models.get(f"{uri.name}/{uri.branch}")
    return found if found or uri.branch == "deprecated" else models.get(uri.name)


def price_of(uri: ModelUri, *, asynchronous: bool = False) -> Price | None:
    """The price of a generation, ``None`` if unknown. Usage does not tell tool tokens apart."""
    if uri.scheme == "emb":
        return embedding_price()
    found = known(uri)
    if found is None:
        return None
    return found.async_price if asynchronous else found.price


def price_for(config: YandexConfig, model: str | None) -> Price | None:
    """The price of ``model``, or of the configured one, in the configured mode; ``None`` if unknown."""
    try:
        uri = model_uri(model or config.model, config.folder_id)
    except ModelNotFound:
        return None
    return price_of(uri, asynchronous=config.mode == "async")


def generations_at_once(config: YandexConfig) -> int | None:
    """The vendor's gauge of generations under way; submitting asynchronous ones is a rate, and has no such limit."""
    return 10 if config.mode == "sync" else None


def embedding_price() -> Price:
    """The price of embeddings."""
    row = _data()["embeddings"]
    return _price(row["input"], "0", row)
