"""Models and load, from the server's lists. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlo.models import Capability, ModelInfo, Price, Residency

__all__ = [
    "FREE",
    "HOSTED",
    "LOCAL",
    "abilities_of",
    "described_load",
    "model_info",
    "name_of",
    "needs_details",
    "table_in",
]

FREE = Price(prompt=0, completion=0, cached=0, source="no price per token: the model runs on a machine of one's own")
"""A local model has no price per token; what the machine costs is not counted here."""
LOCAL = Residency(on_prem=True, stores_prompts=False)
HOSTED = Residency(on_prem=False)

_ABILITIES: Mapping[str, tuple[Capability, ...]] = {
    "completion": (Capability.CHAT, Capability.STREAM, Capability.JSON_OBJECT, Capability.JSON_SCHEMA),
    "tools": (Capability.TOOLS,),
    "vision": (Capability.VISION,),
    "thinking": (Capability.REASONING,),
    "embedding": (Capability.EMBEDDINGS,),
}


def name_of(listed: Mapping[str, Any]) -> str:
    """The name of an entry of ``/api/tags`` or ``/api/ps``, tag included."""
    return str(listed.get("model") or listed.get("name"))


def abilities_of(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model can do in the server's words, from an entry of ``/api/tags`` or from ``/api/show``."""
    found = facts.get("capabilities")
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def table_in(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object called ``name``; empty where there is none."""
    found = facts.get(name)
    return found if isinstance(found, dict) else {}


def needs_details(listed: Mapping[str, Any]) -> bool:
    """Whether the list says too little about a model, as that of older servers does."""
    return "capabilities" not in listed or "context_length" not in table_in(listed, "details")


def model_info(
    listed: Mapping[str, Any], shown: Mapping[str, Any] | None, *, provider: str, hosted: bool, loaded: frozenset[str]
) -> ModelInfo:
    """One model, from its entry in ``/api/tags`` and, if asked for, ``/api/show``."""
    name = name_of(listed)
    details = {**table_in(listed, "details"), **table_in(shown or {}, "details")}
    abilities = abilities_of(listed) or abilities_of(shown or {})
    remote = hosted or bool(listed.get("remote_host"))
    facts = {
        "family": details.get("family"),
        "parameters": details.get("parameter_size"),
        "quantization": details.get("quantization_level"),
        "loaded": "yes" if name in loaded else None,
    }
    return ModelInfo(
        id=name,
        provider=provider,
        capabilities={each for ability in abilities for each in _ABILITIES.get(ability, ())},
        context_tokens=details.get("context_length") or _context_of(shown or {}),
        residency=HOSTED if remote else LOCAL,
        price=None if remote else FREE,
        labels={key: str(value) for key, value in facts.items() if value},
    )


def _context_of(shown: Mapping[str, Any]) -> int | None:
    facts = table_in(shown, "model_info")
    found = facts.get(f"{facts.get('general.architecture')}.context_length")
    return found if isinstance(found, int) else None


def described_load(version: str, running: Sequence[Mapping[str, Any]], in_flight: int, slots: int) -> str:
    """One line for people: the version, what is loaded, what is under way."""
    loaded = ", ".join(f"{name_of(each)} (window {each.get('context_length', '?')})" for each in running)
    waiting = max(0, in_flight - slots)
    busy = f"; {in_flight - waiting} under way, {waiting} waiting" if in_flight else ""
    return f"Ollama {version}; loaded: {loaded or 'nothing'}{busy}"
