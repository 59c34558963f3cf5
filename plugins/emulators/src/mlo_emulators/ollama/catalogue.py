"""The models of an emulated Ollama server. Their names and figures are made up; the shapes are the protocol's."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from attrs import field, frozen

__all__ = ["INSTALLED", "LIBRARY", "Model", "full_name", "with_tag"]

_MODIFIED = "2026-08-01T12:00:00.123456789Z"


def with_tag(name: str) -> str:
    """The name as the server lists it: with the tag ``latest`` where none is given."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def full_name(name: str) -> str:
    """The name as some errors of the server call it: with host and namespace."""
    name = with_tag(name)
    missing = ("registry.ollama.ai", "library")[: max(0, 2 - name.count("/"))]
    return "/".join((*missing, name))


@frozen(kw_only=True)
class Model:
    """A model file. ``capabilities`` are in the server's words; ``embedding_length`` is the size of its vectors."""

    name: str = field(converter=with_tag)
    family: str = "emulated"
    parameter_size: str = "1.2B"
    quantization: str = "Q4_K_M"
    size: int = 700_000_000
    context_length: int = 8192
    embedding_length: int = 64
    capabilities: tuple[str, ...] = ("completion", "tools")

    @property
    def digest(self) -> str:
        """A made-up digest, the same for the same name."""
        return sha256(self.name.encode()).hexdigest()

    def can(self, capability: str) -> bool:
        """Whether the model has that capability."""
        return capability in self.capabilities

    def details(self) -> dict[str, Any]:
        """The ``details`` object that several answers hold."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }

    def listed(self, *, plain: bool = False) -> dict[str, Any]:
        """The model in ``/api/tags``; ``plain`` as older servers list it."""
        length = {"context_length": self.context_length, "embedding_length": self.embedding_length}
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": _MODIFIED,
            "size": self.size,
            "digest": self.digest,
            "details": {**self.details(), **({} if plain else length)},
            **({} if plain else {"capabilities": list(self.capabilities)}),
        }

    def shown(self) -> dict[str, Any]:
        """The model in ``/api/show``."""
        return {
            "license": "made up for an emulator",
            "modelfile": f"FROM {self.name}\n",
            "parameters": "temperature 0.8",
            "template": "{{ .Prompt }}",
            "details": self.details(),
            "model_info": {
                "general.architecture": self.family,
                "general.parameter_count": 1_200_000_000,
                f"{self.family}.context_length": self.context_length,
                f"{self.family}.embedding_length": self.embedding_length,
            },
            "capabilities": list(self.capabilities),
            "modified_at": _MODIFIED,
        }


INSTALLED: tuple[Model, ...] = (
    Model(name="tiny"),
    Model(name="tiny-plain", capabilities=("completion",)),
    Model(name="tiny-vision", capabilities=("completion", "vision"), context_length=16384),
    Model(name="tiny-thinker:8b", capabilities=("completion", "tools", "thinking"), context_length=32768),
    Model(name="tiny-embed", capabilities=("embedding",), context_length=512, size=60_000_000),
)
"""What is there at the start."""

LIBRARY: tuple[Model, ...] = (Model(name="small", size=2_000_000_000), Model(name="small:3b", size=3_000_000_000))
"""What can be pulled."""
