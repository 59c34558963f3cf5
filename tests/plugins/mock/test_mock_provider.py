from __future__ import annotations

from typing import Any, get_args

import anyio
import pytest

from mlo.errors import (
    AuthFailed,
    ContentBlocked,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProtocolViolated,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    TransportFailed,
    Unsupported,
)
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import Message, ToolChoice, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import FinishReason
from mlo_mock import Latency, MockConfig, MockProvider
from mlo_mock.config import Fault
from mlo_mock.plugin import mlo_providers
from mlo_sdk.testing import build, context

pytestmark = pytest.mark.anyio

(SPEC,) = mlo_providers()
ASK = ChatRequest.of("раз два три")
FAULTS: dict[str, type[ProviderError]] = {
    "timeout": TransportFailed,
    "refused": TransportFailed,
    "rate-limit": RateLimited,
    "overloaded": Overloaded,
    "server-fault": ServerFault,
    "quota-exhausted": QuotaExhausted,
    "auth-error": AuthFailed,
    "permission-denied": PermissionDenied,
    "model-not-found": ModelNotFound,
    "invalid-request": InvalidRequest,
    "context-too-long": ContextTooLong,
    "content-blocked": ContentBlocked,
    "unsupported": Unsupported,
    "protocol-violated": ProtocolViolated,
}


def mock(**options: Any) -> MockProvider:
    return MockProvider(build(SPEC, options))


async def answer(provider: MockProvider, request: ChatRequest = ASK) -> str:
    return (await provider.generate(request, context())).text


async def outcomes(provider: MockProvider, calls: int) -> str:
    """One letter per call: . for an answer, F for a failure."""
    letters = []
    for _ in range(calls):
        try:
            await answer(provider)
        except ProviderError:
            letters.append("F")
        else:
            letters.append(".")
    return "".join(letters)


async def events(provider: MockProvider, request: ChatRequest = ASK) -> list[Event]:
    return [event async for event in provider.generate_stream(request, context())]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the mock would have slept; it does not."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    return slept


def test_every_fault_has_an_error() -> None:
    assert set(FAULTS) == set(get_args(Fault))


@pytest.mark.parametrize("mode", FAULTS)
async def test_a_mode_fails_every_call_its_way(mode: str) -> None:
    provider = mock(mode=mode)
    for call in (answer(provider), events(provider)):
        with pytest.raises(ProviderError) as caught:
            await call
        assert type(caught.value) is FAULTS[mode]


async def test_retry_after_goes_along() -> None:
    with pytest.raises(RateLimited) as caught:
        await answer(mock(mode="rate-limit", retry_after=1.5))
    assert (caught.value.status, caught.value.retry_after) == (429, 1.5)


async def test_an_unhealthy_mock_says_so_and_is_overloaded() -> None:
    provider = mock(mode="unhealthy", load=0.9)
    health = await provider.health()
    assert (health.healthy, health.detail, health.load) == (False, "mode unhealthy", 0.9)
    with pytest.raises(Overloaded):
        await answer(provider)


@pytest.mark.parametrize(("mode", "healthy"), [("normal", True), ("auth-error", True), ("refused", False)])
async def test_a_rejected_key_is_no_sickness_of_the_service(mode: str, healthy: bool) -> None:
    assert (await mock(mode=mode).health()).healthy is healthy


async def test_a_hanging_mock_never_answers() -> None:
    with anyio.move_on_after(0.02) as scope:
        await answer(mock(mode="hang"))
    assert scope.cancelled_caught


async def test_the_first_calls_may_fail() -> None:
    assert await outcomes(mock(fail_first=2), 5) == "FF..."


async def test_every_third_call_may_fail() -> None:
    assert await outcomes(mock(fail_every=3), 7) == "..F..F."


async def test_a_share_of_calls_may_fail_the_same_ones_each_time() -> None:
    one, other = [await outcomes(mock(fail_rate=0.5, seed=4), 40) for _ in range(2)]
    assert one == other
    assert 10 <= one.count("F") <= 30


async def test_the_failure_may_be_chosen() -> None:
    with pytest.raises(QuotaExhausted):
        await answer(mock(fail_first=1, fail_with="quota-exhausted"))


async def test_embeddings_fail_as_chat_does() -> None:
    provider = mock(fail_first=1)
    request = EmbeddingRequest(texts=("раз",))
    with pytest.raises(ServerFault):
        await provider.embed(request, context())
    assert len((await provider.embed(request, context())).vectors) == 1


async def test_calls_at_once_fail_as_often_as_one_after_the_other() -> None:
    provider = mock(fail_first=3, delay=0.001)
    ends: list[str] = []

    async def ask() -> None:
        ends.append(await outcomes(provider, 1))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
    assert sorted(ends) == ["."] * 7 + ["F"] * 3


async def test_a_script_is_spoken_line_by_line_and_ends_on_its_last() -> None:
    provider = mock(script=["один", "два"])
    assert [await answer(provider) for _ in range(3)] == ["один", "два", "два"]


async def test_a_call_that_fails_leaves_the_script_where_it_is() -> None:
    provider = mock(script=["один", "два"], fail_first=1)
    assert await outcomes(provider, 1) == "F"
    assert await answer(provider) == "один"


async def test_a_finish_reason_may_be_made_up() -> None:
    provider = mock(finish_reason="content_filter")
    assert (await provider.generate(ASK, context())).finish_reason is FinishReason.CONTENT_FILTER
    assert (await events(provider))[-1] == Finished(FinishReason.CONTENT_FILTER)


async def test_a_stream_goes_word_by_word() -> None:
    found = await events(mock())
    assert [event.text for event in found if isinstance(event, TextDelta)] == ["Эхо:", " раз", " два", " три"]
    assert [type(event) for event in found if not isinstance(event, TextDelta)] == [Started, UsageReported, Finished]


async def test_a_stream_may_go_by_characters() -> None:
    found = await events(mock(chunk_size=6, answer="0123456789"))
    assert [event.text for event in found if isinstance(event, TextDelta)] == ["012345", "6789"]


async def test_reasoning_is_streamed_before_the_answer() -> None:
    found = await events(mock(), ChatRequest(messages=ASK.messages, reasoning="low"))
    kinds = [type(event) for event in found if isinstance(event, ReasoningDelta | TextDelta)]
    assert kinds == [ReasoningDelta] * 5 + [TextDelta] * 4


async def test_a_tool_call_is_streamed_in_pieces() -> None:
    tool = ToolDef(name="f", parameters={"type": "object", "properties": {"a": {"type": "string"}}})
    request = ChatRequest(messages=ASK.messages, tools=(tool,), tool_choice=ToolChoice(mode="required"))
    pieces = [event for event in await events(mock(chunk_size=4), request) if isinstance(event, ToolCallDelta)]
    assert (pieces[0].id, pieces[0].name, pieces[0].arguments) == ("call_1_0", "f", "")
    assert "".join(piece.arguments for piece in pieces) == '{"a": "a"}'
    assert {piece.name for piece in pieces[1:]} == {None}


@pytest.mark.parametrize(("after", "texts"), [(0, 0), (2, 2), (4, 4)])
async def test_a_stream_may_be_cut(after: int, texts: int) -> None:
    read: list[Event] = []
    with pytest.raises(TransportFailed, match=f"cut after {after} chunks"):
        async for event in mock(break_after=after).generate_stream(ASK, context()):
            read.append(event)
    assert sum(isinstance(event, TextDelta) for event in read) == texts


async def test_an_answer_shorter_than_the_cut_is_whole() -> None:
    assert isinstance((await events(mock(break_after=99)))[-1], Finished)


async def test_without_delays_nothing_is_slept(pauses: list[float]) -> None:
    provider = mock()
    await answer(provider)
    await events(provider)
    assert pauses == []


async def test_delays_come_before_the_answer_and_between_chunks(pauses: list[float]) -> None:
    await events(mock(delay=1, first_delay=2, chunk_delay=0.5))
    assert pauses == [3.0, 0.5, 0.5, 0.5, 0.5]


async def test_a_whole_answer_waits_for_the_delay_alone(pauses: list[float]) -> None:
    await answer(mock(delay=1, first_delay=2, chunk_delay=0.5))
    assert pauses == [1.0]


async def test_an_error_takes_its_time_as_well(pauses: list[float]) -> None:
    with pytest.raises(TransportFailed):
        await answer(mock(mode="timeout", delay=30))
    assert pauses == [30.0]


async def test_a_trickle_spreads_the_answer_over_its_time(pauses: list[float]) -> None:
    found = await events(mock(trickle=10, answer="abcde"))
    assert [event.text for event in found if isinstance(event, TextDelta)] == list("abcde")
    assert pauses == [2.0] * 5


async def drawn(pauses: list[float], **latency: Any) -> list[float]:
    provider = mock(latency=latency, seed=5)
    start = len(pauses)
    for _ in range(200):
        await answer(provider)
    return pauses[start:]


async def test_a_latency_is_drawn_the_same_way_each_time(pauses: list[float]) -> None:
    options = {"kind": "lognormal", "median": 0.4, "sigma": 1.0}
    assert await drawn(pauses, **options) == await drawn(pauses, **options)


async def test_a_constant_latency_is_one(pauses: list[float]) -> None:
    assert set(await drawn(pauses, kind="constant", low=0.25)) == {0.25}


async def test_a_uniform_latency_keeps_its_bounds(pauses: list[float]) -> None:
    found = await drawn(pauses, kind="uniform", low=1.0, high=3.0)
    assert 1.0 <= min(found) < 1.2
    assert 2.8 < max(found) <= 3.0


async def test_a_lognormal_latency_has_its_median(pauses: list[float]) -> None:
    found = sorted(await drawn(pauses, kind="lognormal", median=0.4, sigma=0.5))
    assert found[100] == pytest.approx(0.4, rel=0.2)
    assert found[-1] > 1.0


async def test_an_exponential_latency_has_its_floor_and_its_ceiling(pauses: list[float]) -> None:
    found = await drawn(pauses, kind="exponential", low=0.5, median=1.0, high=2.0)
    assert (min(found) >= 0.5, max(found)) == (True, 2.0)


async def test_models_are_as_configured() -> None:
    assert [model.id for model in await mock(models=["small", "large"]).models()] == ["small", "large"]


async def test_any_model_will_do_unless_models_are_strict() -> None:
    request = ChatRequest(messages=ASK.messages, model="huge")
    assert (await mock(models=["small"]).generate(request, context())).model == "huge"
    with pytest.raises(ModelNotFound, match=r"no model 'huge'; `models` lists small, large"):
        await answer(mock(models=["small", "large"], strict_models=True), request)


async def test_vendor_options_come_back_so_that_tests_can_see_them() -> None:
    request = ChatRequest(messages=ASK.messages, extra={"flag": 1})
    assert (await mock().generate(request, context())).raw == {"extra": {"flag": 1}}


async def test_tokens_are_words() -> None:
    assert await mock().count_tokens(["раз", "раз два", ""]) == (1, 2, 0)


async def test_embeddings_have_the_dimensions_asked_for() -> None:
    provider = mock(dimensions=8)
    lengths = [
        len((await provider.embed(EmbeddingRequest(texts=("раз",), dimensions=wanted), context())).vectors[0])
        for wanted in (None, 3)
    ]
    assert lengths == [8, 3]


async def test_calls_and_open_streams_are_counted() -> None:
    provider = mock()
    stream = provider.generate_stream(ASK, context())
    await anext(stream)
    assert (provider.calls, provider.open_streams) == (1, 1)
    await stream.aclose()
    assert provider.open_connections() == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"delay": -1.0}, "`delay` of MockConfig must be a number >= 0, got -1.0"),
        ({"chunk_size": 0}, "`chunk_size` of MockConfig must be > 0, got 0"),
        ({"fail_rate": 1.5}, "`fail_rate` of MockConfig must lie between 0 and 1"),
        ({"answer": "а", "script": ("б",)}, "exclude each other"),
        ({"models": ()}, "at least one model"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MockConfig(**options)


def test_a_uniform_latency_needs_both_bounds() -> None:
    with pytest.raises(ValueError, match="needs `high` >= `low`"):
        Latency(kind="uniform", low=1.0)


async def test_a_mock_needs_no_configuration() -> None:
    assert await answer(MockProvider(), ChatRequest(messages=(Message.user("Привет"),))) == "Эхо: Привет"


async def test_more_dimensions_than_any_model_has_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="too many"):
        await mock().embed(EmbeddingRequest(texts=("раз",), dimensions=10**12), context())
