from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from mlo.api import ConfiguredInstance, DoctorContext
from mlo.errors import ConfigError, RateLimited
from mlo.messages import Message
from mlo.models import Money
from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    BreakerChanged,
    CallFinished,
    CallStarted,
    EventSeen,
    Record,
    StepChosen,
)
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, Usage
from mlo_log.config import LogConfig
from mlo_log.lines import KINDS, described, level_of, wanted
from mlo_log.masking import MASK, masked
from mlo_log.observer import open_log
from mlo_log.plugin import mlo_doctor, mlo_observers
from mlo_log.sink import Writer
from mlo_sdk.testing import SAMPLE_RECORDS, LoneEnvironment, build

pytestmark = pytest.mark.anyio

(SPEC,) = mlo_observers()
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "total_tokens")
FINISHED = CallFinished(call_id="c-1", route="default", status="ok", elapsed=1.25, attempts=1, target="a")


async def logged(path: Path, *records: Record, **options: Any) -> list[dict[str, Any]]:
    config = build(SPEC, {"path": str(path / "calls.log"), **options})
    async with open_log(config, LoneEnvironment(path="observers.log")) as observer:
        for record in records:
            if type(record) in observer.wants:
                observer.on(record)
    text = (path / "calls.log").read_text("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


async def test_a_call_is_one_line(tmp_path: Path) -> None:
    (line,) = await logged(tmp_path, FINISHED)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "call_finished",
        "call_id": "c-1",
        "route": "default",
        "status": "ok",
        "elapsed": 1.25,
        "attempts": 1,
        "target": "a",
    }


async def test_time_level_and_name_come_first(tmp_path: Path) -> None:
    (line,) = await logged(tmp_path, FINISHED)
    assert list(line)[:3] == ["timestamp", "level", "event"]


async def test_known_counts_and_the_cost_are_there_and_unknown_ones_are_not(tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=12, completion_tokens=0, cost=Money(1_250_000), source="estimated")
    (line,) = await logged(
        tmp_path,
        AttemptFinished(call_id="c", attempt=1, target="a", elapsed=0.5, usage=usage),
        level="debug",
    )
    assert {
        name: line[name] for name in ("prompt_tokens", "completion_tokens", "cost", "currency", "usage_source")
    } == {
        "prompt_tokens": 12,
        "completion_tokens": 0,
        "cost": "0.001250000",
        "currency": "RUB",
        "usage_source": "estimated",
    }


async def test_an_error_is_told_with_its_facts_and_its_cause(tmp_path: Path) -> None:
    error = RateLimited("slow down", status=429, request_id="r-1", retry_after=2.0)
    error.__cause__ = OSError("reset")
    (line,) = await logged(tmp_path, AttemptFailed(call_id="c", attempt=1, target="a", elapsed=0.5, error=error))
    assert line["level"] == "warning"
    assert line["error"] == {
        "type": "RateLimited",
        "message": "slow down [HTTP 429, request r-1, retry after 2 s]",
        "status": 429,
        "request_id": "r-1",
        "retry_after": 2.0,
        "cause": "OSError: reset",
    }


async def test_a_cancelled_attempt_is_no_warning(tmp_path: Path) -> None:
    cancelled = AttemptFailed(call_id="c", attempt=1, target="a", elapsed=0.5, cancelled=True)
    assert await logged(tmp_path, cancelled) == []


async def test_content_is_there_only_when_the_record_carries_it(tmp_path: Path) -> None:
    request = ChatRequest.of("тайна")
    bare = CallStarted(call_id="c", route="r", operation="chat")
    full = CallStarted(call_id="c", route="r", operation="chat", request=request)
    lines = await logged(tmp_path, bare, full, level="debug")
    assert "request" not in lines[0]
    assert lines[1]["request"]["messages"] == [{"role": "user", "text": "тайна"}]


async def test_an_answer_that_is_captured_is_told(tmp_path: Path) -> None:
    response = ChatResponse(message=Message.assistant("ответ"))
    record = AttemptFinished(call_id="c", attempt=1, target="a", elapsed=0.5, response=response)
    (line,) = await logged(tmp_path, record, level="debug")
    assert line["response"] == {"role": "assistant", "text": "ответ"}


async def test_records_may_be_named_whatever_their_level(tmp_path: Path) -> None:
    lines = await logged(tmp_path, *SAMPLE_RECORDS, records=["event_seen", "breaker_changed"], level="error")
    assert {line["event"] for line in lines} == {"event_seen", "breaker_changed"}
    assert len(lines) == sum(isinstance(record, EventSeen | BreakerChanged) for record in SAMPLE_RECORDS)


async def test_fields_may_be_chosen_and_added(tmp_path: Path) -> None:
    (line,) = await logged(tmp_path, FINISHED, fields=["route", "elapsed"], add={"service": "gateway"})
    assert list(line) == ["timestamp", "level", "event", "service", "route", "elapsed"]


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("error", {"call_finished"}),
        ("warning", {"call_finished", "attempt_failed", "breaker_changed"}),
        ("info", {"call_finished", "attempt_failed", "breaker_changed", "config_reloaded"}),
        ("debug", set(KINDS.values()) - {"event_seen"}),
    ],
)
def test_only_what_can_come_to_a_line_is_wanted(level: str, events: set[str]) -> None:
    config: LogConfig = build(SPEC, {"level": level})
    assert {KINDS[kind] for kind in wanted(config)} == events


def test_what_is_not_wanted_would_not_be_due() -> None:
    levels = {level_of(record) for record in SAMPLE_RECORDS if type(record) not in wanted(LogConfig(level="info"))}
    assert levels == {"debug"}


async def test_lines_go_to_standard_error_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    async with open_log(LogConfig(), LoneEnvironment()) as observer:
        observer.on(FINISHED)
    assert json.loads(stream.getvalue())["event"] == "call_finished"
    assert not stream.closed


async def test_a_process_without_standard_error_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    async with open_log(LogConfig(), LoneEnvironment()) as observer:
        assert observer.on(FINISHED) is None  # type: ignore[func-returns-value]


async def test_a_closed_destination_does_not_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    async with open_log(LogConfig(), LoneEnvironment()) as observer:
        stream.close()
        assert observer.on(FINISHED) is None  # type: ignore[func-returns-value]


async def test_a_path_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    config = LogConfig(path=str(tmp_path / "missing" / "calls.log"))
    with pytest.raises(ConfigError, match=r"observers\.log\.path: cannot write to .*No such file"):
        async with open_log(config, LoneEnvironment(path="observers.log")):
            raise AssertionError


async def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "calls.log", tmp_path / "calls.log.1"
    async with open_log(LogConfig(path=str(path)), LoneEnvironment()) as observer:
        observer.on(FINISHED)
        with anyio.fail_after(5):
            while not path.read_text("utf-8"):
                await anyio.sleep(0.005)
        path.rename(old)
        observer.on(FINISHED)
    assert [len(each.read_text("utf-8").splitlines()) for each in (old, path)] == [1, 1]


async def test_global_structlog_settings_stay_as_they_are(tmp_path: Path) -> None:
    assert not structlog.is_configured()
    await logged(tmp_path, FINISHED)
    assert not structlog.is_configured()


class Stuck:
    """A destination that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full = True

    def write(self, lines: list[str]) -> None:
        if self.full:
            raise OSError("no space left on device")
        self.lines += lines

    def close(self) -> None:
        pass


def line(text: str) -> Callable[[], str]:
    return lambda: text


def test_lines_lost_to_a_full_disk_are_counted_once_there_is_room() -> None:
    stuck = Stuck()
    writer = Writer(stuck, 100, lambda count: f"{count} lost")  # type: ignore[arg-type]
    for number in range(5):
        writer.put(line(str(number)))
    while writer.waiting:
        pass
    stuck.full = False
    writer.put(line("6"))
    writer.close()
    lost = [int(text.split()[0]) for text in stuck.lines if text.endswith("lost")]
    assert len(stuck.lines) - len(lost) + sum(lost) == 6


def test_a_queue_that_is_full_drops_and_counts() -> None:
    stuck = Stuck()
    stuck.full = False
    writer = Writer(stuck, 0, lambda count: f"{count} lost")  # type: ignore[arg-type]
    for number in range(3):
        writer.put(line(str(number)))
    writer.close()
    assert stuck.lines == ["3 lost"]


class Mute(Exception):
    """Cannot even say that."""

    def __str__(self) -> str:
        raise OSError


async def test_an_error_without_a_text_does_not_end_the_log(tmp_path: Path) -> None:
    mute = AttemptFailed(call_id="c-1", attempt=1, target="a", elapsed=1.0, error=Mute(), cancelled=False)
    lines = await logged(tmp_path, FINISHED, mute, FINISHED)
    assert sorted(line["event"] for line in lines) == ["call_finished", "call_finished", "lines_dropped"]
    assert [line["count"] for line in lines if "count" in line] == [1]


def test_numbers_that_json_does_not_know_are_texts() -> None:
    scores = {"a": float("nan"), "b": float("inf"), "c": -0.5}
    said = described(StepChosen(call_id="c-1", targets=("a",), scores=scores))
    assert json.dumps(said["scores"], allow_nan=False) == '{"a": "nan", "b": "inf", "c": -0.5}'


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def-123",
        "Authorization: Bearer  abc.def-123",
        "authorization:\tBasic\tdXNlcjpwYXNz",
        "Authorization: hunter2",
        "X-Api-Key: hunter2",
        '{"password": "correct hunter2"}',
        "secret='correct hunter2'",
        "authorization: basic dXNlcjpwYXNz",
        "Api-Key AQVNabcdefghijklmnopqrst",
        "https://user:hunter2@example.org/x",
        "?api_key=hunter2&x=1",
        "password='hunter2'",
        "token=hunter2",
        '{"client_secret": "hunter2"}',
        "sk-proj-12345678",
        "AQVNabcdefghijklmnopqrst-_",
        "t1.9euelZqabcdefghijklmnop.sig",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_what_looks_like_a_key_is_masked(text: str) -> None:
    shown = masked(text)
    assert MASK in shown
    for part in ("abc.def", "dXNl", "AQVNabc", "hunter2", "12345678", "9eue", "eyJz"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Привет",
        "call c-1 took 3 s",
        "providers.a.api_key: expected a text",
        "the token count is 5",
        "risk-free",
        "max_tokens: 5",
        "unknown key: deadlin",
    ],
)
def test_what_does_not_is_left_alone(text: str) -> None:
    assert masked(text) == text


def test_the_name_of_a_field_may_tell_that_it_is_a_secret() -> None:
    assert masked({"api_key": "x", "session": "s", "deep": [{"Authorization": "y"}]}) == {
        "api_key": MASK,
        "session": "s",
        "deep": [{"Authorization": MASK}],
    }
    names = ("set-cookie", "secret_key", "private-key", "accessKey", "db_pwd", "PASSWD", "client_secret")
    assert masked(dict.fromkeys(names, "x")) == dict.fromkeys(names, MASK)
    assert masked({"credentials": {"user": "x"}, "tokens": 3}) == {"credentials": MASK, "tokens": 3}


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    record = EventSeen(call_id=text, target=text, kind=text)
    assert json.loads(json.dumps(described(record))) == {"call_id": text, "target": text, "kind": text}


async def test_line_separators_inside_texts_do_not_break_lines(tmp_path: Path) -> None:
    await logged(tmp_path, BreakerChanged(target="a\u2028b\x85c\rd\ne", state="open"))
    text = (tmp_path / "calls.log").read_bytes().decode()
    assert len(text.replace("\x85", "").splitlines()) == 1


def test_doctor_finds_a_log_without_a_folder(tmp_path: Path) -> None:
    def instance(path: Path) -> ConfiguredInstance:
        return ConfiguredInstance(path="observers.x", kind="observers", use="log", config=LogConfig(path=str(path)))

    context = DoctorContext(instances=(instance(tmp_path / "a.log"), instance(tmp_path / "no" / "a.log")))
    (finding,) = mlo_doctor(context)
    assert (finding.level, finding.where) == ("error", "observers.x.path")
