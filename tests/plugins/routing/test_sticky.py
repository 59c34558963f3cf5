from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mlo.requests import ChatRequest, EmbeddingRequest
from mlo_routing.options import StickyOptions
from mlo_routing.sticky import Sticky
from mlo_sdk.testing import target
from tests.plugins.routing.walks import order

PLACES = [target(name) for name in ("giga", "yandex", "local", "cloud")]
SESSIONS = st.text(min_size=1, max_size=20)


def of(session: str) -> ChatRequest:
    return ChatRequest(messages=ChatRequest.of("Привет").messages, metadata={"session": session})


@given(SESSIONS)
def test_a_session_keeps_its_order_in_every_process(session: str) -> None:
    assert order(Sticky(), of(session), PLACES) == order(Sticky(), of(session), PLACES[::-1])


def test_the_order_does_not_change_between_versions() -> None:
    assert order(Sticky(), of("session-1"), PLACES) == ["cloud", "yandex", "giga", "local"]


@given(SESSIONS, st.integers(0, 3))
def test_a_target_that_goes_away_moves_only_its_own_sessions(session: str, gone: int) -> None:
    whole = order(Sticky(), of(session), PLACES)
    rest = [place for number, place in enumerate(PLACES) if number != gone]
    assert order(Sticky(), of(session), rest) == [name for name in whole if name != PLACES[gone].name]


def test_sessions_spread_evenly() -> None:
    firsts = Counter(order(Sticky(), of(f"session-{number}"), PLACES)[0] for number in range(2000))
    assert all(400 < count < 600 for count in firsts.values())
    assert len(firsts) == 4


def test_without_the_key_the_order_is_random() -> None:
    strategy = Sticky(StickyOptions(seed=1))
    assert len({tuple(order(strategy, ChatRequest.of("Привет"), PLACES)) for _ in range(50)}) > 10


def test_another_key_may_decide() -> None:
    strategy = Sticky(StickyOptions(by="user"))
    request = EmbeddingRequest(texts=("раз",), metadata={"user": "u-1"})
    assert len({tuple(order(strategy, request, PLACES)) for _ in range(10)}) == 1
