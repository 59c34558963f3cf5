from __future__ import annotations

import ssl

import httpx
import pytest

from mlo.errors import TransportFailed
from mlo_sdk import Timeouts
from mlo_sdk.transport_errors import transport_failed

_URL = httpx.URL("https://a.example:8443/v1/secret-path?key=secret")
_WAITS = Timeouts(connect=1, first_byte=2, idle=3)

_MESSAGES: dict[str, tuple[Exception, bool, str]] = {
    "connect timeout": (httpx.ConnectTimeout(""), False, "no connection to X within 1 s (http.timeouts.connect)"),
    "first byte": (
        httpx.ReadTimeout(""),
        False,
        "X did not begin to answer within 2 s (http.timeouts.first_byte)",
    ),
    "idle": (httpx.ReadTimeout(""), True, "X sent nothing for 3 s (http.timeouts.idle)"),
    "write timeout": (httpx.WriteTimeout(""), False, "X did not take the request in time (http.timeouts.idle)"),
    "proxy": (httpx.ProxyError("403 No"), False, "the proxy refused to reach X: 403 No"),
    "refused": (
        httpx.ConnectError("refused"),
        False,
        "cannot connect to X: refused; is the server running, is base_url right?",
    ),
    "no words": (httpx.ReadError(""), True, "the connection to X was lost: ReadError"),
    "tls": (ssl.SSLError("handshake failure"), False, "no TLS connection to X: ('handshake failure',)"),
}


@pytest.mark.parametrize(("error", "body", "message"), _MESSAGES.values(), ids=list(_MESSAGES))
def test_messages_say_where_and_which_setting(error: Exception, body: bool, message: str) -> None:
    found = transport_failed(error, _WAITS, _URL, body=body)
    assert isinstance(found, TransportFailed)
    assert found.message == message.replace("X", "https://a.example:8443")
    assert found.retryable


def test_a_certificate_deep_in_the_chain_is_found_and_not_worth_a_retry() -> None:
    inner = ssl.SSLCertVerificationError("x")
    inner.verify_message = "self-signed certificate"
    outer = httpx.ConnectError("x")
    outer.__cause__ = OSError("y")
    outer.__cause__.__cause__ = inner
    found = transport_failed(outer, _WAITS, _URL)
    assert "is not trusted: self-signed certificate (name its CA under tls.ca_file)" in found.message
    assert not found.retryable
