"""What the kernel's records become, through a router over the mock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, Message, Router, records
from mlo.errors import AttemptsExhausted, CallRefused, MloError, StreamInterrupted
from mlo.models import Money
from mlo.requests import EmbeddingRequest
from mlo.responses import Usage
from mlo_prometheus.observer import PrometheusObserver
from tests.plugins.prometheus.scrapes import observer, series, total, value

pytestmark = pytest.mark.anyio

MOCK = '[providers.a]\nuse = "mock"\nprice = { prompt = "1000000", completion = "0.000001" }\n'
METRICS = '[observers.metrics]\nuse = "prometheus"\nlisten = false\n'
ASK = ChatRequest(messages=(Message.user("раз два три"),), metadata={"project": "shop"})


@asynccontextmanager
async def routed(folder: Path, toml: str) -> AsyncIterator[tuple[Router, PrometheusObserver]]:
    path = folder / "mlo.toml"
    path.write_text(METRICS + toml)
    async with Router.from_file(path) as router:
        metrics = await router.observer("metrics")
        assert isinstance(metrics, PrometheusObserver)
        yield router, metrics


async def test_a_call_is_counted_with_its_time_tokens_and_cost(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (router, metrics):
        await router.route(ASK)
    labels = {"provider": "a", "model": "mock", "project": "shop"}
    client = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "mock", "gen_ai_request_model": "mock"}
    assert value(metrics, "mlo_attempts_total", **labels, operation="chat", outcome="ok") == 1
    assert value(metrics, "mlo_call_duration_seconds_count", operation="chat", status="ok", project="shop") == 1
    assert value(metrics, "mlo_tokens_total", **labels, type="input") == 3
    assert value(metrics, "mlo_tokens_total", **labels, type="output") == 4
    assert value(metrics, "mlo_cost_rub_total", **labels) == 3.000000000
    assert value(metrics, "gen_ai_client_operation_duration_seconds_count", **client, provider="a") == 1
    assert value(metrics, "gen_ai_client_token_usage_sum", **client, provider="a", gen_ai_token_type="output") == 4
    assert value(metrics, "mlo_queue_seconds_count", provider="a") == 1
    assert value(metrics, "mlo_inflight", provider="a") == 0
    assert value(metrics, "mlo_breaker_state", target="a") == 0


async def test_an_unknown_cost_is_counted_apart_and_is_not_zero(tmp_path: Path) -> None:
    async with routed(tmp_path, '[providers.a]\nuse = "mock"\n') as (router, metrics):
        await router.route(ASK)
    assert value(metrics, "mlo_cost_unknown_total", provider="a", model="mock", project="shop") == 1
    assert series(metrics, "mlo_cost_rub_total") == {}


async def test_other_currencies_are_not_added_to_roubles(tmp_path: Path) -> None:
    mock = (
        '[providers.a]\nuse = "mock"\nprice = { prompt = "1", completion = "0", currency = "USD", request = "0.5" }\n'
    )
    async with routed(tmp_path, mock) as (router, metrics):
        await router.route(ASK)
    labels = {"provider": "a", "model": "mock", "project": "shop"}
    assert value(metrics, "mlo_cost_other_total", **labels, currency="USD") == pytest.approx(0.500003, abs=1e-12)
    assert series(metrics, "mlo_cost_rub_total") == {}


async def test_a_call_without_a_project_has_no_such_label(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (router, metrics):
        await router.route("привет")
    assert value(metrics, "mlo_call_duration_seconds_count", operation="chat", status="ok") == 1


async def test_embeddings_are_an_operation_of_their_own(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (router, metrics):
        await router.embed(EmbeddingRequest(texts=("раз", "два")))
    (labels,) = series(metrics, "gen_ai_client_operation_duration_seconds_count")
    assert dict(labels)["gen_ai_operation_name"] == "embeddings"
    assert total(metrics, "mlo_attempts_total") == 1


async def test_a_fallback_says_from_where_to_where_and_why(tmp_path: Path) -> None:
    toml = (
        '[providers.a]\nuse = "mock"\nmode = "overloaded"\n[providers.b]\nuse = "mock"\nfail_first = 1\n'
        'fail_with = "overloaded"\n[routes.default]\ntargets = ["a", "b:m"]\nretry = { rounds = 2, base = 0.001 }\n'
    )
    async with routed(tmp_path, toml) as (router, metrics):
        await router.route(ASK)
    assert value(metrics, "mlo_fallback_total", **{"from": "a"}, to="b:m", reason="Overloaded") == 2
    assert value(metrics, "mlo_fallback_total", **{"from": "b:m"}, to="a", reason="Overloaded") == 1
    assert series(metrics, "mlo_retry_total") == {}


async def test_a_retry_at_the_same_target(tmp_path: Path) -> None:
    toml = (
        '[providers.a]\nuse = "mock"\nfail_first = 1\nfail_with = "overloaded"\n'
        '[routes.default]\ntargets = ["a"]\nretry = { rounds = 2, base = 0.001 }\n'
    )
    async with routed(tmp_path, toml) as (router, metrics):
        await router.route(ASK)
    assert value(metrics, "mlo_retry_total", target="a", reason="Overloaded") == 1
    assert series(metrics, "mlo_fallback_total") == {}
    (failed,) = [key for key in series(metrics, "mlo_attempts_total") if ("outcome", "Overloaded") in key]
    assert ("provider", "a") in failed


async def test_a_breaker_that_opened_shows(tmp_path: Path) -> None:
    toml = (
        '[providers.a]\nuse = "mock"\nmode = "overloaded"\n'
        '[routes.default]\ntargets = ["a"]\nretry = { rounds = 1 }\n[mlo]\nbreaker = { failures = 1, open_for = 60 }\n'
    )
    async with routed(tmp_path, toml) as (router, metrics):
        with pytest.raises(MloError):
            await router.route(ASK)
        assert value(metrics, "mlo_breaker_state", target="a") == 2
        with pytest.raises(MloError):
            await router.route(ASK)
    assert value(metrics, "mlo_call_duration_seconds_count", operation="chat", status="error", project="shop") == 2


async def test_a_breaker_of_an_instance_that_went_is_forgotten() -> None:
    metrics = observer()
    for target in ("a", "a:m", "b"):
        metrics.on(records.BreakerChanged(target=target, state="open"))
    metrics.on(records.ConfigReloaded(removed=("a",)))
    assert series(metrics, "mlo_breaker_state") == {(("target", "b"),): 2}


async def test_a_stream_has_its_first_chunk_and_the_times_between(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (router, metrics):
        async with router.route_stream(ASK) as stream:
            assert value(metrics, "mlo_inflight", provider="a") is None
            pieces = [event async for event in stream if type(event).__name__ == "TextDelta"]
    first = series(metrics, "gen_ai_client_operation_time_to_first_chunk_seconds_count")
    between = series(metrics, "gen_ai_client_operation_time_per_output_chunk_seconds_count")
    assert list(first.values()) == [1]
    assert list(between.values()) == [len(pieces) - 1]


async def test_chunks_may_be_left_unmeasured(tmp_path: Path) -> None:
    assert records.EventSeen in observer().wants
    metrics = observer(chunks=False)
    assert records.EventSeen not in metrics.wants
    assert "time_per_output_chunk" not in metrics.exposition()[1].decode()


async def test_an_attempt_is_in_flight_until_its_stream_ends(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (router, metrics):
        async with router.route_stream(ASK) as stream:
            await anext(stream)
            assert value(metrics, "mlo_inflight", provider="a") == 1
        assert value(metrics, "mlo_inflight", provider="a") == 0
    assert (
        value(metrics, "mlo_call_duration_seconds_count", operation="stream", status="abandoned", project="shop") == 1
    )
    cancelled = [key for key in series(metrics, "mlo_attempts_total") if ("outcome", "cancelled") in key]
    assert len(cancelled) == 1


async def test_a_broken_stream_counts_what_it_consumed(tmp_path: Path) -> None:
    toml = '[providers.a]\nuse = "mock"\nbreak_after = 2\n'
    async with routed(tmp_path, toml) as (router, metrics):
        with pytest.raises(StreamInterrupted):
            async with router.route_stream(ASK) as stream:
                [event async for event in stream]
    assert total(metrics, "mlo_cost_unknown_total") == 1
    assert [dict(key)["outcome"] for key in series(metrics, "mlo_attempts_total")] == ["StreamInterrupted"]


async def test_an_attempt_that_never_reached_its_vendor_costs_nothing(tmp_path: Path) -> None:
    toml = '[providers.a]\nuse = "mock"\nmode = "overloaded"\n'
    async with routed(tmp_path, toml) as (router, metrics):
        with pytest.raises(MloError):
            await router.route(ASK)
    assert series(metrics, "mlo_cost_unknown_total") == {}


async def test_waiting_for_a_slot_is_measured(tmp_path: Path) -> None:
    toml = '[providers.a]\nuse = "mock"\ndelay = 0.05\nconcurrency = 1\n'
    async with routed(tmp_path, toml) as (router, metrics), anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(router.route, ASK)
    assert value(metrics, "mlo_queue_seconds_count", provider="a") == 2
    assert total(metrics, "mlo_queue_seconds_sum") >= 0.04


async def test_a_route_inside_a_route_is_counted_once(tmp_path: Path) -> None:
    toml = MOCK + '[routes.default]\ntargets = ["route:inner"]\n[routes.inner]\ntargets = ["a"]\n'
    async with routed(tmp_path, toml) as (router, metrics):
        await router.route(ASK)
    assert total(metrics, "mlo_attempts_total") == 1
    assert total(metrics, "mlo_cost_rub_total") == 3.0
    assert total(metrics, "mlo_call_duration_seconds_count") == 1
    assert series(metrics, "mlo_inflight") == {(("provider", "a"),): 0}


def wrapped(metrics: PrometheusObserver, inner: Callable[[], None]) -> None:
    """A call whose provider hands it on to a call of its own, as ``inner`` tells."""
    usage = Usage(prompt_tokens=3, completion_tokens=1, cost=Money(7))
    metrics.on(records.CallStarted(call_id="outer", route="r", operation="chat"))
    metrics.on(records.AttemptStarted(call_id="outer", attempt=1, target="mask", provider="mask", plugin="pii"))
    inner()
    metrics.on(records.AttemptFinished(call_id="outer", attempt=1, target="mask", elapsed=1.0, usage=usage))
    metrics.on(records.CallFinished(call_id="outer", route="r", status="ok", elapsed=1.0, attempts=1, usage=usage))


def test_a_provider_around_a_route_does_not_pay_twice() -> None:
    metrics = observer()
    usage = Usage(prompt_tokens=3, completion_tokens=1, cost=Money(7))

    def inner() -> None:
        metrics.on(records.CallStarted(call_id="i", route="r", operation="chat", parent="outer", depth=1))
        metrics.on(records.AttemptStarted(call_id="i", attempt=1, target="a", provider="a", plugin="mock"))
        metrics.on(records.AttemptFinished(call_id="i", attempt=1, target="a", elapsed=1.0, usage=usage))
        metrics.on(records.CallFinished(call_id="i", route="r", status="ok", elapsed=1.0, attempts=1, usage=usage))

    wrapped(metrics, inner)
    assert series(metrics, "mlo_cost_rub_total") == {(("model", "unknown"), ("provider", "a")): 7e-9}
    assert total(metrics, "mlo_attempts_total") == 2
    wrapped(metrics, lambda: None)
    assert total(metrics, "mlo_cost_rub_total") == 14e-9


def test_a_refused_call_is_no_error() -> None:
    metrics = observer()
    refused = CallRefused("no money", reason="budget-exhausted")
    metrics.on(records.CallStarted(call_id="c", route="r", operation="chat"))
    metrics.on(records.CallFinished(call_id="c", route="r", status="error", elapsed=0.1, attempts=0, error=refused))
    assert value(metrics, "mlo_refused_total", reason="budget-exhausted") == 1
    assert value(metrics, "mlo_call_duration_seconds_count", operation="chat", status="refused") == 1


def test_an_answer_that_the_strategy_rejects_leads_to_a_fallback() -> None:
    metrics = observer()
    metrics.on(records.CallStarted(call_id="c", route="r", operation="chat"))
    for attempt, target in ((1, "cheap"), (2, "dear")):
        metrics.on(records.AttemptStarted(call_id="c", attempt=attempt, target=target))
        metrics.on(records.AttemptFinished(call_id="c", attempt=attempt, target=target, elapsed=0.1))
    labels = {"from": "cheap", "to": "dear", "reason": "AnswerRejected"}
    assert value(metrics, "mlo_fallback_total", **labels) == 1


def test_racers_do_not_fall_back() -> None:
    metrics = observer()
    metrics.on(records.CallStarted(call_id="c", route="r", operation="chat"))
    for attempt in (1, 2):
        metrics.on(records.AttemptStarted(call_id="c", attempt=attempt, target=f"t-{attempt}"))
    metrics.on(records.AttemptFailed(call_id="c", attempt=1, target="t-1", elapsed=0.1, error=OSError()))
    metrics.on(records.AttemptStarted(call_id="c", attempt=3, target="t-3"))
    assert series(metrics, "mlo_fallback_total") == {}


def test_a_failure_bears_the_model_that_answered_before() -> None:
    metrics = observer()
    for number, error in enumerate((None, OSError())):
        call = {"call_id": f"c{number}", "attempt": 1, "target": "a"}
        metrics.on(records.CallStarted(call_id=f"c{number}", route="r", operation="chat"))
        metrics.on(records.AttemptStarted(**call))  # type: ignore[arg-type]
        end: dict[str, Any] = {**call, "elapsed": 0.1}
        ended = records.AttemptFailed(**end, error=error) if error else records.AttemptFinished(**end, model="giga")
        metrics.on(ended)
    assert {dict(key)["model"] for key in series(metrics, "mlo_attempts_total")} == {"giga"}


def test_nothing_is_kept_of_calls_that_ended() -> None:
    metrics = observer()
    for number in range(50):
        call_id = f"c-{number}"
        metrics.on(records.CallStarted(call_id=call_id, route="r", operation="chat"))
        metrics.on(records.AttemptStarted(call_id=call_id, attempt=1, target="a"))
        metrics.on(records.AttemptFailed(call_id=call_id, attempt=1, target="a", elapsed=0.1, cancelled=True))
        metrics.on(records.CallFinished(call_id=call_id, route="r", status="cancelled", elapsed=0.1, attempts=1))
    assert metrics.calls_under_way == 0


async def test_two_observers_in_one_process_count_by_themselves(tmp_path: Path) -> None:
    async with routed(tmp_path, MOCK) as (first, one), routed(tmp_path, MOCK) as (second, other):
        await first.route(ASK)
        await first.route(ASK)
        await second.route(ASK)
    assert total(one, "mlo_attempts_total") == 2
    assert total(other, "mlo_attempts_total") == 1


async def test_all_attempts_of_a_call_that_fails_are_counted(tmp_path: Path) -> None:
    toml = (
        '[providers.a]\nuse = "mock"\nmode = "overloaded"\n[providers.b]\nuse = "mock"\nmode = "overloaded"\n'
        '[routes.default]\ntargets = ["a", "b"]\nretry = { rounds = 1 }\n'
    )
    async with routed(tmp_path, toml) as (router, metrics):
        with pytest.raises(AttemptsExhausted):
            await router.route(ASK)
    assert total(metrics, "mlo_attempts_total") == 2
    assert total(metrics, "gen_ai_client_operation_duration_seconds_count") == 2
