"""What httpx raises, in the kernel's words."""

from __future__ import annotations

import ssl

import httpx

from mlo.errors import ProviderError, TransportFailed

from .settings import Timeouts

__all__ = ["TRANSPORT_ERRORS", "transport_failed"]

TRANSPORT_ERRORS = (httpx.RequestError, ssl.SSLError)
"""What sending and reading may raise. httpcore lets through what TLS 1.3 reports after the handshake."""


def transport_failed(error: Exception, timeouts: Timeouts, url: httpx.URL, *, body: bool = False) -> ProviderError:
    """A ``TransportFailed`` that says what to do; raise it from ``error``.

    ``body`` says that the head of the answer had come. Paths and query strings stay out of the message.
    """
    where = f"{url.scheme}://{url.netloc.decode()}"
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return TransportFailed(
            f"the certificate of {where} is not trusted: {tls.verify_message} (name its CA under tls.ca_file)",
            retryable=False,
        )
    if tls is not None:
        hint = " (the server wants a client certificate: tls.client_cert)" if "CERTIFICATE_REQUIRED" in str(tls) else ""
        return TransportFailed(f"no TLS connection to {where}: {tls}{hint}", retryable=not hint)
    match error:
        case httpx.ConnectTimeout():
            message = f"no connection to {where} within {timeouts.connect} s (http.timeouts.connect)"
        case httpx.ConnectError():
            message = f"cannot connect to {where}: {_reason(error)}; is the server running, is base_url right?"
        case httpx.ReadTimeout() if body:
            message = f"{where} sent nothing for {timeouts.idle} s (http.timeouts.idle)"
        case httpx.ReadTimeout():
            message = f"{where} did not begin to answer within {timeouts.first_byte} s (http.timeouts.first_byte)"
        case httpx.WriteTimeout():
            message = f"{where} did not take the request in time (http.timeouts.idle)"
        case httpx.ProxyError():
            message = f"the proxy refused to reach {where}: {_reason(error)}"
        case _:
            message = f"the connection to {where} was lost: {_reason(error)}"
    return TransportFailed(message)


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    """The innermost of the chain: aiohttp's own wears the same class, but does not know what was wrong."""
    found = None
    while error is not None:
        if isinstance(error, ssl.SSLError):
            found = error
        error = error.__cause__ or error.__context__
    return found


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
