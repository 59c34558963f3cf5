"""Certificates: the server's, its CA's, the client's."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import evolve
from starlette.applications import Starlette

from mlo.errors import ConfigError, TransportFailed
from mlo.requests import ChatRequest
from mlo.secret import Secret
from mlo_emulators.gigachat import Options, create_app
from mlo_emulators.server import ServerTls, running
from mlo_emulators.tls import ThrowawayTls, throwaway
from mlo_gigachat.auth import open_oauth
from mlo_gigachat.config import GigaChatConfig, OAuthConfig
from mlo_gigachat.provider import open_gigachat
from mlo_gigachat.trust import ROOT_CA_SHA256, effective_tls
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.testing.surroundings import LoneEnvironment, context
from mlo_sdk.tls import InsecureTransport, TlsConfig

from .conftest import new_key

pytestmark = pytest.mark.anyio
PROMPT = ChatRequest.of("привет")


def fingerprint(pem: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayTls:
    return throwaway(tmp_path_factory.mktemp("tls"), client_cert=True)


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app(Options(concurrency=0))


@pytest.fixture(scope="module")
def plain(files: ThrowawayTls, app: Starlette) -> Iterator[str]:
    with running(app, tls=evolve(files.server, client_ca_file=None)) as server:
        yield server.url


@pytest.fixture(scope="module")
def demanding(files: ThrowawayTls, app: Starlette) -> Iterator[str]:
    with running(app, tls=files.server) as server:
        yield server.url


def trust(files: ThrowawayTls, **more: Any) -> TlsConfig:
    return TlsConfig(ca_file=str(files.ca_file), ca_sha256=fingerprint(files.ca_file), **more)


def identity(files: ThrowawayTls) -> dict[str, str]:
    return {"client_cert": str(files.client_cert_file), "client_key": str(files.client_key_file)}


@asynccontextmanager
async def account(url: str, tls: TlsConfig, *, verify_ssl: bool = True) -> AsyncIterator[Any]:
    oauth = OAuthConfig(key=Secret(new_key()), auth_url=f"{url}/api/v2/oauth", tls=tls, verify_ssl=verify_ssl)
    config = GigaChatConfig(base_url=f"{url}/v1", tls=tls, verify_ssl=verify_ssl)
    async with (
        open_oauth(oauth, LoneEnvironment()) as scheme,
        open_gigachat(config, LoneEnvironment(scheme=scheme)) as provider,
    ):
        yield provider


async def test_a_named_ca_is_trusted(plain: str, files: ThrowawayTls) -> None:
    async with account(plain, trust(files)) as provider:
        assert (await provider.generate(PROMPT, context())).text


async def test_a_client_certificate_and_a_ca_work_together(demanding: str, files: ThrowawayTls) -> None:
    async with account(demanding, trust(files, **identity(files))) as provider:
        assert (await provider.generate(PROMPT, context())).text


async def test_a_missing_client_certificate_is_an_error(demanding: str, files: ThrowawayTls) -> None:
    async with account(demanding, trust(files)) as provider:
        with pytest.raises(TransportFailed):
            await provider.generate(PROMPT, context())


async def test_a_client_certificate_alone_is_enough_where_no_token_is_asked_for(files: ThrowawayTls) -> None:
    app = create_app(Options(require_token=False))
    config_tls = trust(files, **identity(files))
    with running(app, tls=files.server) as server:
        config = GigaChatConfig(base_url=f"{server.url}/v1", tls=config_tls)
        async with open_gigachat(config, LoneEnvironment(scheme=StaticAuth({}))) as provider:
            assert (await provider.generate(PROMPT, context())).text
        assert "authorization" not in server.journal.requests[0].headers


async def test_an_unknown_ca_says_what_to_do(plain: str) -> None:
    async with account(plain, TlsConfig()) as provider:
        with pytest.raises(TransportFailed, match=r"not trusted.*tls\.ca_file") as caught:
            await provider.generate(PROMPT, context())
    assert not caught.value.retryable


async def test_a_ca_that_is_not_the_published_one_needs_its_own_fingerprint(plain: str, files: ThrowawayTls) -> None:
    with pytest.raises(ConfigError, match="may be a forgery"):
        async with account(plain, TlsConfig(ca_file=str(files.ca_file))):
            pytest.fail("it opened")


async def test_a_missing_ca_file_is_a_configuration_error(plain: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        async with account(plain, TlsConfig(ca_file=str(tmp_path / "none.pem"))):
            pytest.fail("it opened")


async def test_an_expired_certificate_is_refused(tmp_path: Path, app: Starlette) -> None:
    authority = trustme.CA()
    past = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
    expired = authority.issue_cert("127.0.0.1", not_before=past - dt.timedelta(days=1), not_after=past)
    ca, cert, key = tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem"
    authority.cert_pem.write_to_path(str(ca))
    expired.private_key_and_cert_chain_pem.write_to_path(str(cert))
    expired.private_key_pem.write_to_path(str(key))
    with running(app, tls=ServerTls(cert_file=cert, key_file=key)) as server:
        async with account(server.url, TlsConfig(ca_file=str(ca), ca_sha256=fingerprint(ca))) as provider:
            with pytest.raises(TransportFailed, match="expired"):
                await provider.generate(PROMPT, context())


async def test_verification_can_be_switched_off_and_warns(plain: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with account(plain, TlsConfig(), verify_ssl=False) as provider:
            assert (await provider.generate(PROMPT, context())).text
    assert {warning.category for warning in caught} == {InsecureTransport}


def test_the_published_fingerprint_is_the_default_for_a_ca_file() -> None:
    assert effective_tls(TlsConfig(ca_file="x"), verify_ssl=True).ca_sha256 == ROOT_CA_SHA256
    assert effective_tls(TlsConfig(ca_file="x", ca_sha256="aa"), verify_ssl=True).ca_sha256 == "aa"
    assert effective_tls(TlsConfig(), verify_ssl=True) == TlsConfig()
    assert not effective_tls(TlsConfig(), verify_ssl=False).verify
