"""The application: paths of the data plane are served here, all others by the control plane."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from anyio.abc import TaskStatus

from mlo.errors import ConfigError, MloError
from mlo_gateway.contracts import Gateway, GatewayError
from mlo_gateway.data.incoming import Incoming
from mlo_gateway.data.model_lists import ModelLists
from mlo_gateway.data.names import Names
from mlo_gateway.translate.failures import failure_of

from .exchange import End, Exchange, Receive, Scope, Send
from .paths import endpoint_of
from .watch import Watch

__all__ = ["AsgiApp", "GatewayApp", "create_app"]

AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
_log = logging.getLogger("mlo.gateway")


def create_app(gateway: Gateway, control: AsgiApp | None = None) -> GatewayApp:
    """The ASGI application of ``gateway``; what the data plane does not know goes to ``control``.

    Raises:
        ConfigError: when an alias leads nowhere.
    """
    return GatewayApp(gateway, control)


class GatewayApp:
    """An ASGI application.

    Its lifespan runs the watch over all exchanges; a server without lifespan runs :meth:`run` beside itself.
    """

    def __init__(self, gateway: Gateway, control: AsgiApp | None = None) -> None:
        self._gateway = gateway
        self._control = control
        self._names = _names_of(gateway)
        self._named = gateway.router.settings
        self._models = ModelLists()
        self.watch = Watch(gateway.config.data)

    @property
    def gateway(self) -> Gateway:
        """What new requests are served with."""
        return self._gateway

    def use(self, gateway: Gateway) -> None:
        """Serve further requests with another gateway; those under way end as they began.

        Raises:
            ConfigError: when an alias leads nowhere; then nothing changes.
        """
        self._names = _names_of(gateway)
        self._gateway, self._named = gateway, gateway.router.settings
        self.watch.config = gateway.config.data

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch over the exchanges until cancelled."""
        await self.watch.run(task_status=task_status)

    def end_streams(self, reason: str) -> int:
        """End all streams with an error event that gives ``reason``, and say how many there were."""
        return self.watch.end_all("draining", reason, only_streams=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or a lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] == "http" and (path := scope["path"]).startswith("/v1/"):
            await self._serve(path, Exchange(scope, receive, send))
        elif self._control is not None:
            await self._control(scope, receive, send)
        elif scope["type"] == "http":
            await Exchange(scope, receive, send).refuse(_no_such_path(scope["path"]))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.watch.run)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            tasks.cancel_scope.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, path: str, exchange: Exchange) -> None:
        self.watch.add(exchange)
        try:
            with exchange.cancel:
                await self._answer(path, exchange)
            if exchange.cancel.cancelled_caught:
                await _wind_up(exchange)
        finally:
            self.watch.remove(exchange)

    def _follow(self) -> None:
        """Go by the names of a router that was reloaded; where they do not fit the aliases, by the former ones."""
        try:
            self.use(self._gateway)
        except ConfigError as error:
            self._named = self._gateway.router.settings
            _log.warning("the names of models stay as they were: %s", error)

    async def _answer(self, path: str, exchange: Exchange) -> None:
        try:
            endpoint = endpoint_of(exchange.method, path)
            if self._gateway.router.settings is not self._named:
                self._follow()
            incoming = await Incoming.of(self._gateway, self._names, self._models, exchange)
            await endpoint(incoming)
        except GatewayError as error:
            await _fail(exchange, error)
        except MloError as error:
            found = failure_of(error)
            if found.status >= 500:
                _log.warning("request %s: %s: %s", exchange.request_id.decode(), type(error).__name__, error)
            await _fail(exchange, found)
        except Exception:  # noqa: BLE001 - a border: a bug must not take the connection down without an answer
            _log.exception("request %s failed", exchange.request_id.decode())
            message = "The gateway failed. This is a bug in it."
            await _fail(exchange, GatewayError(500, "internal_error", "server_error", message))


def _names_of(gateway: Gateway) -> Names:
    router = gateway.router
    return Names(router.providers, router.routes, gateway.config.aliases)


async def _fail(exchange: Exchange, error: GatewayError) -> None:
    if exchange.streaming:
        await exchange.piece(exchange.fail(error), more=False)
    elif not exchange.responded and exchange.ended != "left":
        await exchange.refuse(error)


async def _wind_up(exchange: Exchange) -> None:
    """Tell the client why its request was ended, if there is somebody to tell."""
    error = _ENDS[exchange.ended](exchange.ended_by) if exchange.ended in _ENDS else None
    if error is not None:
        with anyio.move_on_after(1, shield=False):
            await _fail(exchange, error)


def _revoked(reason: str) -> GatewayError:
    return GatewayError(401, "key_revoked", "authentication_error", reason or "The API key was revoked.")


def _draining(reason: str) -> GatewayError:
    message = reason or "The gateway is shutting down."
    return GatewayError(503, "shutting_down", "server_error", message, retry_after=1.0)


def _slow_body(_reason: str) -> GatewayError:
    return GatewayError(408, "body_timeout", "invalid_request_error", "The body did not arrive in time.")


def _overdue(_reason: str) -> GatewayError:
    return GatewayError(504, "timeout", "server_error", "The answer was not complete within the time allowed for it.")


_ENDS: dict[End | None, Callable[[str], GatewayError]] = {
    "revoked": _revoked,
    "draining": _draining,
    "slow-body": _slow_body,
    "overdue": _overdue,
}


def _no_such_path(path: str) -> GatewayError:
    return GatewayError(404, "not_found", "invalid_request_error", f"Invalid URL ({path[:100]}).")
