"""Who speaks HTTP: an :class:`httpx.AsyncBaseTransport` made from the settings.

The transport is used directly, without ``httpx.AsyncClient``: redirects, cookies, event hooks and merging of defaults
are of no use to an API client and cost time on every call.
"""

from __future__ import annotations

import ssl
from urllib.request import getproxies, proxy_bypass

import httpx
import sniffio

from mlo.errors import ConfigError

from .settings import HttpSettings
from .tls import TlsConfig

__all__ = ["open_transport", "proxy_for"]


def open_transport(url: httpx.URL, settings: HttpSettings, tls: TlsConfig, path: str) -> httpx.AsyncBaseTransport:
    """A connection pool for one origin, for the running event loop; opens no connection yet.

    Raises:
        ConfigError: for TLS files or a proxy that cannot be used, or when the transport cannot run here.
    """
    prefix = f"{path}." if path else ""
    # an http:// server never needs the roots, which take 20 ms to load
    context = tls.ssl_context(f"{prefix}tls") if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    proxy = proxy_for(url, settings)
    if settings.transport == "direct" and proxy is None:
        from .direct import DirectTransport  # noqa: PLC0415 - loaded when chosen

        return DirectTransport(context, settings)
    if settings.transport == "aiohttp":
        return _aiohttp(context, settings, proxy, f"{prefix}http.transport")
    limits = httpx.Limits(
        max_connections=settings.max_connections,
        max_keepalive_connections=settings.max_idle,
        keepalive_expiry=settings.keep_alive,
    )
    try:
        return httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=proxy, retries=0, trust_env=False)
    except (ValueError, ImportError, httpx.InvalidURL) as error:  # ImportError: socks:// without its package
        raise ConfigError(f"{prefix}http.proxy", f"cannot use this proxy: {error}") from error


def _aiohttp(
    context: ssl.SSLContext, settings: HttpSettings, proxy: str | None, where: str
) -> httpx.AsyncBaseTransport:
    if sniffio.current_async_library() != "asyncio":
        raise ConfigError(where, "aiohttp runs on asyncio only", hint='use transport = "httpx"')
    if proxy is not None:
        raise ConfigError(where, "no proxies with aiohttp", hint='use transport = "httpx"')
    try:
        from .aiohttp_transport import AiohttpTransport  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(where, "aiohttp is not installed", hint="pip install 'mlo-sdk[aiohttp]'") from error
    return AiohttpTransport(context, settings)


def proxy_for(url: httpx.URL, settings: HttpSettings) -> str | None:
    """The proxy to use for ``url``: the configured one, else with ``trust_env`` the environment's."""
    if settings.proxy is not None:
        return settings.proxy.reveal()
    if not settings.trust_env or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"
