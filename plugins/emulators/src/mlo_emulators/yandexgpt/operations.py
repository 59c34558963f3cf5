"""Asynchronous generation: submit, poll, cancel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .exchange import Exchange
from .failures import bad_request, of_status
from .identity import admit
from .native import answer_of, checked, response_of
from .world import Operation

__all__ = ["cancel", "complete_async", "poll"]


async def complete_async(exchange: Exchange) -> None:
    """Submit a generation; it does not count against the gauge."""
    admit(exchange)
    world = exchange.world
    request, model = checked(await exchange.body(), world.options.folder_id)
    if request.get("completionOptions", {}).get("stream"):
        raise bad_request("stream is not supported in asynchronous mode")
    if world.options.status is not None:
        raise of_status(world.options.status)
    kind = {"@type": "type.googleapis.com/yandex.cloud.ai.foundation_models.v1.CompletionResponse"}
    operation = world.submit(kind | response_of(answer_of(exchange, request), model))
    await exchange.json(_operation(operation))


async def poll(exchange: Exchange) -> None:
    """An operation as it stands."""
    admit(exchange)
    await exchange.json(_operation(exchange.world.poll(exchange.request.path_params["id"])))


async def cancel(exchange: Exchange) -> None:
    """Cancel an operation. Of all methods it is a GET."""
    admit(exchange)
    await exchange.json(_operation(exchange.world.poll(exchange.request.path_params["id"], cancel=True)))


def _operation(operation: Operation) -> dict[str, Any]:
    created = datetime.fromtimestamp(operation.created, UTC).isoformat().replace("+00:00", "Z")
    body: dict[str, Any] = {
        "id": operation.id,
        "description": "Async GPT Completion",
        "createdAt": created,
        "createdBy": "ajeemulatedaccount00",
        "modifiedAt": created,
        "done": operation.cancelled or operation.polls_left <= 0,
        "metadata": None,
    }
    if operation.cancelled:
        body["error"] = {"code": 1, "message": "operation is cancelled", "details": []}
    elif body["done"]:
        body["response"] = operation.response
    return body
