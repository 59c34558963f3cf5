"""Model lists: what the cloud says of a model, joined with what is known of it. Pure."""

from __future__ import annotations

from attrs import evolve

from mlo.errors import ModelNotFound
from mlo.models import Capability, ModelInfo, Residency

from .catalog import known, price_of
from .uris import model_uri

__all__ = ["described"]

_CHAT = frozenset(
    {Capability.CHAT, Capability.STREAM, Capability.TOOLS, Capability.JSON_OBJECT, Capability.JSON_SCHEMA}
)


def described(model: ModelInfo, *, stores_prompts: bool) -> ModelInfo:
    """``model`` with abilities, context, price and where its prompts go."""
    residency = Residency(region="RU", on_prem=False, stores_prompts=stores_prompts)
    try:
        uri = model_uri(model.id, "")
    except ModelNotFound:
        return evolve(model, residency=residency)
    if uri.scheme == "emb":
        return evolve(
            model,
            capabilities=frozenset({Capability.EMBEDDINGS}),
            context_tokens=2048,
            residency=residency,
            price=price_of(uri),
        )
    facts = known(uri)
    capabilities = _CHAT if uri.scheme == "gpt" else frozenset[Capability]()
    if facts is not None and facts.reasoning:
        capabilities |= {Capability.REASONING}
    if facts is not None and facts.vision:
        capabilities |= {Capability.VISION}
    return evolve(
        model,
        capabilities=capabilities,
        context_tokens=facts.context if facts and uri.scheme == "gpt" else None,
        residency=residency,
        price=price_of(uri) if uri.scheme == "gpt" else None,
    )
