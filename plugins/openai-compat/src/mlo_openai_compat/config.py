"""Options of the provider ``openai-compat``."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from mlo_sdk.settings import HttpSettings
from mlo_sdk.tls import TlsConfig

__all__ = ["DialectOptions", "OpenAICompatConfig"]


@frozen(kw_only=True)
class DialectOptions:
    """Corrections to what the preset says of the server; ``None`` leaves it as it is.

    ``sampling`` maps our names to the server's (``{repetition_penalty = "repeat_penalty"}``) and adds to the preset's;
    an empty name takes one away. The rest is explained at ``mlo_sdk.openai_compat.Dialect``.
    """

    sampling: dict[str, str] | None = None
    json_schema: Literal["openai", "llama-cpp", "tgi", "none"] | None = None
    json_object: bool | None = None
    tool_choices: list[Literal["auto", "none", "required", "named"]] | None = None
    images: bool | None = None
    files: bool | None = None
    stream_usage: bool | None = None
    needs_done: bool | None = None
    unique_call_ids: bool | None = None
    reasoning_history: str | None = None
    texts_per_request: int | None = None
    chat_path: str | None = None
    embeddings_path: str | None = None
    models_path: str | None = None


@frozen(kw_only=True)
class OpenAICompatConfig:
    """One server.

    ``base_url`` ends before ``/chat/completions`` (usually with ``/v1``); a preset has one of its own. ``model`` and
    ``embedding_model`` are used where a request or a target names none. ``headers`` go with every request, ``extra``
    are fields of every chat request, as they are.
    """

    preset: (
        Literal["openai", "vllm", "llama-cpp", "lm-studio", "text-generation-inference", "deepseek", "openrouter"]
        | None
    ) = None
    base_url: str | None = None
    model: str | None = None
    embedding_model: str | None = None
    headers: dict[str, str] = field(factory=dict, repr=lambda headers: repr(sorted(headers)))  # may hold keys
    extra: dict[str, Any] = field(factory=dict)
    dialect: DialectOptions = DialectOptions()
    http: HttpSettings = HttpSettings()
    tls: TlsConfig = TlsConfig()
