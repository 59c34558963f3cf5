"""HTTP for provider plugins: one connection pool per provider, typed errors, streams that close.

::

    HttpClient.request ─┐                                             ┌─► JsonReply
                        ├─► credentials ─► transport ─► status? ─ 2xx ┤
    HttpClient.stream ──┘        ▲                        │           └─► StreamReply ─► chunks / sse / ndjson
                                 └── 401, once ───────────┘─ else ─► ErrorTable ─► ProviderError

Nothing here retries (the kernel does), except that a request whose credentials were rejected is sent once more with
renewed ones. No cancel scope is open while a body is being read by somebody else's code. Headers of
:data:`mlo.tracing.outgoing` go with every request that does not set them itself.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import anyio
import httpx
from attrs import evolve

from mlo.api import AuthScheme, Credentials
from mlo.errors import AuthFailed, ConfigError, InvalidRequest, ProviderError, TransportFailed
from mlo.tracing import outgoing

from .errors import ErrorTable, Failure, redact, retry_after_of
from .passing import PassedReply, as_response, from_exchange, from_reply, illegal_header, origin_of, request_head
from .pools import Pools
from .replies import JsonReply, StreamReply, decoded, first_header, read_body
from .settings import HttpSettings
from .tls import TlsConfig
from .transport_errors import TRANSPORT_ERRORS, transport_failed

if TYPE_CHECKING:
    from .direct import DirectTransport, Exchange

__all__ = ["HttpClient"]

_NO_CREDENTIALS = Credentials()
_SHORTEST_SECRET = 8  # of headers in the configuration, most of which are none
_DEFAULT_HEADERS = {"user-agent": "multi-llm-orchestrator", "accept-encoding": "gzip, deflate"}
_ENCODER = jsonlib.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class _Body(httpx.AsyncByteStream):
    """A body in one piece. httpx's own is a generator, which a call cancelled while sending leaves to the collector."""

    def __init__(self, data: bytes) -> None:
        self._pieces = [data] if data else []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class HttpClient:
    """JSON over HTTP to one server, with pooled connections. An asynchronous context manager.

    ``base_url`` may have a path; request paths are appended to it. ``path`` is where the instance stands in the
    configuration, for errors. ``headers`` go with every request. ``request_id_headers`` are the names under which the
    server tells its id of a request, best first. ``renew_on`` are the statuses that mean "these credentials are no
    longer good". ``confidential`` is for servers whose answers are secrets, such as token services: errors then show
    no sample of them.

    One pool per event loop: the client may be used from several. Pools of other loops than the one that opens the
    client are closed with it if their loops still run, and are dropped with their loops otherwise.

    Raises:
        ConfigError: for a ``base_url`` that is not an HTTP URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        path: str = "",
        auth: AuthScheme | None = None,
        headers: Mapping[str, str] | None = None,
        settings: HttpSettings | None = None,
        tls: TlsConfig | None = None,
        errors: ErrorTable | None = None,
        request_id_headers: tuple[str, ...] = ("x-request-id",),
        renew_on: frozenset[int] = frozenset({401}),
        confidential: bool = False,
    ) -> None:
        self._base = _base_url(base_url, path)
        self._origin = origin_of(self._base)
        self._auth = auth
        self._settings = settings or HttpSettings()
        self._errors = errors or ErrorTable()
        self._request_id_headers = request_id_headers
        self._renew_on = renew_on
        self._confidential = confidential
        self._urls: dict[str, httpx.URL] = {}
        self._pools = Pools(self._base, self._settings, tls or TlsConfig(), path)
        own = _checked(headers or {}, path)
        self._headers = {"host": self._base.netloc.decode(), **_DEFAULT_HEADERS, **own}
        self._hidden = [value for value in own.values() if len(value) >= _SHORTEST_SECRET]  # some hold keys
        self._credentials = _NO_CREDENTIALS  # those that were sent last

    def __repr__(self) -> str:
        return f"<HttpClient {self._base.scheme}://{self._base.netloc.decode()}{self._base.path}>"

    @property
    def base_url(self) -> str:
        """The base URL, without a trailing slash."""
        return str(self._base).rstrip("/")

    async def __aenter__(self) -> Self:
        self._pools.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pools.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> JsonReply:
        """Send one request and read its whole JSON answer.

        ``json`` is encoded as the body, else ``content`` is it. ``path`` is appended to the base URL, or a whole URL of
        the same server. ``secrets`` are what the request holds and no error may repeat, beside the credentials.

        Raises:
            ProviderError: as the error table says; ``TransportFailed`` when no answer came, ``ProtocolViolated``
                when it is not JSON.
        """
        body, extra = _encoded(json, content, headers)
        response = await self._accepted(method, self._url(path, query), body, extra, secrets)
        data = await read_body(response, self._settings.timeouts)
        request_id = first_header(response, self._request_id_headers)
        return JsonReply(
            status=response.status_code,
            data=decoded(response, data, request_id, confidential=self._confidential),
            headers=response.headers,
            request_id=request_id,
            confidential=self._confidential,
        )

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[StreamReply, None]:
        """Send one request and hand out its answer as soon as the head is there; leaving closes the response.

        Raises:
            ProviderError: as the error table says, before the block is entered.
        """
        body, extra = _encoded(json, content, headers)
        extra.setdefault("accept-encoding", "identity")  # a compressing proxy would hold pieces back
        response = await self._accepted(method, self._url(path, query), body, extra)
        reply = StreamReply(response, self._settings.timeouts, first_header(response, self._request_id_headers))
        try:
            yield reply
        finally:
            with anyio.CancelScope(shield=True):
                await reply.aclose()

    async def passed(
        self, path: str, content: bytes, headers: Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> PassedReply:
        """Send JSON that is bytes already, and give the answer once its head is there; who gets it must close it.

        ``deadline``, on the clock of :func:`anyio.current_time`, is that of a scope which the caller has opened around
        this and the reading; see :meth:`~mlo_sdk.passing.PassedReply.leave_scope`.

        Raises:
            ProviderError: as the error table says; ``TransportFailed`` when no answer came.
        """
        url = self._url(path, None)
        extra = {"content-type": "application/json", "accept-encoding": "identity", **(headers or {})}
        timeouts, ids = self._settings.timeouts, self._request_id_headers
        transport = self._pools.current()
        if not hasattr(transport, "exchange"):
            response = await self._accepted("POST", url, content, extra)
        else:
            credentials = await self._current()
            direct = cast("DirectTransport", transport)
            waits = {**self._waits(), "within": deadline}
            exchange = await self._pass(direct, url, content, {**extra, **credentials.headers}, waits)
            if 200 <= exchange.head.status < 300:
                return from_exchange(exchange, ids, timeouts, url, waits)
            response = await self._again(as_response(exchange, url), credentials, "POST", url, content, extra)
        return from_reply(StreamReply(response, timeouts, first_header(response, ids)), timeouts, url)

    def failure(self, data: object, *, status: int | None = None, request_id: str | None = None) -> ProviderError:
        """The error for an error object that came with a status of success, or inside a stream."""
        failure = Failure.of_body(data)
        message = redact(failure.message, self._secrets(self._credentials))
        status = status or failure.status
        return self._errors.error(evolve(failure, message=message, status=status, request_id=request_id))

    async def _current(self) -> Credentials:
        if self._auth is not None:
            self._credentials = await self._auth.credentials()
        return self._credentials

    def _secrets(self, credentials: Credentials) -> list[str]:
        """What no error may repeat."""
        return [*self._hidden, *(word for value in credentials.headers.values() for word in (value, *value.split()))]

    async def _accepted(
        self, method: str, url: httpx.URL, body: bytes, extra: Mapping[str, str], secrets: Iterable[str] = ()
    ) -> httpx.Response:
        credentials = await self._current()
        response = await self._exchange(method, url, body, {**extra, **credentials.headers})
        if 200 <= response.status_code < 300:
            return response
        return await self._again(response, credentials, method, url, body, extra, secrets)

    async def _again(
        self,
        response: httpx.Response,
        credentials: Credentials,
        method: str,
        url: httpx.URL,
        body: bytes,
        extra: Mapping[str, str],
        secrets: Iterable[str] = (),
    ) -> httpx.Response:
        """After a refusal: its error, unless renewed credentials may help; these are tried once."""
        error = await self._refusal(response, credentials, secrets)
        if self._auth is None or response.status_code not in self._renew_on:
            raise error
        credentials = self._credentials = await self._renewed(self._auth, credentials, error)
        response = await self._exchange(method, url, body, {**extra, **credentials.headers})
        if 200 <= response.status_code < 300:
            return response
        raise await self._refusal(response, credentials, secrets)

    async def _renewed(self, auth: AuthScheme, rejected: Credentials, error: ProviderError) -> Credentials:
        try:
            fresh = await auth.credentials(rejected.generation)
        except AuthFailed as refused:
            if refused.status is None:  # nobody was asked: what the server said explains more
                raise error from refused
            raise refused from error
        if fresh.generation == rejected.generation:
            raise error
        return fresh

    async def _exchange(self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        timeouts, waits = self._settings.timeouts, self._waits()
        request = httpx.Request(
            method,
            url,
            headers=self._all_headers(headers),
            content=body,
            extensions={"timeout": waits},
        )
        request.stream = _Body(body)
        try:
            response = await self._pools.current().handle_async_request(request)
        except httpx.LocalProtocolError:
            raise illegal_header() from None
        except TRANSPORT_ERRORS as error:
            raise transport_failed(error, timeouts, url) from error
        waits["read"] = timeouts.idle  # httpcore reads this dict again when it begins with the body
        response.request = request
        return response

    async def _pass(
        self,
        transport: DirectTransport,
        url: httpx.URL,
        body: bytes,
        headers: Mapping[str, str],
        waits: dict[str, float | None],
    ) -> Exchange:
        head = request_head("POST", url, self._all_headers(headers), len(body))
        try:
            exchange = await transport.exchange(self._origin, "POST", head + body, waits)
        except TRANSPORT_ERRORS as error:
            raise transport_failed(error, self._settings.timeouts, url) from error
        waits["read"] = waits["write"]
        return exchange

    def _waits(self) -> dict[str, float | None]:
        timeouts = self._settings.timeouts
        return {"connect": timeouts.connect, "read": timeouts.first_byte, "write": timeouts.idle, "pool": None}

    def _all_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What goes with a request, by names in lower case: of the trace, the client's own, those of this request."""
        return {**outgoing.get(), **self._headers, **headers}

    async def _refusal(
        self, response: httpx.Response, credentials: Credentials, secrets: Iterable[str]
    ) -> ProviderError:
        text = ""
        with suppress(TransportFailed):  # the status alone says enough
            text = (await read_body(response, self._settings.timeouts)).decode("utf-8", "replace")
        failure = _failure(response, text)
        return self._errors.error(
            evolve(
                failure,
                message=redact(failure.message, [*self._secrets(credentials), *secrets]),
                status=response.status_code,
                request_id=first_header(response, self._request_id_headers),
                retry_after=retry_after_of(response.headers),
            )
        )

    def _url(self, path: str, query: Mapping[str, str] | None) -> httpx.URL:
        url = self._urls.get(path)
        if url is None:
            url = httpx.URL(path if "://" in path else f"{self.base_url}{path}")
            if len(self._urls) < 256:
                self._urls[path] = url
        return url if query is None else url.copy_merge_params(query)


def _base_url(text: str, path: str) -> httpx.URL:
    where = f"{path}.base_url" if path else "base_url"
    try:
        url = httpx.URL(text.strip().rstrip("/"))
    except httpx.InvalidURL as error:
        raise ConfigError(where, f"not a URL: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(where, f"{text!r} is not an HTTP URL", hint="it begins with http:// or https://")
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(where, "must not hold credentials, a query or a fragment", hint="use the auth table")
    return url


def _encoded(json: object, content: bytes | None, headers: Mapping[str, str] | None) -> tuple[bytes, dict[str, str]]:
    extra = {name.lower(): value for name, value in (headers or {}).items()}
    if json is None:
        return content or b"", extra
    extra.setdefault("content-type", "application/json")
    try:
        return _ENCODER.encode(json).encode(), extra
    except (TypeError, ValueError) as error:  # a lone surrogate, NaN, or something that JSON has no word for
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from error


def _checked(headers: Mapping[str, str], path: str) -> dict[str, str]:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ConfigError(f"{path}.headers.{name}", "holds a line break or a letter outside ASCII")
    return {name.lower(): value for name, value in headers.items()}


def _failure(response: httpx.Response, text: str) -> Failure:
    location = response.headers.get("location")
    if response.is_redirect and location:
        return Failure(message=f"redirected to {location.partition('?')[0]} (use that as base_url)")
    try:
        data = jsonlib.loads(text)
    except ValueError:
        data = None
    return Failure.of_body(data, text)
