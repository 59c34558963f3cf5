"""What an account has: models, token counts, a balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from mlo.errors import ProtocolViolated
from mlo.models import ModelInfo
from mlo_sdk.http import HttpClient

from .facts import model_info
from .wire import Wire, as_int, as_objects, as_text

__all__ = ["balance", "count_tokens", "model", "models"]


async def models(client: HttpClient, headers: Mapping[str, str], provider: str) -> Sequence[ModelInfo]:
    """The models that the account may use."""
    reply = await client.request("GET", "/models", headers=headers)
    found = as_objects(reply.mapping().get("data"))
    return [_model(item, provider) for item in found if as_text(item.get("id"))]


async def model(client: HttpClient, headers: Mapping[str, str], provider: str, model_id: str) -> ModelInfo:
    """One model.

    Raises:
        ModelNotFound: when there is none of that name.
    """
    reply = await client.request("GET", f"/models/{quote(model_id, safe='')}", headers=headers)
    return _model(reply.mapping(), provider)


def _model(item: Wire, provider: str) -> ModelInfo:
    kind, owner = as_text(item.get("type")) or None, as_text(item.get("owned_by")) or None
    return model_info(as_text(item.get("id")), kind, owner, provider)


async def count_tokens(
    client: HttpClient, headers: Mapping[str, str], texts: Sequence[str], model_id: str
) -> Sequence[int]:
    """Tokens of each text.

    Raises:
        ProtocolViolated: when the answer has not one count per text.
    """
    body = {"model": model_id, "input": list(texts)}
    reply = await client.request("POST", "/tokens/count", json=body, headers=headers)
    known = [tokens for item in as_objects(reply.data) if (tokens := as_int(item.get("tokens"))) is not None]
    if len(known) != len(texts):
        raise ProtocolViolated(f"{len(known)} token counts for {len(texts)} texts", request_id=reply.request_id)
    return known


async def balance(client: HttpClient, headers: Mapping[str, str]) -> Mapping[str, float]:
    """What is left of prepaid packages, in tokens by model; models whose rest is not a number are left out.

    Raises:
        PermissionDenied: for accounts that pay as they go.
    """
    reply = await client.request("GET", "/balance", headers=headers)
    rows = as_objects(reply.mapping().get("balance"))
    known = [(as_text(row.get("usage")), row.get("value")) for row in rows]
    return {name: float(value) for name, value in known if isinstance(value, int | float)}
