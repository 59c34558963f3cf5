"""A chat, asked of the router and answered to the client: whole, or piece by piece. The same for every wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mlo.errors import MloError
from mlo.events import Event, Finished, Started
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, Usage
from mlo.stream import Stream
from mlo_gateway.contracts import GatewayError, Header, Ticket
from mlo_gateway.translate.failures import failure_of
from mlo_gateway.wire.usage import tokens_of

from .estimates import chat_tokens
from .incoming import Incoming
from .names import Destination

__all__ = ["EVENT_STREAM", "EventWriter", "answer_in_pieces", "answer_whole", "told"]

EVENT_STREAM = b"text/event-stream; charset=utf-8"


class EventWriter(Protocol):
    """Turns the events of one answer into bytes for the client."""

    @property
    def usage(self) -> Usage:
        """The newest token counts."""

    def write(self, event: Event, /) -> bytes:
        """What the client is sent because of ``event``; nothing if it is told nothing, or not yet."""

    def fail(self, error: GatewayError, /) -> bytes:
        """What the client is sent when the answer breaks off."""


async def answer_whole(
    incoming: Incoming, destination: Destination, request: ChatRequest, encode: Callable[[ChatResponse], bytes]
) -> None:
    """Ask, and answer with what ``encode`` makes of the response."""
    ticket = await incoming.ticket(chat_tokens(request))
    tokens = None
    try:
        response = await incoming.router.route(
            request, route=destination.route, target=destination.target, deadline=incoming.config.deadline
        )
        tokens = tokens_of(response.usage)
    finally:
        ticket.leave(tokens)
    call = response.call
    headers = [*ticket.headers] if call is None else [*told(call.call_id, call.target), *ticket.headers]
    await incoming.exchange.respond(200, encode(response), headers)


async def answer_in_pieces(
    incoming: Incoming,
    destination: Destination,
    request: ChatRequest,
    writer_of: Callable[[str, str | None], EventWriter],
) -> None:
    """Ask, and send what the writer makes of each event. ``writer_of`` is given the call's id and the model's name."""
    ticket = await incoming.ticket(chat_tokens(request))
    unwatch = incoming.gateway.authenticator.watch(incoming.principal, _ends(incoming))
    usage = Usage()
    try:
        async with incoming.router.route_stream(
            request, route=destination.route, target=destination.target, deadline=incoming.config.deadline
        ) as stream:
            try:
                await _send(incoming, ticket, stream, writer_of)
            finally:
                usage = stream.response().usage
    finally:
        unwatch()
        ticket.leave(tokens_of(usage))


def _ends(incoming: Incoming) -> Callable[[str], None]:
    def end(why: str) -> None:
        incoming.exchange.end("revoked", why)

    return end


async def _send(
    incoming: Incoming, ticket: Ticket, stream: Stream, writer_of: Callable[[str, str | None], EventWriter]
) -> None:
    exchange = incoming.exchange
    first = await anext(stream)  # what fails before it is an ordinary error, with a status of its own
    writer = writer_of(stream.call_id or "", first.model if isinstance(first, Started) else None)
    exchange.fail = writer.fail
    await exchange.begin(200, EVENT_STREAM, [*told(stream.call_id or "", stream.target or ""), *ticket.headers])
    event: Event = first
    while True:
        data = writer.write(event)
        if type(event) is Finished:
            await exchange.piece(data, more=False)
            return
        if data:
            await exchange.piece(data)
        try:
            event = await anext(stream)
        except MloError as error:
            await exchange.piece(writer.fail(failure_of(error)), more=False)
            return


def told(call_id: str, target: str) -> list[Header]:
    """Headers that say which call this was, for the ledger and the log, and who answered."""
    return [(b"x-mlo-call-id", call_id.encode()), (b"x-mlo-target", target.encode("ascii", "backslashreplace"))]
