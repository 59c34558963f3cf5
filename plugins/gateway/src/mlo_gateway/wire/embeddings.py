"""Requests for embeddings, and their answers."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping

import orjson

from mlo.requests import EmbeddingRequest
from mlo.responses import Embeddings
from mlo_gateway.config import UnknownParameters

from .extras import Fields
from .fields import Json, choice, integer, invalid, missing, strings, unsupported

__all__ = ["EMBEDDING_FIELDS", "embedding_answer", "embedding_request", "wants_base64"]

EMBEDDING_FIELDS = Fields(
    mapped=frozenset({"model", "input", "dimensions", "encoding_format", "user", "metadata", "input_type"}),
    special={},
)
_KINDS = frozenset({"document", "query"})
_MOST_TEXTS = 2048
_MOST_DIMENSIONS = 16_384


def embedding_request(body: Json, policy: UnknownParameters, metadata: Mapping[str, str]) -> EmbeddingRequest:
    """The request that a body asks for.

    Raises:
        GatewayError: 400, naming the field that is wrong.
    """
    given = body.get("input")
    if isinstance(given, list) and given and not isinstance(given[0], str):
        raise unsupported("input", "Give texts: numbers of tokens mean something to OpenAI's own models only.")
    texts = strings(body, "input")
    if not texts:
        raise missing("input") if given is None else invalid("input", "expected at least one text.")
    if len(texts) > _MOST_TEXTS:
        raise invalid("input", f"expected at most {_MOST_TEXTS} texts.")
    if not all(texts):
        raise invalid("input", "a text is empty.")
    kind = choice(body, "input_type", _KINDS)
    return EmbeddingRequest(
        texts=texts,
        dimensions=integer(body, "dimensions", least=1, most=_MOST_DIMENSIONS),
        kind="query" if kind == "query" else "document",
        extra=EMBEDDING_FIELDS.sent_on(body, policy),
        metadata=metadata,
    )


def wants_base64(body: Json) -> bool:
    """Whether vectors are to be sent as base64 of 32-bit floats, as OpenAI's client asks for by default."""
    return choice(body, "encoding_format", ("float", "base64")) == "base64"


def embedding_answer(embeddings: Embeddings, *, model: str, packed: bool) -> bytes:
    """The vectors. ``model`` is the name to give where the provider gave none."""
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(embeddings.vectors)
    ]
    answer: Json = {"object": "list", "data": data, "model": embeddings.model or model}
    prompt = embeddings.usage.prompt_tokens
    if prompt is not None:
        total = embeddings.usage.total_tokens
        answer["usage"] = {"prompt_tokens": prompt, "total_tokens": prompt if total is None else total}
    return orjson.dumps(answer)


def _packed(vector: tuple[float, ...]) -> str:
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")
