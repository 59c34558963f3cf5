"""IAM tokens over real sockets: one exchange for all, one replay after a 401, four sources."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlo import Secret
from mlo.api import AuthScheme
from mlo.errors import AuthFailed, ConfigError, ProviderError, TransportFailed
from mlo.requests import ChatRequest
from mlo_emulators.server import running
from mlo_emulators.yandexgpt import AuthorizedKey
from mlo_sdk.testing import LoneEnvironment, context, hosted
from mlo_yandexgpt.auth import open_api_key, open_iam
from mlo_yandexgpt.config import YandexApiKeyConfig, YandexIamConfig
from mlo_yandexgpt.keys import AUDIENCE, parse_key, signed_jwt

from .cloud import OAUTH, Cloud, emulated, opened, routed
from .keys import ACCOUNT, KEY_ID, new_key, private_pem, public_pem, write_key_file

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def private_key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def cloud(private_key: RSAPrivateKey) -> Iterator[Cloud]:
    key = AuthorizedKey(id=KEY_ID, service_account_id=ACCOUNT, public_key=public_pem(private_key))
    with emulated(authorized_keys=(key,), gauge=None) as found:
        yield found


@asynccontextmanager
async def iam(cloud: Cloud, **source: Any) -> AsyncIterator[AuthScheme]:
    config = YandexIamConfig(iam_url=cloud.url, metadata_url=cloud.url, **source)
    async with hosted(open_iam, config, LoneEnvironment()) as scheme:
        yield scheme


ASK = ChatRequest.of("Привет")


async def ask_at_once(cloud: Cloud, scheme: AuthScheme, calls: int) -> int:
    """How many of `calls` concurrent calls got their answer."""
    answers = 0

    async def ask() -> None:
        nonlocal answers
        response = await provider.generate(ASK, context())
        answers += response.text == "Эхо: Привет"

    async with opened(cloud, scheme) as provider, anyio.create_task_group() as group:
        for _ in range(calls):
            group.start_soon(ask)
    return answers


async def test_a_hundred_cold_calls_exchange_once(cloud: Cloud) -> None:
    cloud.change(exchange_delay=0.05)
    async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme:
        assert await ask_at_once(cloud, scheme, 100) == 100
    assert cloud.journal["iam exchanges"] == 1


async def test_rejections_spread_over_time_refresh_once(cloud: Cloud) -> None:
    async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme:
        await ask_at_once(cloud, scheme, 1)
        cloud.change(think=0.02, exchange_delay=0.05)
        cloud.world.revoke_all()
        assert await ask_at_once(cloud, scheme, 50) == 50
    assert cloud.journal["iam exchanges"] == 2


async def test_a_revoked_token_costs_one_replay(cloud: Cloud) -> None:
    async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme, opened(cloud, scheme) as provider:
        await provider.generate(ASK, context())
        cloud.world.revoke_all()
        await provider.generate(ASK, context())
    assert len(cloud.journal.matching("/completion")) == 3
    assert cloud.journal["iam exchanges"] == 2


async def test_a_token_that_dies_in_the_middle_of_a_run(cloud: Cloud) -> None:
    cloud.change(token_requests=3)
    async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme, opened(cloud, scheme) as provider:
        texts = [(await provider.generate(ASK, context())).text for _ in range(7)]
    assert texts == ["Эхо: Привет"] * 7
    assert cloud.journal["iam exchanges"] == 3


async def test_a_stream_is_replayed_too(cloud: Cloud) -> None:
    async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme, opened(cloud, scheme) as provider:
        await provider.generate(ASK, context())
        cloud.world.revoke_all()
        events = [event async for event in provider.generate_stream(ASK, context())]
    assert len(events) >= 3


async def test_the_same_token_again_is_no_trouble(cloud: Cloud) -> None:
    cloud.change(reissue=True)
    async with iam(cloud, oauth_token=Secret(OAUTH), refresh_after=0.0) as scheme:
        first, second = await scheme.credentials(), await scheme.credentials()
    assert first.headers == second.headers
    assert second.generation > first.generation


async def test_an_authorized_key_buys_tokens(cloud: Cloud, private_key: RSAPrivateKey, tmp_path: Path) -> None:
    file = write_key_file(tmp_path / "key.json", private_key)
    async with iam(cloud, key_file=str(file)) as scheme:
        assert await ask_at_once(cloud, scheme, 2) == 2


async def test_an_authorized_key_as_text(cloud: Cloud, private_key: RSAPrivateKey, tmp_path: Path) -> None:
    text = write_key_file(tmp_path / "key.json", private_key).read_text()
    async with iam(cloud, key=Secret(f"\n{text}\n")) as scheme:
        assert await ask_at_once(cloud, scheme, 2) == 2


async def test_metadata_gives_tokens(cloud: Cloud) -> None:
    async with iam(cloud, metadata=True) as scheme:
        assert await ask_at_once(cloud, scheme, 10) == 10
        credentials = await scheme.credentials()
    assert cloud.journal["metadata tokens"] == 1
    assert credentials.expires_at == pytest.approx(time.time() + 43200, abs=60)


async def test_a_fixed_token_is_stripped_and_used(cloud: Cloud) -> None:
    token = cloud.world.issue("ajesomebody").value
    async with iam(cloud, token=Secret(f"{token}\n")) as scheme:
        assert await ask_at_once(cloud, scheme, 1) == 1


async def test_a_fixed_token_cannot_be_renewed(cloud: Cloud) -> None:
    async with iam(cloud, token=Secret("t1.expired")) as scheme, opened(cloud, scheme) as provider:
        with pytest.raises(AuthFailed, match=r"Token is invalid or has expired.*12 hours"):
            await provider.generate(ASK, context())
    assert len(cloud.journal.matching("/completion")) == 1


async def test_a_wrong_key_says_what_the_cloud_said(cloud: Cloud) -> None:
    auth = {"use": "yandex-api-key", "key": "AQVNsomethingelse"}
    async with routed(cloud, auth=auth) as router:
        with pytest.raises(AuthFailed, match="Unknown api key"):
            await router.route("Привет")


async def test_a_rejected_oauth_token_is_an_auth_error(cloud: Cloud) -> None:
    async with iam(cloud, oauth_token=Secret("y0_other")) as scheme:
        with pytest.raises(AuthFailed, match="OAuth token is invalid"):
            await scheme.credentials()


async def test_without_a_metadata_service_the_error_says_so() -> None:
    config = YandexIamConfig(metadata=True, metadata_url="http://127.0.0.1:9")
    async with hosted(open_iam, config, LoneEnvironment()) as scheme:
        with pytest.raises(TransportFailed, match="virtual machine"):
            await scheme.credentials()


async def test_an_answer_without_a_token_is_no_token(cloud: Cloud) -> None:
    config = YandexIamConfig(oauth_token=Secret(OAUTH), iam_url=f"{cloud.url}/nowhere")
    async with hosted(open_iam, config, LoneEnvironment()) as scheme:
        with pytest.raises(AuthFailed):
            await scheme.credentials()


_LEAKS = {
    "cut": (200, '{{"iamToken":"t1.canary'),
    "a list": (200, '["t1.canary"]'),
    "an echo": (400, '{{"code": 3, "message": "cannot exchange {body}"}}'),
}


@pytest.mark.parametrize(("status", "answer"), _LEAKS.values(), ids=list(_LEAKS))
async def test_errors_of_the_token_service_show_no_secret(status: int, answer: str) -> None:
    async def exchange(request: Request) -> Response:
        said = (await request.body()).decode().replace('"', "'")
        return Response(answer.format(body=said), status, media_type="application/json")

    app = Starlette(routes=[Route("/iam/v1/tokens", exchange, methods=["POST"])])
    with running(app) as server:
        config = YandexIamConfig(oauth_token=Secret("y0_canary"), iam_url=server.url)
        async with hosted(open_iam, config, LoneEnvironment()) as scheme:
            with pytest.raises(ProviderError) as caught:
                await scheme.credentials()
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_iam_schemes_work_in_a_router(cloud: Cloud) -> None:
    auth = {"use": "yandex-iam", "oauth_token": OAUTH, "iam_url": cloud.url}
    async with routed(cloud, auth=auth) as router:
        assert (await router.route("Привет")).text == "Эхо: Привет"


def test_threads_share_one_token(cloud: Cloud) -> None:
    cloud.change(exchange_delay=0.1)

    async def one() -> None:
        async with iam(cloud, oauth_token=Secret(OAUTH)) as scheme:
            ready.wait()
            await scheme.credentials()

    ready = threading.Barrier(4)
    threads = [threading.Thread(target=anyio.run, args=(one,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cloud.journal["iam exchanges"] == 1


def test_the_jwt_verifies_with_the_public_key(private_key: RSAPrivateKey, tmp_path: Path) -> None:
    key = parse_key(write_key_file(tmp_path / "key.json", private_key).read_text(), "auth.key")
    now = int(time.time())
    token = signed_jwt(key, now)
    claims = jwt.decode(token, private_key.public_key(), algorithms=["PS256"], audience=AUDIENCE, issuer=ACCOUNT)
    assert (claims["iat"], claims["exp"]) == (now, now + 3600)
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "PS256", "kid": KEY_ID}


def elliptic_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "not JSON"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "a bare private key"),
        ("[]", "not a JSON object"),
        ('{"id": "ajekey"}', "without service_account_id, private_key"),
        (json.dumps({"id": "a", "service_account_id": "b", "private_key": "nonsense"}), "no PEM key"),
        (json.dumps({"id": "a", "service_account_id": "b", "private_key": elliptic_pem()}), "not an RSA key"),
    ],
    ids=["text", "bare key", "list", "fields missing", "nonsense for a key", "other kind of key"],
)
def test_a_key_file_that_is_none(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_key(text, "auth.key")
    assert caught.value.hint.startswith("make one with: yc iam key create")


async def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    config = YandexIamConfig(key_file=str(tmp_path / "none.json"))
    with pytest.raises(ConfigError, match="cannot read"):
        async with hosted(open_iam, config, LoneEnvironment()):
            pass


def test_a_broken_key_is_not_quoted(private_key: RSAPrivateKey) -> None:
    pem = private_pem(private_key)
    canary = pem.splitlines()[5]
    broken = json.dumps({"id": "a", "service_account_id": "b", "private_key": pem.replace("-----END", "", 1)})
    with pytest.raises(ConfigError) as caught:
        parse_key(broken, "auth.key")
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("t1.9euelZ", 'an IAM token: use auth = { use = "yandex-iam", token'),
        ("y0_AgAAAA", "an OAuth token"),
        ('{"private_key": "x"}', "an authorised key"),
        ("-----BEGIN PRIVATE KEY-----", "a bare private key"),
        ("ajeabcdefgh123456789", "the id of a key"),
        ("  \n", "empty"),
        ("AQVN key", "a space"),
    ],
)
async def test_a_wrong_kind_of_secret_is_explained(secret: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with hosted(open_api_key, YandexApiKeyConfig(key=Secret(secret)), LoneEnvironment(path="auth")):
            pass
    assert caught.value.path == "auth.key"
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "none is given"),
        ({"metadata": True, "token": Secret("t1.x")}, "token and metadata are given"),
        ({"token": Secret("AQVNkey")}, "an API key"),
        ({"oauth_token": Secret("t1.x")}, "an IAM token"),
        ({"key": Secret("y0_x")}, "an OAuth token"),
    ],
)
async def test_sources_are_checked_when_opened(source: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        async with hosted(open_iam, YandexIamConfig(**source), LoneEnvironment()):
            pass
