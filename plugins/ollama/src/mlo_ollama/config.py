"""Configuration of an Ollama provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from mlo_sdk.settings import HttpSettings, Timeouts
from mlo_sdk.tls import TlsConfig

__all__ = ["CloudConfig", "ModelSettings", "OllamaConfig", "OllamaHttp", "OllamaTimeouts"]

HOSTED_URL = "https://ollama.com"
LOCAL_URL = "http://127.0.0.1:11434"


@frozen(kw_only=True)
class OllamaTimeouts(Timeouts):
    """The SDK's timeouts with patience for a cold start.

    A server that loads a model sends nothing until the first token, so ``first_byte`` is minutes; an unstreamed answer
    comes as a whole and has to fit into it too. The server gives up loading after five minutes of its own.
    """

    connect: float | None = 5.0
    first_byte: float | None = 600.0
    idle: float | None = 120.0


@frozen(kw_only=True)
class OllamaHttp(HttpSettings):
    """The SDK's options of the connection pool, with Ollama's timeouts."""

    timeouts: OllamaTimeouts = OllamaTimeouts()


@frozen(kw_only=True)
class ModelSettings:
    """What is different for one model. ``None`` takes the instance's value."""

    num_ctx: int | None = None
    keep_alive: str | float | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    options: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class OllamaConfig:
    """An Ollama server and how it is used.

    ``model`` and ``embedding_model`` are used where a target names none. ``num_ctx`` is the context window in tokens;
    it goes with every request, because a server left alone takes 4096 on most machines and a changing value reloads the
    model each time. ``models`` holds what differs by model. ``options`` are the server's own (``top_k``, ``num_gpu`` …)
    for every request; ``strict_options = false`` lets names through that this plugin does not know.

    ``overflow`` says what to do about a prompt that does not fit: ``refuse`` tells the server not to cut it and raises
    ``ContextTooLong``; ``warn`` lets it be cut and warns; ``ignore`` only marks the answer.
    ``tool_choice`` says what to do about a forced tool, which the API lacks: ``emulate`` constrains the answer to the
    tool's schema, ``refuse`` raises ``Unsupported``.
    ``think`` is used where a request says nothing about reasoning; ``None`` leaves it to the model (thinking models
    think). ``keep_alive`` is how long the model stays loaded: seconds, ``"10m"``, ``-1`` for ever, ``0``: not.
    ``parallel`` is the server's ``OLLAMA_NUM_PARALLEL``: with it the kernel holds further calls back, and the reported
    load is right; ``None`` sends everything and lets the server queue.
    """

    base_url: str = LOCAL_URL
    model: str | None = None
    embedding_model: str | None = None
    num_ctx: int | None = 8192
    keep_alive: str | float | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    options: Mapping[str, Any] = field(factory=dict)
    strict_options: bool = True
    models: Mapping[str, ModelSettings] = field(factory=dict)
    overflow: Literal["refuse", "warn", "ignore"] = "refuse"
    tool_choice: Literal["emulate", "refuse"] = "emulate"
    parallel: int | None = None
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    http: OllamaHttp = OllamaHttp()
    tls: TlsConfig = TlsConfig()

    def of(self, model: str) -> ModelSettings:
        """The settings of one model; its tag may be left out where it is ``latest``."""
        return self.models.get(model) or self.models.get(model.removesuffix(":latest")) or _PLAIN


_PLAIN = ModelSettings()


@frozen(kw_only=True)
class CloudConfig(OllamaConfig):
    """The hosted service, or cloud models through a local server that is signed in. Prompts leave the machine.

    The window is the service's business, so ``num_ctx`` is not sent unless it is set.
    """

    base_url: str = HOSTED_URL
    num_ctx: int | None = None
