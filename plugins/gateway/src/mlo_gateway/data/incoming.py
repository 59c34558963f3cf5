"""A request on its way in: who sends it, what it says, whether it may go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from mlo import Router
from mlo_gateway.app.exchange import Exchange
from mlo_gateway.config import DataConfig
from mlo_gateway.contracts import Gateway, GatewayError, Principal, Ticket, Unwatch
from mlo_gateway.wire.fields import Json, invalid, missing, object_of, parsed, string

from .model_lists import ModelLists
from .names import Destination, Names

__all__ = ["RESERVED", "Incoming"]

RESERVED = frozenset({"organization", "project", "key", "request_id", "traceparent", "tracestate"})
"""What accounting and tracing say in a request's metadata; a client cannot say it."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?", re.ASCII)
_TRACESTATE = re.compile(rb"[ -~]{1,512}", re.ASCII)
_MOST_METADATA = 16
_JSON = b"application/json"


class Incoming:
    """A request that has been authenticated."""

    __slots__ = ("config", "exchange", "gateway", "models", "names", "principal", "router")

    def __init__(
        self, gateway: Gateway, names: Names, models: ModelLists, exchange: Exchange, principal: Principal
    ) -> None:
        self.gateway = gateway
        self.config: DataConfig = gateway.config.data
        self.router: Router = gateway.router
        self.names = names
        self.models = models
        self.exchange = exchange
        self.principal = principal

    @classmethod
    async def of(cls, gateway: Gateway, names: Names, models: ModelLists, exchange: Exchange) -> Incoming:
        """Find out who sends it.

        Raises:
            GatewayError: 401.
        """
        found = gateway.authenticator.authenticate(exchange.headers.get(b"authorization"))
        principal = found if isinstance(found, Principal) else await found
        return cls(gateway, names, models, exchange, principal)

    async def json(self) -> tuple[bytes, Json]:
        """The body, as it came and parsed; it must be a JSON object.

        Raises:
            GatewayError: 400, 413 or 415.
        """
        kind = self.exchange.headers.get(b"content-type", b"")
        if kind != _JSON and kind.partition(b";")[0].strip().lower() != _JSON:
            # a web page may make a browser send anything but this without asking first
            message = "Send the body as 'Content-Type: application/json'."
            raise GatewayError(415, "unsupported_media_type", "invalid_request_error", message)
        raw = await self.exchange.body(self.config.body_limit)
        return raw, parsed(raw, self.config.depth_limit)

    def destination(self, body: Json) -> Destination:
        """Where the model leads that the body names.

        Raises:
            GatewayError: 400 or 404.
        """
        name = string(body, "model")
        if not name:
            raise missing("model")
        return self.names.destination(name, self.principal)

    def metadata(self, body: Json) -> Mapping[str, str]:
        """What the client says for strategies, and what accounting and tracing need."""
        theirs = object_of(body, "metadata")
        found: dict[str, str] = {} if theirs is None else _their_metadata(theirs)
        user = string(body, "user")
        if user:
            found["user"] = user
        principal, headers = self.principal, self.exchange.headers
        found["organization"], found["project"] = principal.organization, principal.project
        found["key"], found["request_id"] = principal.key_id, self.exchange.request_id.decode("ascii")
        parent = headers.get(b"traceparent")
        if parent is not None and _TRACEPARENT.fullmatch(parent):
            found["traceparent"] = parent.decode("ascii")
            state = headers.get(b"tracestate")
            if state is not None and _TRACESTATE.fullmatch(state):
                found["tracestate"] = state.decode("ascii")
        return found

    def watch(self) -> Unwatch:
        """End the exchange when its key ends, until the result is called."""

        def end(why: str) -> None:
            self.exchange.end("revoked", why)

        return self.gateway.authenticator.watch(self.principal, end)

    async def ticket(self, tokens: int) -> Ticket:
        """Ask the limiter; the ticket has to be given back.

        Raises:
            GatewayError: 429.
        """
        found = self.gateway.limiter.enter(self.principal, tokens)
        if hasattr(found, "leave"):
            return cast("Ticket", found)
        return await found


def _their_metadata(theirs: Json) -> dict[str, str]:
    if len(theirs) > _MOST_METADATA:
        raise invalid("metadata", f"expected at most {_MOST_METADATA} pairs.")
    for name, value in theirs.items():
        if not isinstance(value, str):
            raise invalid(f"metadata.{name}"[:80], "expected a string.", "invalid_type")
    return {name: value for name, value in theirs.items() if name not in RESERVED}
