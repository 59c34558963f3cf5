"""Tokens under load, counted at the emulator."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import evolve

from mlo.api import AuthScheme, Provider
from mlo.errors import AuthFailed, MloError, ServerFault
from mlo.requests import ChatRequest
from mlo.secret import Secret
from mlo_emulators.faults import Latency
from mlo_emulators.gigachat import Emulator
from mlo_gigachat.auth import open_oauth, open_password
from mlo_gigachat.config import GigaChatConfig, OAuthConfig, PasswordConfig
from mlo_gigachat.provider import open_gigachat
from mlo_sdk.testing.surroundings import LoneEnvironment, context

from .conftest import new_key

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def account(url: str, key: str = "", **options: Any) -> AsyncIterator[tuple[Provider, AuthScheme]]:
    config = OAuthConfig(key=Secret(key or new_key()), auth_url=f"{url}/api/v2/oauth", **options)
    async with (
        open_oauth(config, LoneEnvironment()) as scheme,
        open_gigachat(GigaChatConfig(base_url=f"{url}/v1"), LoneEnvironment(scheme=scheme)) as provider,
    ):
        yield provider, scheme


async def ask_at_once(provider: Provider, times: int) -> list[Exception]:
    """The failures among so many calls at once."""
    failures: list[Exception] = []

    async def ask() -> None:
        try:
            await provider.generate(ChatRequest.of("привет"), context())
        except MloError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(times):
            tasks.start_soon(ask)
    return failures


async def test_a_hundred_cold_calls_fetch_one_token(url: str, emulator: Emulator) -> None:
    emulator.configure(oauth_delay=Latency("constant", 0.1))
    async with account(url) as (provider, _):
        assert await ask_at_once(provider, 100) == []
    assert emulator.journal["oauth requests"] == 1


async def test_401s_spread_over_a_second_make_one_refresh(url: str, emulator: Emulator) -> None:
    async with account(url) as (provider, _):
        assert await ask_at_once(provider, 1) == []
        emulator.configure(unauthorized_delay=Latency("uniform", 0.0, 1.0))  # and forget the token
        assert await ask_at_once(provider, 100) == []
    assert emulator.journal["status 401"] == 100
    assert emulator.journal["oauth requests"] == 1


async def test_one_failure_is_shared_by_all_who_wait(url: str, emulator: Emulator) -> None:
    emulator.configure(oauth_down=True, oauth_delay=Latency("constant", 0.3))
    async with account(url) as (provider, _):
        failures = await ask_at_once(provider, 100)
    assert {type(failure) for failure in failures} == {ServerFault}
    assert len(failures) == 100
    assert emulator.journal["oauth requests"] == 1


async def test_a_working_token_survives_a_broken_token_endpoint(url: str, emulator: Emulator) -> None:
    emulator.configure(token_lifetime=100.0)
    async with account(url, refresh_before=99.0) as (provider, _):
        assert await ask_at_once(provider, 1) == []
        emulator.options = evolve(emulator.options, oauth_down=True)
        assert await ask_at_once(provider, 3) == []


async def test_a_revoked_token_is_renewed_in_the_middle_of_work(url: str, emulator: Emulator) -> None:
    emulator.configure(revoke_after=1)
    async with account(url) as (provider, _):
        for _ in range(3):
            await provider.generate(ChatRequest.of("привет"), context())
    assert emulator.journal["oauth requests"] == 3


async def test_a_token_that_never_works_is_renewed_once_per_call(url: str, emulator: Emulator) -> None:
    emulator.configure(revoke_after=0)
    async with account(url) as (provider, _):
        with pytest.raises(AuthFailed, match="Token has expired"):
            await provider.generate(ChatRequest.of("привет"), context())
    assert emulator.journal["oauth requests"] == 2


@pytest.mark.parametrize("unit", ["s", "ms"])
async def test_expiry_is_understood_in_both_units(url: str, emulator: Emulator, unit: str) -> None:
    emulator.configure(expires_in=unit)
    async with account(url) as (provider, scheme):
        assert await ask_at_once(provider, 2) == []
        expires_at = (await scheme.credentials()).expires_at
    assert expires_at is not None
    assert emulator.journal["oauth requests"] == 1
    assert expires_at < 10**10


async def test_the_token_request_is_what_the_service_documents(url: str, emulator: Emulator, key: str) -> None:
    async with account(url, key, scope="GIGACHAT_API_PERS") as (_, scheme):
        await scheme.credentials()
        await scheme.credentials(stale=1)
    first, second = emulator.journal.matching("/oauth")
    assert first.body == b"scope=GIGACHAT_API_PERS"
    assert first.headers["authorization"] == f"Basic {key}"
    assert first.headers["rquid"] != second.headers["rquid"]
    assert first.headers["user-agent"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key_scopes": ("GIGACHAT_API_CORP",)}, "mlo gigachat check"),
        ({"key": "b3RoZXI6a2V5"}, "the key is unknown"),
    ],
    ids=["scope", "key"],
)
async def test_refusals_say_what_to_do(
    url: str, emulator: Emulator, key: str, changes: dict[str, Any], said: str
) -> None:
    emulator.configure(**changes)
    async with account(url, key) as (_, scheme):
        with pytest.raises(AuthFailed, match=said) as caught:
            await scheme.credentials()
    assert key not in str(caught.value)


async def test_passwords_are_exchanged_for_tokens_that_are_kept(url: str, emulator: Emulator) -> None:
    config = PasswordConfig(user="u", password=Secret("p"), base_url=f"{url}/v1")
    async with (
        open_password(config, LoneEnvironment()) as scheme,
        open_gigachat(GigaChatConfig(base_url=f"{url}/v1"), LoneEnvironment(scheme=scheme)) as provider,
    ):
        assert await ask_at_once(provider, 5) == []
    assert emulator.journal["password logins"] == 1


async def test_a_wrong_password_is_refused(url: str, emulator: Emulator) -> None:
    emulator.configure(password="right")
    config = PasswordConfig(user="u", password=Secret("wrong-canary"), base_url=f"{url}/v1")
    async with open_password(config, LoneEnvironment()) as scheme:
        with pytest.raises(AuthFailed, match="neither user nor password") as caught:
            await scheme.credentials()
    assert "wrong-canary" not in str(caught.value)


def _in_threads(count: int, work: Callable[[], object]) -> list[BaseException]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_sixteen_threads_with_their_own_loops_share_one_token(url: str, emulator: Emulator, key: str) -> None:
    emulator.configure(oauth_delay=Latency("constant", 0.2))
    together, backends = threading.Barrier(16), iter(["asyncio", "trio"] * 8)

    async def main() -> None:
        async with account(url, key) as (provider, _):
            await anyio.to_thread.run_sync(together.wait)
            assert await ask_at_once(provider, 3) == []

    assert _in_threads(16, lambda: anyio.run(main, backend=next(backends))) == []
    assert emulator.journal["oauth requests"] == 1
    assert len(emulator.journal.matching("/chat/completions")) == 48
