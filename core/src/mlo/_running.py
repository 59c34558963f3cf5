"""Calls that are answered whole: from the request to the answer, accounted for exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from ._call import Call
from ._call import Operation as Name
from ._executor import execute
from ._operations import EMBED, GENERATE, Operation
from .requests import ChatRequest, EmbeddingRequest
from .responses import ChatResponse, Embeddings
from .routing import Request

if TYPE_CHECKING:
    from ._plan import RoutePlan
    from ._wiring import Wiring
    from .api import CallContext

__all__ = ["embed", "generate"]

A = TypeVar("A", ChatResponse, Embeddings)


async def generate(
    wiring: Wiring, plan: RoutePlan, request: ChatRequest, deadline: float | None, outer: CallContext | None = None
) -> ChatResponse:
    """Answer a chat request."""
    return await _run(wiring, plan, request, deadline, outer, "chat", GENERATE)


async def embed(
    wiring: Wiring, plan: RoutePlan, request: EmbeddingRequest, deadline: float | None, outer: CallContext | None = None
) -> Embeddings:
    """Answer an embedding request."""
    return await _run(wiring, plan, request, deadline, outer, "embed", EMBED)


async def _run(
    wiring: Wiring,
    plan: RoutePlan,
    request: Request,
    deadline: float | None,
    outer: CallContext | None,
    name: Name,
    operation: Operation[A],
) -> A:
    call = Call(plan, request, name, deadline, outer)
    wiring.enter()
    try:
        answer = await execute(call, operation)
    except BaseException as error:
        if isinstance(error, Exception):
            call.finish("error", error=error)
        else:
            call.finish("cancelled")
        raise
    finally:
        wiring.leave()
    target = call.outcomes[-1].target.name
    call.finish("ok", target=target, usage=answer.usage)
    return attrs.evolve(answer, call=call.info(target))
