"""What differs between servers that speak the OpenAI chat protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from mlo_sdk.errors import ErrorTable

__all__ = ["Dialect"]

_SAMPLING = {
    name: name
    for name in ("temperature", "top_p", "max_tokens", "stop", "seed", "frequency_penalty", "presence_penalty")
}
_REASONING = {level: {"reasoning_effort": level} for level in ("low", "medium", "high")}


@frozen(kw_only=True)
class Dialect:
    """One server's ways. The defaults are those that most servers share.

    ``sampling`` maps fields of ``mlo.Sampling`` to names on the wire; a field without one is ``Unsupported``.
    ``reasoning`` maps levels of effort to the fields that ask for them; a level without any is ``Unsupported``, except
    ``off``, which then sends nothing. ``json_schema`` is how a schema is sent: as OpenAI does, beside ``json_object``
    under the name that llama.cpp (``schema``) or text-generation-inference (``value``) wants, or not at all.
    ``tool_choices`` are the modes of ``ToolChoice`` that are understood.

    ``stream_usage`` asks for token counts in streams (``stream_options``). ``needs_done`` is for servers on which a
    stream is cut unless it ends with ``[DONE]``; elsewhere a ``finish_reason`` is enough. ``unique_call_ids`` replaces
    ids of tool calls that the server does not keep apart. ``texts_per_request`` is how many texts one embedding request
    may carry. ``reasoning_history`` is the field in which earlier thinking goes back, if the server wants it.

    ``extra`` are fields of every chat request, ``headers`` headers of every request.
    """

    chat_path: str = "/chat/completions"
    embeddings_path: str = "/embeddings"
    models_path: str = "/models"
    sampling: Mapping[str, str] = field(factory=lambda: dict(_SAMPLING))
    reasoning: Mapping[str, Mapping[str, Any]] = field(factory=lambda: dict(_REASONING))
    json_schema: Literal["openai", "llama-cpp", "tgi", "none"] = "openai"
    json_object: bool = True
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "named"})
    images: bool = True
    files: bool = False
    stream_usage: bool = True
    needs_done: bool = False
    unique_call_ids: bool = False
    reasoning_history: str | None = None
    texts_per_request: int = 2048
    extra: Mapping[str, Any] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    errors: ErrorTable = ErrorTable()
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")
