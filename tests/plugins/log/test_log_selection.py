"""Which calls are written, and what is made unreadable in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import AttemptsExhausted, ConfigError, ProtocolViolated
from mlo.records import AttemptFailed, AttemptFinished, CallFinished, CallStarted, Record
from mlo_log.config import LogConfig, RedactOptions
from mlo_log.lines import described
from mlo_log.masking import MASK, Redaction
from mlo_log.observer import open_log
from mlo_log.plugin import mlo_observers
from mlo_log.sampling import Sampling, is_in_share
from mlo_sdk.testing import LoneEnvironment, build
from mlo_sdk.testing.routes import failed, target

pytestmark = pytest.mark.anyio

(SPEC,) = mlo_observers()
BROKEN = ValueError("x")


def call(call_id: str, *, fails: bool = False, parent: str | None = None, status: str = "ok") -> list[Record]:
    """The records of one call with one attempt."""
    end: Record = AttemptFinished(call_id=call_id, attempt=1, target="a", elapsed=0.1)
    if fails:
        end = AttemptFailed(call_id=call_id, attempt=1, target="a", elapsed=0.1, error=BROKEN)
    return [
        CallStarted(call_id=call_id, route="r", operation="chat", parent=parent),
        end,
        CallFinished(call_id=call_id, route="r", status=status, elapsed=0.2, attempts=1),  # type: ignore[arg-type]
    ]


async def logged(path: Path, *records: Record, **options: Any) -> list[dict[str, Any]]:
    config = build(SPEC, {"path": str(path / "calls.log"), **options})
    async with open_log(config, LoneEnvironment(path="observers.log")) as observer:
        for record in records:
            if type(record) in observer.wants:
                observer.on(record)
    return [json.loads(line) for line in (path / "calls.log").read_text("utf-8").splitlines()]


async def test_without_a_share_only_calls_in_which_something_failed_are_written(tmp_path: Path) -> None:
    records = [*call("good"), *call("mended", fails=True), *call("bad", status="error")]
    lines = await logged(tmp_path, *records, sample=0.0)
    assert [(line["call_id"], line["event"]) for line in lines] == [
        ("mended", "attempt_failed"),
        ("mended", "call_finished"),
        ("bad", "call_finished"),
    ]


async def test_a_call_that_fails_late_is_written_from_its_beginning(tmp_path: Path) -> None:
    lines = await logged(tmp_path, *call("bad", status="error"), level="debug", sample=0.0)
    assert [line["event"] for line in lines] == ["call_started", "attempt_finished", "call_finished"]


async def test_a_share_keeps_whole_calls(tmp_path: Path) -> None:
    records = [record for number in range(400) for record in call(f"c-{number}")]
    lines = await logged(tmp_path, *records, level="debug", sample=0.25)
    per_call: dict[str, int] = {}
    for line in lines:
        per_call[line["call_id"]] = per_call.get(line["call_id"], 0) + 1
    assert set(per_call.values()) == {3}
    assert set(per_call) == {f"c-{number}" for number in range(400) if is_in_share(f"c-{number}", 0.25)}
    assert 60 < len(per_call) < 140


async def test_routes_inside_routes_share_the_fate_of_the_call_around_them(tmp_path: Path) -> None:
    outer = [f"c-{number}" for number in range(50)]
    records = [
        record for name in outer for record in (call(name)[0], *call(f"in-{name}", parent=name), *call(name)[1:])
    ]
    lines = await logged(tmp_path, *records, level="debug", sample=0.5)
    written = {line["call_id"] for line in lines}
    assert {name.removeprefix("in-") for name in written if name.startswith("in-")} == written & set(outer)


async def test_a_failure_inside_brings_the_whole_call_to_light(tmp_path: Path) -> None:
    outer = call("c-1")
    lines = await logged(
        tmp_path, outer[0], *call("in", parent="c-1", fails=True), *outer[1:], level="debug", sample=0.0
    )
    assert [line["call_id"] for line in lines] == ["c-1", "in", "in", "in", "c-1", "c-1"]


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_every_call_of_a_smaller_one(call_id: str, one: float, other: float) -> None:
    assert is_in_share(call_id, min(one, other)) <= is_in_share(call_id, max(one, other))
    assert is_in_share(call_id, 1.0)
    assert not is_in_share(call_id, 0.0)


def test_calls_that_never_end_are_forgotten_at_last() -> None:
    sampling = Sampling(0.0)
    for number in range(12_000):
        sampling.due(CallStarted(call_id=str(number), route="r", operation="chat"), str)
    assert len(sampling._held) == 10_000


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="`sample` must lie between 0 and 1"):
        LogConfig(sample=share)


async def test_fields_and_patterns_are_masked_at_any_depth(tmp_path: Path) -> None:
    error = ValueError("card 4111111111111111 of Ivanov")
    record = AttemptFailed(call_id="c", attempt=1, target="secret-host", elapsed=0.5, error=error)
    redact = {"fields": ["target", "error.type"], "patterns": [r"\b\d{16}\b"]}
    (line,) = await logged(tmp_path, record, redact=redact)
    assert line["target"] == MASK
    assert line["error"] == {"type": MASK, "message": f"card {MASK} of Ivanov"}


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.recursive(
            st.just("needle") | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
    )
)
def test_no_pattern_survives_anywhere(line: dict[str, Any]) -> None:
    redaction = Redaction(RedactOptions(patterns=("needle",)), "x")
    values = json.dumps([list(_leaves(redaction.applied(line)))])
    assert "needle" not in values


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


async def test_time_level_and_name_stay_readable(tmp_path: Path) -> None:
    redact = {"fields": ["event", "level", "timestamp"], "patterns": ["."]}
    (line,) = await logged(tmp_path, call("c")[2], redact=redact)
    assert (line["event"], line["level"], line["route"]) == ("call_finished", "info", MASK)


async def test_a_pattern_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    config = build(SPEC, {"path": str(tmp_path / "x.log"), "redact": {"patterns": ["("]}})
    with pytest.raises(ConfigError, match=r"observers\.log\.redact\.patterns: '\(' is no regular expression"):
        async with open_log(config, LoneEnvironment(path="observers.log")):
            raise AssertionError


def test_a_piece_of_an_answer_that_an_error_quotes_is_left_out() -> None:
    quoting = ProtocolViolated("not JSON", sample="<p>тайна</p>", status=200)
    exhausted = AttemptsExhausted(f"all failed: (1) {quoting}", outcomes=(failed(target("a"), quoting),), call_id="c")
    for error in (quoting, exhausted):
        record = CallFinished(call_id="c", route="r", status="error", elapsed=1.0, attempts=1, error=error)
        line = json.dumps(described(record), ensure_ascii=False)
        assert "not JSON [HTTP 200]" in line
        assert "тайна" not in line
