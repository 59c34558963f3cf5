"""What the contract kit lends to components under test."""

from __future__ import annotations

import anyio
import pytest

from mlo.errors import AuthFailed, ConfigError, MloError
from mlo_mock import MockProvider
from mlo_mock.plugin import mlo_providers
from mlo_sdk.testing import ContractBroken, FixedAuth, LoneEnvironment, build, hosted, surroundings, watching
from mlo_sdk.testing.surroundings import collapsed, patient

pytestmark = pytest.mark.anyio

(MOCK,) = mlo_providers()


async def test_an_environment_lends_the_providers_it_was_given() -> None:
    inner = MockProvider()
    environment = LoneEnvironment(providers={"inner": inner})
    assert await environment.provider("inner") is inner
    with pytest.raises(ConfigError, match=r"providers\.contract: no provider 'other'"):
        await environment.provider("other")


async def test_a_fixed_token_cannot_be_renewed() -> None:
    scheme = FixedAuth()
    credentials = await scheme.credentials()
    assert credentials.headers["Authorization"].startswith("Bearer ")
    with pytest.raises(AuthFailed, match="rejected"):
        await scheme.credentials(stale=credentials.generation)
    assert scheme.token.reveal() not in repr(scheme)


async def test_a_component_lives_in_a_task_of_its_own() -> None:
    async with hosted(MOCK.open, build(MOCK, {"answer": "да"}), LoneEnvironment()) as provider:
        assert isinstance(provider, MockProvider)


async def test_an_error_inside_the_block_comes_out_by_itself() -> None:
    with pytest.raises(MloError, match="inside"):
        async with patient(), hosted(MOCK.open, build(MOCK, {}), LoneEnvironment()):
            raise MloError("inside")


async def test_several_errors_stay_a_group() -> None:
    with pytest.raises(ExceptionGroup), collapsed():
        raise ExceptionGroup("two", [ValueError("a"), ValueError("b")])


async def test_waiting_in_vain_is_a_broken_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_PATIENCE", 0.01)
    with pytest.raises(ContractBroken, match="waits for what never comes"):
        async with patient():
            await anyio.sleep_forever()


async def test_patience_sets_no_deadline() -> None:
    async with patient():
        assert anyio.current_effective_deadline() == float("inf")


async def test_a_call_is_cancelled_at_the_suspension_asked_for() -> None:
    reached: list[int] = []

    async def call() -> None:
        for number in range(1, 4):
            await anyio.sleep(0)
            reached.append(number)

    report = await watching.cancel_at(call, 3)
    assert reached == [1, 2]
    assert (report.reached, report.swallowed, report.error) == (True, False, None)
    assert not (await watching.cancel_at(call, 9)).reached
