"""HTTP by aiohttp behind httpx's transport interface: several times less CPU per call than httpcore, asyncio only.

Needs the extra ``mlo-sdk[aiohttp]``; chosen by ``http.transport = "aiohttp"``.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager

import aiohttp
import anyio
import httpx
from yarl import URL

from .settings import HttpSettings

__all__ = ["AiohttpTransport"]

_MAX_HEADER_BYTES = 65_536
_LARGE_BODY_BYTES = 2**20


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A connection pool; made and closed in the event loop that uses it."""

    def __init__(self, context: ssl.SSLContext, settings: HttpSettings) -> None:
        connector = aiohttp.TCPConnector(
            ssl=context,
            limit=settings.max_connections or 0,  # 0: no limit
            keepalive_timeout=settings.keep_alive,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # httpx does it
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to ``request``, its body unread.

        Raises:
            httpx.TransportError: as httpx's own transport does.
        """
        waits = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=waits.get("connect"))
        with _as_httpx_errors():
            with anyio.fail_after(waits.get("read")):
                answer = await self._session.request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=request.headers.multi_items(),
                    data=_payload(request.content),
                    allow_redirects=False,
                    timeout=timeout,
                )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer, waits), request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Body(httpx.AsyncByteStream):
    """The body of an answer. ``waits["read"]``, looked up at each read, bounds the silence between two pieces."""

    def __init__(self, answer: aiohttp.ClientResponse, waits: Mapping[str, float | None]) -> None:
        self._answer = answer
        self._waits = waits

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        content = self._answer.content
        while True:
            with _as_httpx_errors():
                piece = content.read_nowait()  # most bodies are there already: a scope costs more than the read
                if not piece and not content.at_eof():
                    with anyio.fail_after(self._waits.get("read")):
                        piece = await content.readany()
            if not piece:
                return
            yield piece

    async def aclose(self) -> None:
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """Aiohttp warns of large bodies in one piece, and sends them in one; a file it sends in pieces."""
    if len(body) > _LARGE_BODY_BYTES:
        return io.BytesIO(body)
    return body or None


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.ServerTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError) as error:
        raise httpx.ConnectError(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx.ReadError(str(error) or type(error).__name__) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except ValueError as error:  # a line break inside a header
        raise httpx.LocalProtocolError(str(error)) from error
