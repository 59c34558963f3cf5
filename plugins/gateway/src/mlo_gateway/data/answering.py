"""A chat, asked of the router and answered to the client: whole, or piece by piece. The same for every wire.

::

    router.relay ─► Relayed ───────► bytes as the provider sent them
                 ├► RelayedStream ─► the same, piece by piece
                 ├► ChatResponse ──► encoded for the client's wire
                 └► Stream ────────► each event encoded
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from mlo.errors import MloError
from mlo.events import Event, Finished, Started
from mlo.relay import Relayed, RelayRequest
from mlo.relayed import RelayAnswer, RelayedStream
from mlo.responses import CallInfo, ChatResponse, Usage
from mlo.stream import Stream
from mlo_gateway.app.exchange import Exchange
from mlo_gateway.contracts import GatewayError, Header, Ticket
from mlo_gateway.translate.failures import failure_of
from mlo_gateway.wire.usage import tokens_of

from .incoming import Incoming
from .names import Destination

__all__ = ["EVENT_STREAM", "EventWriter", "Tongue", "answer", "told"]

EVENT_STREAM = b"text/event-stream; charset=utf-8"


class EventWriter(Protocol):
    """Turns the events of one answer into bytes for the client."""

    def write(self, event: Event, /) -> bytes:
        """What the client is sent because of ``event``; nothing if it is told nothing, or not yet."""

    def fail(self, error: GatewayError, /) -> bytes:
        """What the client is sent when the answer breaks off."""


@frozen(kw_only=True)
class Tongue:
    """How an answer is put into the client's wire.

    ``encode`` takes a whole answer, ``writer`` the call's id and the model's name, for a streamed one; ``fail`` writes
    an error into a stream that was passed on as it came.
    """

    encode: Callable[[ChatResponse], bytes]
    writer: Callable[[str, str | None], EventWriter]
    fail: Callable[[GatewayError], bytes]


async def answer(
    incoming: Incoming, destination: Destination, request: RelayRequest, tongue: Tongue, *, tokens: int
) -> None:
    """Ask, and send the answer. ``tokens`` is how many it may take, for the limiter."""
    ticket = await incoming.ticket(tokens)
    used: Usage | None = None
    unwatch = incoming.watch() if request.stream else None
    try:
        # without a deadline: the watch over all exchanges has it, for a tenth of what one in the kernel costs
        async with incoming.router.relay(request, route=destination.route, target=destination.target) as found:
            try:
                await _send(incoming.exchange, ticket, found, tongue)
            finally:
                used = _usage_of(found)
    finally:
        if unwatch is not None:
            unwatch()
        ticket.leave(None if used is None else tokens_of(used))


async def _send(exchange: Exchange, ticket: Ticket, found: RelayAnswer, tongue: Tongue) -> None:
    if isinstance(found, Relayed):
        kind = (b"content-type", found.content_type.encode("latin-1"))
        await exchange.respond(found.status, found.body, _headers(found.call, ticket), kind)
    elif isinstance(found, RelayedStream):
        await _pass_on(exchange, ticket, found, tongue)
    elif isinstance(found, ChatResponse):
        await exchange.respond(200, tongue.encode(found), _headers(found.call, ticket))
    else:
        await _translate(exchange, ticket, found, tongue)


def _headers(call: CallInfo | None, ticket: Ticket) -> list[Header]:
    return [*ticket.headers] if call is None else [*told(call.call_id, call.target), *ticket.headers]


async def _pass_on(exchange: Exchange, ticket: Ticket, stream: RelayedStream, tongue: Tongue) -> None:
    exchange.fail = tongue.fail
    headers = [*told(stream.call_id, stream.target), *ticket.headers]
    await exchange.begin(200, stream.content_type.encode("latin-1"), headers)
    last = b""
    try:
        async for piece in stream:
            await exchange.piece(piece)
    except MloError as error:
        last = tongue.fail(failure_of(error))
    await exchange.piece(last, more=False)


async def _translate(exchange: Exchange, ticket: Ticket, stream: Stream, tongue: Tongue) -> None:
    first = await anext(stream)
    call_id, target = stream.call_id or "", stream.target or ""
    writer = tongue.writer(call_id, first.model if isinstance(first, Started) else None)
    exchange.fail = writer.fail
    await exchange.begin(200, EVENT_STREAM, [*told(call_id, target), *ticket.headers])
    event: Event = first
    pieces: list[bytes] = []
    while True:
        pieces.append(writer.write(event))
        if type(event) is Finished:
            await exchange.piece(b"".join(pieces), more=False)
            return
        if not stream.has_more and (data := b"".join(pieces)):  # what came together goes out together
            pieces.clear()
            await exchange.piece(data)
        try:
            event = await anext(stream)
        except MloError as error:
            pieces.append(writer.fail(failure_of(error)))
            await exchange.piece(b"".join(pieces), more=False)
            return


def _usage_of(found: RelayAnswer) -> Usage:
    if isinstance(found, Relayed):
        return found.summary.usage
    if isinstance(found, RelayedStream):
        return found.summary().usage
    return found.usage if isinstance(found, ChatResponse) else found.response().usage


def told(call_id: str, target: str) -> list[Header]:
    """Headers that say which call this was, for the ledger and the log, and who answered."""
    return [(b"x-mlo-call-id", call_id.encode()), (b"x-mlo-target", target.encode("ascii", "backslashreplace"))]
