"""An emulated Ollama server: models, streams, tools, thinking, cold loads, queues and faults."""

from __future__ import annotations

from .app import create_app
from .catalogue import Model
from .options import Options

__all__ = ["Model", "Options", "create_app", "hints"]


def hints(url: str) -> list[str]:
    """What a person types next."""
    return [
        f"try: OLLAMA_HOST={url} mlo ollama list",
        "models: tiny, tiny-plain, tiny-vision, tiny-thinker:8b, tiny-embed; to be pulled: small",
    ]
