"""``GET /v1/models`` and ``GET /v1/models/NAME``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import orjson

from mlo.models import ModelInfo
from mlo_gateway.contracts import GatewayError
from mlo_gateway.wire.fields import Json

from .incoming import Incoming
from .names import allowed

__all__ = ["list_models", "show_model"]

_PREFIX = "/v1/models/"


async def list_models(incoming: Incoming) -> None:
    """All names of models that the key may use."""
    data = [_shown(name, owner) for name, owner in dict(await _names(incoming)).items()]
    await incoming.exchange.respond(200, orjson.dumps({"object": "list", "data": data}))


async def show_model(incoming: Incoming) -> None:
    """One model.

    Raises:
        GatewayError: 404.
    """
    name = unquote(incoming.exchange.path.removeprefix(_PREFIX))
    destination = incoming.names.destination(name, incoming.principal)
    known = dict(await _names(incoming))
    if destination.name not in known and "/" in name and _has_list(name.partition("/")[0], known):
        message = f"The model `{name[:100]}` does not exist or you do not have access to it."
        raise GatewayError(404, "model_not_found", "invalid_request_error", message, param="model")
    await incoming.exchange.respond(200, orjson.dumps(_shown(name, known.get(name, "mlo"))))


def _has_list(instance: str, known: dict[str, str]) -> bool:
    return any(name.startswith(f"{instance}/") for name in known)


async def _names(incoming: Incoming) -> Iterator[tuple[str, str]]:
    models = await incoming.models.of(incoming.router)
    return _owned(incoming, models)


def _owned(incoming: Incoming, models: tuple[tuple[str, ModelInfo], ...]) -> Iterator[tuple[str, str]]:
    providers = incoming.router.settings.providers
    for name in incoming.names.listed(incoming.principal):
        yield name, providers[name].use if name in providers else "mlo"
    for instance, model in models:
        name = f"{instance}/{model.id}"
        if allowed(incoming.principal, name):
            yield name, model.owned_by or providers[instance].use


def _shown(name: str, owner: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
