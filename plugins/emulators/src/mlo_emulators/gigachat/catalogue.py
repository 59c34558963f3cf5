"""The models that the emulator has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

__all__ = ["Model", "find", "listed"]

_VERSION = {"GigaChat-2": "2.0.28.2", "GigaChat-3": "32.3.18.5"}


@frozen(kw_only=True)
class Model:
    """A model; ``dimensions`` is the length of an embedder's vectors."""

    id: str
    type: str = "chat"
    dimensions: int = 0

    @property
    def answers_as(self) -> str:
        """The name in answers: with a version behind a colon."""
        family = "GigaChat-3" if self.id.startswith("GigaChat-3") else "GigaChat-2"
        return f"{self.id}:{_VERSION[family]}"

    def wire(self) -> Mapping[str, Any]:
        """The object of ``GET /models``."""
        return {"id": self.id, "object": "model", "owned_by": "salutedevices", "type": self.type}


_CURRENT = [
    Model(id="GigaChat-2"),
    Model(id="GigaChat-2-Max"),
    Model(id="GigaChat-2-Pro"),
    Model(id="GigaChat-3-Lightning"),
    Model(id="GigaChat-3-Pro"),
    Model(id="GigaChat-3-Ultra"),
    Model(id="Embeddings", type="embedder", dimensions=1024),
    Model(id="Embeddings-2", type="embedder", dimensions=1024),
    Model(id="EmbeddingsGigaR", type="embedder", dimensions=2560),
    Model(id="GigaEmbeddings-3B-2025-09", type="embedder", dimensions=2048),
]
_FIRST_GENERATION = [Model(id=name) for name in ("GigaChat", "GigaChat-Plus", "GigaChat-Pro", "GigaChat-Max")]


def listed(host: str) -> Sequence[Model]:
    """What ``GET /models`` of a host lists."""
    return [*_CURRENT, *_FIRST_GENERATION] if host == "legacy" else _CURRENT


def find(name: str, host: str) -> Model | None:
    """The model called ``name``; the suffix ``-preview`` asks for its preview and is always there."""
    wanted = name.removesuffix("-preview")
    return next((model for model in listed(host) if model.id == wanted), None)
