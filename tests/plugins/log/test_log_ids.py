"""Lines that can be found again: by request, by trace, by what the vendor calls the request."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from mlo import tracing
from mlo.models import Price, Residency
from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, CallFinished, CallStarted, Record, StepChosen
from mlo_log.ids import CallIds
from mlo_log.lines import described
from mlo_log.observer import open_log
from mlo_log.plugin import mlo_observers
from mlo_sdk.testing import LoneEnvironment, build

pytestmark = pytest.mark.anyio

(SPEC,) = mlo_observers()
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER = "11111111111111111111111111111111"
PARENT = f"00-{TRACE}-{SPAN}-01"
FINISHED = CallFinished(call_id="c-1", route="r", status="ok", elapsed=1.0, attempts=1)


def started(**metadata: str) -> CallStarted:
    return CallStarted(call_id="c-1", route="r", operation="chat", metadata=metadata)


async def logged(path: Path, *records: Record, **options: Any) -> list[dict[str, Any]]:
    config = build(SPEC, {"path": str(path / "calls.log"), **options})
    async with open_log(config, LoneEnvironment(path="observers.log")) as observer:
        for record in records:
            if type(record) in observer.wants:
                observer.on(record)
    return [json.loads(line) for line in (path / "calls.log").read_text("utf-8").splitlines()]


@pytest.fixture
def traced() -> Iterator[None]:
    tracing.traceparents["c-1"] = f"00-{OTHER}-{SPAN}-01"
    yield
    del tracing.traceparents["c-1"]


async def test_the_request_and_its_trace_stand_in_every_line_of_the_call(tmp_path: Path) -> None:
    failed = AttemptFailed(call_id="c-1", attempt=1, target="a", elapsed=0.5, error=ValueError("x"))
    lines = await logged(tmp_path, started(request_id="q-1", traceparent=PARENT), failed, FINISHED)
    assert [line["event"] for line in lines] == ["attempt_failed", "call_finished"]
    for line in lines:
        assert (line["request_id"], line["trace_id"], line["span_id"]) == ("q-1", TRACE, SPAN)


async def test_the_vendors_id_of_the_request_stands_beside_ours(tmp_path: Path) -> None:
    answered = AttemptFinished(call_id="c-1", attempt=1, target="a", elapsed=0.5, request_id="v-7")
    (line,) = await logged(tmp_path, started(request_id="q-1"), answered, FINISHED)
    assert (line["request_id"], line["vendor_request_id"]) == ("q-1", "v-7")


@pytest.mark.usefixtures("traced")
async def test_the_trace_of_who_traces_goes_before_the_callers(tmp_path: Path) -> None:
    (line,) = await logged(tmp_path, started(traceparent=PARENT), FINISHED)
    assert line["trace_id"] == OTHER


async def test_without_either_it_is_the_span_that_is_current(tmp_path: Path) -> None:
    here = SpanContext(0x11, 0x22, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    token = otel_context.attach(set_span_in_context(NonRecordingSpan(here)))
    try:
        (line,) = await logged(tmp_path, started(), FINISHED)
    finally:
        otel_context.detach(token)
    assert (line["trace_id"], line["span_id"]) == (f"{0x11:032x}", f"{0x22:016x}")


def test_opentelemetry_is_never_imported_for_this() -> None:
    program = (
        "import sys; from mlo.records import CallStarted; from mlo_log.ids import CallIds;"
        "ids = CallIds().of(CallStarted(call_id='c', route='r', operation='chat'));"
        "print(ids, [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)
    assert done.stdout == "{} []\n"


@given(st.text() | st.sampled_from(["", "00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", "00-x-y-z"]))
def test_what_is_no_traceparent_gives_no_ids(value: str) -> None:
    ids = CallIds().of(started(traceparent=value))
    assert set(ids) <= {"trace_id", "span_id"}
    assert all(set(each) <= set("0123456789abcdef") and each.strip("0") for each in ids.values())


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    ids = CallIds()
    ids.of(started(request_id="q-1"))
    assert ids.of(FINISHED) == {"request_id": "q-1"}
    assert ids.of(FINISHED) == {}


def test_a_chosen_step_is_a_line() -> None:
    step = StepChosen(call_id="c", targets=("a", "b"), scores={"a": 0.5}, probability=0.25)
    assert described(step) == {"call_id": "c", "targets": ["a", "b"], "scores": {"a": 0.5}, "probability": 0.25}


def test_an_attempt_tells_what_it_costs_and_where_it_goes() -> None:
    record = AttemptStarted(
        call_id="c",
        attempt=1,
        target="a",
        provider="a",
        plugin="mock",
        price=Price(prompt=1, completion=2),
        residency=Residency(region="RU"),
    )
    assert described(record) == {
        "call_id": "c",
        "attempt": 1,
        "target": "a",
        "provider": "a",
        "plugin": "mock",
        "price": {"prompt": 1, "completion": 2, "currency": "RUB", "request": 0},
        "residency": {"region": "RU"},
    }


def test_an_attempt_that_never_reached_its_provider_says_so() -> None:
    failed = AttemptFailed(call_id="c", attempt=1, target="a", elapsed=0.5, cancelled=True, reached=False)
    assert described(failed) == {
        "call_id": "c",
        "attempt": 1,
        "target": "a",
        "elapsed": 0.5,
        "cancelled": True,
        "reached": False,
    }
