from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import trustme

from mlo.errors import TransportFailed
from mlo_sdk import HttpClient, InsecureTransport, TlsConfig
from tests.sdk.http_server import Received, serving, whole_json

pytestmark = pytest.mark.anyio
ClientOf = Callable[..., HttpClient]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def server_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def answer_ok(_request: Received) -> Iterable[object]:
    return [whole_json({"ok": True})]


async def test_an_added_ca_is_trusted(client_of: ClientOf, ca_file: str, server_context: ssl.SSLContext) -> None:
    with serving(answer_ok, tls=server_context) as server:
        async with client_of(server.url, tls=TlsConfig(ca_file=ca_file)) as client:
            assert (await client.request("GET", "/")).data == {"ok": True}


async def test_an_unknown_ca_is_not(client_of: ClientOf, server_context: ssl.SSLContext) -> None:
    with serving(answer_ok, tls=server_context) as server:
        async with client_of(server.url) as client:
            with pytest.raises(TransportFailed, match=r"is not trusted: .* under tls\.ca_file\)") as caught:
                await client.request("GET", "/")
    assert caught.value.retryable is False


async def test_verification_can_be_switched_off_with_a_warning(
    client_of: ClientOf, server_context: ssl.SSLContext
) -> None:
    with serving(answer_ok, tls=server_context) as server:
        with pytest.warns(InsecureTransport, match="identity is not verified"):
            client = await client_of(server.url, tls=TlsConfig(verify=False)).__aenter__()
        async with client:
            assert (await client.request("GET", "/")).data == {"ok": True}


async def test_added_ca_and_client_certificate_go_together(
    client_of: ClientOf, ca: trustme.CA, ca_file: str, server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    server_context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(server_context)
    ca.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    tls = TlsConfig(ca_file=ca_file, client_cert=str(tmp_path / "client.pem"))
    with serving(answer_ok, tls=server_context) as server:
        async with client_of(server.url, tls=tls) as client:
            assert (await client.request("GET", "/")).data == {"ok": True}


async def test_a_server_that_wants_a_client_certificate(
    client_of: ClientOf, ca: trustme.CA, ca_file: str, server_context: ssl.SSLContext
) -> None:
    server_context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(server_context)
    with serving(answer_ok, tls=server_context) as server:
        async with client_of(server.url, tls=TlsConfig(ca_file=ca_file)) as client:
            # the server's alert and its reset of the connection race
            with pytest.raises(TransportFailed, match=r"wants a client certificate: tls\.client_cert|was lost"):
                await client.request("GET", "/")
