"""What is not generation: tokenizer, embeddings, classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .answers import classify, embedding_of, prompt_text, tokens_of
from .exchange import Exchange
from .failures import bad_request
from .identity import admit
from .models import Model, find
from .native import check_text, checked
from .schema import EMBEDDING, FEW_SHOT, TEXT_REQUEST, read

__all__ = ["embed", "few_shot", "tokenize", "tokenize_completion", "tune_classify"]


async def tokenize(exchange: Exchange) -> None:
    """Tokens of a text."""
    admit(exchange)
    request = read(TEXT_REQUEST, await exchange.body())
    model = find(request.get("modelUri", ""), exchange.world.options.folder_id, "gpt")
    await exchange.json(_tokens(request.get("text", ""), model))


async def tokenize_completion(exchange: Exchange) -> None:
    """Tokens of a whole request: as many as its usage would say."""
    admit(exchange)
    request, model = checked(await exchange.body(), exchange.world.options.folder_id)
    await exchange.json(_tokens(prompt_text(request), model))


def _tokens(text: str, model: Model) -> dict[str, Any]:
    tokens = [{"id": str(sum(piece.encode()) % 130_000), "text": piece, "special": False} for piece in tokens_of(text)]
    return {"tokens": tokens, "modelVersion": model.version}


async def embed(exchange: Exchange) -> None:
    """One vector for one text."""
    admit(exchange)
    request = read(EMBEDDING, await exchange.body())
    model = find(request.get("modelUri", ""), exchange.world.options.folder_id, "emb")
    text = request.get("text", "")
    check_text(text)
    exchange.world.embedding()
    size = len(tokens_of(text))
    if size > model.context:
        raise bad_request(f"number of input tokens must be no more than {model.context}, got {size}")
    vector = embedding_of(text, request.get("dim") or model.dimensions)
    await exchange.json({"embedding": vector, "numTokens": str(size), "modelVersion": model.version})


async def tune_classify(exchange: Exchange) -> None:
    """Classify with a tuned model, whose labels are its own."""
    admit(exchange)
    request = read(TEXT_REQUEST, await exchange.body())
    await _classify(exchange, request, ["да", "нет"])


async def few_shot(exchange: Exchange) -> None:
    """Classify by labels that come with the request."""
    admit(exchange)
    request = read(FEW_SHOT, await exchange.body())
    if len(request.get("labels", [])) < 2:
        raise bad_request("labels: at least two are needed")
    await _classify(exchange, request, request["labels"])


async def _classify(exchange: Exchange, request: Mapping[str, Any], labels: list[str]) -> None:
    model = find(request.get("modelUri", ""), exchange.world.options.folder_id, "cls")
    text = request.get("text", "")
    check_text(text)
    found = classify(text, labels)
    await exchange.json({"predictions": found, "modelVersion": model.version, "inputTokens": str(len(tokens_of(text)))})
