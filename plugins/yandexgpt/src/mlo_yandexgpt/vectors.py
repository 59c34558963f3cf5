"""Embeddings and labels: requests and answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from mlo.errors import ProtocolViolated
from mlo.models import Price
from mlo.requests import EmbeddingRequest
from mlo.responses import Embeddings, Usage

from .mapping import check_text
from .wire import number

__all__ = ["Label", "classification_request", "embedding_request", "embeddings_of", "labels_of"]


@frozen
class Label:
    """A label and how sure the model is of it, from 0 to 1."""

    name: str
    confidence: float


def embedding_request(request: EmbeddingRequest, index: int, uri: str) -> dict[str, Any]:
    """The wire request of one text.

    Raises:
        InvalidRequest: for an empty text.
        ContextTooLong: for one that no model takes.
    """
    body: dict[str, Any] = {"modelUri": uri, "text": check_text(request.texts[index], f"text {index}")}
    if request.dimensions is not None:
        body["dim"] = str(request.dimensions)
    return body | dict(request.extra)


def embeddings_of(answers: Sequence[Mapping[str, Any]], model: str, price: Price | None) -> Embeddings:
    """The vectors of all texts, with their usage added up.

    Raises:
        ProtocolViolated: when an answer has no vector, or vectors differ in length.
    """
    vectors = tuple(_vector(answer) for answer in answers)
    if len({len(vector) for vector in vectors}) > 1:
        raise ProtocolViolated("vectors of one request differ in length")
    counts = [number(answer.get("numTokens")) for answer in answers]
    total = None if None in counts else sum(count for count in counts if count is not None)
    cost = price.cost(prompt=total, completion=0) if price is not None and total is not None else None
    return Embeddings(vectors=vectors, usage=Usage(prompt_tokens=total, total_tokens=total, cost=cost), model=model)


def _vector(answer: Mapping[str, Any]) -> tuple[float, ...]:
    found = answer.get("embedding")
    if not isinstance(found, list) or not found:
        raise ProtocolViolated("an answer without an embedding", sample=str(dict(answer))[:200])
    try:
        return tuple(map(float, found))
    except (TypeError, ValueError) as error:
        raise ProtocolViolated("an embedding that is not numbers", sample=str(found)[:200]) from error


def classification_request(
    uri: str, text: str, labels: Sequence[str], task: str, samples: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """The wire request: with labels for the few-shot method, without for a tuned model.

    Raises:
        InvalidRequest: for an empty text.
    """
    body: dict[str, Any] = {"modelUri": uri, "text": check_text(text, "the text")}
    if labels:
        body |= {"taskDescription": task, "labels": list(labels)}
        body["samples"] = [{"text": sample, "label": label} for sample, label in samples]
    return body


def labels_of(answer: Mapping[str, Any]) -> tuple[Label, ...]:
    """The labels, surest first.

    Raises:
        ProtocolViolated: when there are none.
    """
    try:
        found = [Label(each["label"], float(each.get("confidence", 0.0))) for each in answer["predictions"]]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolViolated("an answer without predictions", sample=str(dict(answer))[:200]) from error
    return tuple(sorted(found, key=lambda label: -label.confidence))
