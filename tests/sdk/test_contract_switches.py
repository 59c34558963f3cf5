"""Which checks of a contract apply to an implementation."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from mlo.models import Capability
from mlo_mock.plugin import mlo_providers
from mlo_sdk.testing import Failure, ProviderContract

(MOCK,) = mlo_providers()
CHAT_ONLY = attrs.evolve(MOCK, capabilities=frozenset({Capability.CHAT}))


def checks(contract: type) -> set[str]:
    return {name for name in dir(contract) if name.startswith("test_") and callable(getattr(contract, name))}


def test_a_check_without_its_capability_is_not_collected_and_named() -> None:
    class Contract(ProviderContract):
        spec = CHAT_ONLY

    assert "test_a_stream_is_well_formed" not in checks(Contract)
    assert Contract.switched_off["test_a_stream_is_well_formed"] == "needs stream"
    assert checks(Contract).isdisjoint(Contract.switched_off)
    assert checks(Contract) | set(Contract.switched_off) == checks(ProviderContract)


def test_a_flag_switches_its_checks_on() -> None:
    class Contract(ProviderContract):
        spec = MOCK
        deterministic = True

    assert "test_a_stream_adds_up_to_the_answer" in checks(Contract)


def test_a_class_in_between_takes_nothing_away_for_good() -> None:
    class Between(ProviderContract):
        spec = CHAT_ONLY

    class Contract(Between):
        spec = MOCK

    assert "test_a_stream_is_well_formed" in checks(Contract)
    assert "test_a_stream_is_well_formed" not in checks(Between)


def test_an_instance_may_be_able_to_do_less_than_its_spec() -> None:
    class Contract(ProviderContract):
        spec = MOCK
        capabilities = frozenset({Capability.CHAT, Capability.STREAM})

    assert "test_a_forced_tool_is_called" not in checks(Contract)
    assert "test_a_stream_is_well_formed" in checks(Contract)


def test_a_fixture_of_ones_own_switches_on_what_it_is_for() -> None:
    class Without(ProviderContract):
        spec = MOCK

    class With(ProviderContract):
        spec = MOCK

        @pytest.fixture
        def failures(self) -> Mapping[str, Failure]:
            return {}

    assert Without.switched_off["test_failures_are_typed"] == "needs failures"
    assert "test_failures_are_typed" in checks(With)


def test_the_contract_itself_loses_nothing() -> None:
    assert "test_samples_parse_however_they_are_cut" in checks(ProviderContract)
