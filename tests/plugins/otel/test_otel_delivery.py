"""Nothing is lost without being counted, and a receiver that is not there holds up nobody."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mlo.api import ConfiguredInstance, DoctorContext
from mlo.errors import ConfigError
from mlo.models import Price
from mlo.secret import Secret
from mlo_otel.aggregates import Registry
from mlo_otel.config import OtelConfig
from mlo_otel.delivery import Losses, Outbox
from mlo_otel.observer import open_otel
from mlo_otel.plugin import mlo_doctor
from mlo_otel.semconv import CURRENT, LATEST, chosen
from mlo_sdk.testing import LoneEnvironment
from tests.plugins.otel.otlp import Receiver, plain, receiving, routing

pytestmark = pytest.mark.anyio


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def lost(losses: Losses) -> int:
    return sum(losses.counts().values())


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(st.integers(1, 40), max_size=6),
    limit=st.integers(1, 50),
    batch=st.integers(1, 20),
    refused=st.sets(st.integers(0, 20)),
)
def test_taken_is_sent_or_lost(batches: list[int], limit: int, batch: int, refused: set[int]) -> None:
    sent: list[int] = []
    numbers = iter(range(10_000))

    def send(items: Sequence[int]) -> bool:
        if next(numbers) in refused:
            return False
        sent.extend(items)
        return True

    losses = Losses("x")
    outbox = Outbox("spans", send, losses, limit=limit, batch=batch, delay=0.001)
    total = 0
    for count in batches:
        for _ in range(count):
            outbox.put(total)
            total += 1
    outbox.stop()
    outbox.join(10)
    assert outbox.sent == len(sent)
    assert sent == sorted(sent)
    assert outbox.sent + lost(losses) == total


def test_many_threads_and_a_small_queue_lose_exactly_what_is_counted() -> None:
    sent: list[int] = []
    losses = Losses("x")

    def send(items: Sequence[int]) -> bool:
        sent.extend(items)
        return True

    outbox = Outbox("spans", send, losses, limit=16, batch=8, delay=0.001)

    def work() -> None:
        for number in range(2_000):
            outbox.put(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.stop()
    outbox.join(10)
    assert len(sent) + losses.counts().get(("spans", "queue full"), 0) == 8_000
    assert lost(losses) == losses.counts().get(("spans", "queue full"), 0)


def test_what_cannot_be_sent_before_the_end_is_lost_and_counted_once() -> None:
    release, busy = threading.Event(), threading.Event()

    def send(_: Sequence[int]) -> bool:
        busy.set()
        return release.wait(10)

    losses = Losses("x")
    outbox = Outbox("spans", send, losses, limit=100, batch=3, delay=0.001)
    for number in range(10):
        outbox.put(number)
    busy.wait(10)
    outbox.stop()
    outbox.join(0.01)
    assert losses.counts() == {("spans", "closing"): 10}
    release.set()
    outbox._thread.join(10)
    assert (losses.counts(), outbox.sent) == ({("spans", "closing"): 10}, 0)
    outbox.put(11)
    assert losses.counts()["spans", "closed"] == 1


def test_an_exporter_that_raises_loses_its_batch_and_goes_on() -> None:
    sent: list[int] = []

    def send(items: Sequence[int]) -> bool:
        if 0 in items:
            raise ValueError("boom")
        sent.extend(items)
        return True

    losses = Losses("x")
    outbox = Outbox("spans", send, losses, limit=100, batch=1, delay=0.001)
    for number in range(3):
        outbox.put(number)
    outbox.stop()
    outbox.join(10)
    assert (sent, losses.counts()) == ([1, 2], {("spans", "export failed"): 1})


def test_losses_are_told_in_the_log_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses("traces")
    with caplog.at_level(logging.WARNING, "mlo"):
        for _ in range(50):
            losses.add("spans", "queue full", 1)
    assert [record.getMessage() for record in caplog.records] == [
        "observer 'traces' has lost 1 spans so far (queue full); further losses are only counted"
    ]
    assert losses.counts() == {("spans", "queue full"): 50}


async def test_a_burst_beyond_the_queue_is_counted_and_the_count_is_sent(receiver: Receiver) -> None:
    receiver.gate.clear()
    async with routing(receiver.url, {"a": {}}, queue=30, batch=30, delay=0.01) as router:
        for _ in range(60):
            await router.route("x", route="r")
        observer: Any = await router.observer("otel")
        dropped = sum(observer.dropped.values())
        receiver.gate.set()
    assert dropped > 0
    assert len(receiver.spans()) + dropped == 180
    (point,) = receiver.metrics()["mlo.otel.dropped"].sum.data_points
    assert (point.as_int, plain(point.attributes)) == (
        dropped,
        {"mlo.otel.signal": "spans", "mlo.otel.reason": "queue full"},
    )


async def test_an_answer_of_refusal_is_a_loss(receiver: Receiver) -> None:
    receiver.status = 400
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route("x", route="r")
        observer: Any = await router.observer("otel")
    assert observer.dropped == {("spans", "export failed"): 3}


async def test_a_dead_receiver_delays_neither_calls_nor_the_end() -> None:
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with anyio.fail_after(15):
            async with routing(url, {"a": {}}, close_timeout=0.2) as router:
                for _ in range(20):
                    await router.route("x", route="r")
                observer: Any = await router.observer("otel")
        assert sum(observer.dropped.values()) == 60


async def test_a_receiver_that_never_answers_holds_up_the_end_for_its_bound_only(receiver: Receiver) -> None:
    receiver.gate.clear()
    with anyio.fail_after(15):
        async with routing(receiver.url, {"a": {}}, close_timeout=0.2) as router:
            await router.route("x", route="r")
            observer: Any = await router.observer("otel")
    assert observer.dropped == {("spans", "closing"): 3}


async def test_headers_and_compression_go_to_the_receiver_and_secrets_nowhere_else(receiver: Receiver) -> None:
    config = OtelConfig(endpoint=receiver.url, headers={"x-token": Secret("t0p")}, compression="gzip")
    assert "t0p" not in repr(config)
    async with routing(receiver.url, {"a": {}}, headers={"x-token": "t0p"}, compression="gzip") as router:
        await router.route("x", route="r")
    assert {headers["x-token"] for _, headers, _ in receiver.bodies} == {"t0p"}
    assert {headers["content-encoding"] for _, headers, _ in receiver.bodies} == {"gzip"}
    assert b"t0p" not in receiver.raw()


async def test_the_standard_variables_are_obeyed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    async with routing("", {"a": {}}, endpoint_from_env=True) as router:
        await router.route("x", route="r")
    said = receiver.resource()
    assert (said["service.name"], said["deployment.environment"]) == ("gateway", "test")


async def test_the_sdk_may_be_switched_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route("x", route="r")
    assert receiver.bodies == []


async def test_global_providers_are_left_alone() -> None:
    before = trace.get_tracer_provider()
    async with open_otel(OtelConfig(endpoint="http://127.0.0.1:9"), LoneEnvironment(path="observers.otel")):
        assert trace.get_tracer_provider() is before


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"endpoint": "localhost:4318"}, "endpoint"),
        ({"endpoint": "http://user:t0p@host"}, "endpoint"),
        ({"endpoint": "ftp://host"}, "endpoint"),
        ({"queue": 0}, "queue"),
        ({"delay": -1.0}, "delay"),
        ({"close_timeout": 0.0}, "close_timeout"),
    ],
)
async def test_what_makes_no_sense_is_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with open_otel(OtelConfig(**options), LoneEnvironment(path="observers.otel")):
            raise AssertionError
    assert caught.value.path == f"observers.otel.{where}"
    assert "t0p" not in str(caught.value)


def test_the_opt_in_chooses_the_newest_names() -> None:
    assert chosen("") is chosen("http,database") is CURRENT
    assert chosen("http, gen_ai_latest_experimental") is LATEST


async def test_the_newest_names_are_counters_of_tokens(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route("a b c", route="r")
        await router.route("a b c", route="r")
    metrics = receiver.metrics()
    assert "gen_ai.client.token.usage" not in metrics
    assert metrics["gen_ai.client.inference.duration"].histogram.data_points[0].count == 2
    (point,) = metrics["gen_ai.client.inference.usage.input_tokens"].sum.data_points
    assert point.as_int == 6
    assert plain(point.attributes)["gen_ai.token.modality"] == "unknown"
    assert metrics["gen_ai.client.inference.operation.output_tokens"].histogram.data_points[0].count == 2


async def test_money_is_a_whole_number_of_billionths(receiver: Receiver) -> None:
    price = {"price": Price(prompt=1_000_000_000_001, completion=0)}
    async with routing(receiver.url, {"a": price}) as router:
        await router.route("a b c", route="r")
    said = plain(receiver.span("chat").attributes)
    assert (said["mlo.cost.nano"], said["mlo.cost.currency"]) == (3_000_000, "RUB")
    (point,) = receiver.metrics()["mlo.cost.nano"].sum.data_points
    assert point.as_int == 3_000_000


@given(st.lists(st.floats(0, 1e3), max_size=60))
def test_a_histogram_says_what_was_recorded(values: list[float]) -> None:
    registry = Registry(Resource.get_empty(), InstrumentationScope("x"))
    histogram = registry.histogram("h", "s", "", ("a",), (0.1, 1.0, 10.0))
    for value in values:
        histogram.record(value, ("x",))
    data = registry.data()
    if not values:
        assert data is None
        return
    point: Any = points(data)[0]
    assert point.count == sum(point.bucket_counts) == len(values)
    assert point.sum == pytest.approx(sum(values))
    assert (point.min, point.max) == (min(values), max(values))
    bounds = (0.1, 1.0, 10.0)
    below = [sum(value <= bound for value in values) for bound in bounds]
    assert [sum(point.bucket_counts[: index + 1]) for index in range(3)] == below


def test_a_million_models_are_a_bounded_number_of_series() -> None:
    registry = Registry(Resource.get_empty(), InstrumentationScope("x"))
    counter = registry.counter("c", "1", "", ("a",))
    for number in range(5_000):
        counter.add(1, (str(number),))
    found = points(registry.data())
    assert len(found) == 2_001
    assert sum(point.value for point in found) == 5_000
    assert {"otel.metric.overflow": True} in [point.attributes for point in found]


def points(data: MetricsData | None) -> list[Any]:
    assert data is not None
    (resource,) = data.resource_metrics
    return [point for scope in resource.scope_metrics for metric in scope.metrics for point in metric.data.data_points]


def test_doctor_finds_a_missing_certificate_and_secrets_in_the_clear() -> None:
    config = OtelConfig(endpoint="http://example.org", certificate="/no/such/file", headers={"k": Secret("v")})
    instance = ConfiguredInstance(path="observers.x", kind="observers", use="otel", config=config)
    findings = list(mlo_doctor(DoctorContext(instances=(instance,))))
    assert [(finding.level, finding.where) for finding in findings] == [
        ("error", "observers.x.certificate"),
        ("warning", "observers.x.endpoint"),
    ]
