"""Which models there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import attrs

from mlo import MloError, ModelInfo
from mlo.models import Money, Price

from . import exits
from .displays import print_json
from .report import amount, error_object
from .routers import Setup, open_router
from .run import complain
from .tables import print_table
from .texts import text

__all__ = ["list_models"]

UNKNOWN = "?"
_COLUMNS = ("provider", "model", "context", "abilities", "price")


def list_models(provider: str | None, setup: Setup, *, as_json: bool) -> int:
    """List the models of one provider instance or of all; exit code 1 if any could not tell.

    Raises:
        MloError: when the configuration is wrong or has no such instance.
    """
    found = anyio.run(partial(_fetch, provider, setup))
    failed = {name: error for name, error in found.items() if isinstance(error, MloError)}
    listed = {name: models for name, models in found.items() if not isinstance(models, MloError)}
    if as_json:
        print_json(_object(listed, failed))
    elif listed:
        rows = [_row(name, model) for name, models in listed.items() for model in models]
        print_table([text(f"models.{column}") for column in _COLUMNS], rows)
    for name, error in failed.items():
        complain(text("failed.provider", name=name, reason=exits.explain(error)))
    return exits.FAILED if failed else exits.OK


async def _fetch(provider: str | None, setup: Setup) -> Mapping[str, Sequence[ModelInfo] | MloError]:
    async with open_router(setup) as router:
        return await router.models(provider)


def _row(provider: str, model: ModelInfo) -> list[str]:
    abilities = " ".join(sorted(model.capabilities)) or UNKNOWN
    return [provider, model.id, str(model.context_tokens or UNKNOWN), abilities, _price(model.price)]


def _price(price: Price | None) -> str:
    if price is None:
        return UNKNOWN
    return f"{amount(Money(price.prompt))} / {amount(Money(price.completion))} {price.currency}"


def _object(listed: Mapping[str, Sequence[ModelInfo]], failed: Mapping[str, MloError]) -> dict[str, Any]:
    models = {name: [_model_object(model) for model in models] for name, models in listed.items()}
    return {**models, **{name: {"error": error_object(error)} for name, error in failed.items()}}


def _model_object(model: ModelInfo) -> dict[str, Any]:
    plain = attrs.asdict(model)
    return plain | {"capabilities": sorted(model.capabilities), "price": _price_object(model.price)}


def _price_object(price: Price | None) -> dict[str, str | None] | None:
    """Exact decimals per million tokens."""
    if price is None:
        return None
    return {
        "prompt": amount(Money(price.prompt)),
        "completion": amount(Money(price.completion)),
        "cached": None if price.cached is None else amount(Money(price.cached)),
        "currency": price.currency,
    }
