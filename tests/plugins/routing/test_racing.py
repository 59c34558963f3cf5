from __future__ import annotations

import pytest

from mlo.requests import ChatRequest
from mlo_routing.options import HedgedOptions
from mlo_routing.racing import Hedged
from mlo_sdk.testing import target
from tests.plugins.routing.walks import steps

ASK = ChatRequest.of("Привет")
PLACES = [target(name) for name in "abcde"]


def groups(options: HedgedOptions | None = None) -> list[str]:
    return ["".join(place.name for place in step.targets) for step in steps(Hedged(options), ASK, PLACES)]


def test_two_race_and_the_next_two_follow() -> None:
    assert groups() == ["ab", "cd", "e"]


def test_the_width_is_up_to_the_route() -> None:
    assert groups(HedgedOptions(width=4)) == ["abcd", "e"]


def test_the_second_starts_after_the_stagger() -> None:
    assert [step.stagger for step in steps(Hedged(HedgedOptions(stagger=0.25)), ASK, PLACES)] == [0.25] * 3


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        HedgedOptions(width=1)
    with pytest.raises(ValueError, match="`stagger` must be a number >= 0"):
        HedgedOptions(stagger=-0.5)
