"""Property tests of the stream: whatever is cut or split, the text is exact or there is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ProtocolViolated, ProviderError, TransportFailed
from mlo.events import Finished, Fold, ReasoningDelta, TextDelta, ToolCallDelta, fold
from mlo.responses import FinishReason
from mlo_ollama.reading import Reading
from mlo_ollama.tool_choice import ForcedCall
from mlo_sdk.ndjson import NdjsonParser

from .wires import CALL, DONE, SAMPLES, body, parsed, piece

TRICKY = st.text(st.sampled_from('аbc <&>\u2028\u2029\x85\n\r\t"\\{}😀'), max_size=12)
TEXTS = st.lists(TRICKY, max_size=6)


def split(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


@given(TEXTS, TEXTS, st.lists(st.integers(min_value=0), max_size=8))
def test_any_split_gives_the_same_text(thoughts: list[str], texts: list[str], cuts: list[int]) -> None:
    data = body(*(piece(thinking=text) for text in thoughts), *(piece(text) for text in texts), DONE)
    events = parsed(split(data, cuts))
    answer = fold(events)
    assert answer.text == "".join(texts)
    assert (answer.message.reasoning or "") == "".join(thoughts)
    assert answer.finish_reason is FinishReason.STOP
    assert not any(event == TextDelta("") or event == ReasoningDelta("") for event in events)


@given(TEXTS, st.integers(min_value=0))
def test_any_cut_gives_a_prefix_and_an_error(texts: list[str], cut: int) -> None:
    data = body(*(piece(text) for text in texts), DONE)
    kept = data[: cut % len(data)]
    whole = b"".join(data.splitlines(keepends=True)) == data  # bytes split at line feeds only
    parser, reading, total = NdjsonParser(), Reading(), Fold()
    with pytest.raises(TransportFailed) as caught:
        for document in parser.feed(kept):
            for event in reading.events(document):
                total.add(event)
        if kept == data[:-1]:  # all but the last line feed is still the whole answer
            raise TransportFailed("complete")
        for document in parser.close():
            for event in reading.events(document):
                total.add(event)
        reading.check_done()
    assert whole
    assert isinstance(caught.value, ProviderError)
    assert "".join(texts).startswith(total.text)


@given(st.sampled_from(SAMPLES), st.integers(min_value=1, max_value=9))
def test_samples_survive_every_chunk_size(sample: bytes, size: int) -> None:
    whole = fold(parsed([sample]))
    pieces = [sample[start : start + size] for start in range(0, len(sample), size)]
    assert fold(parsed(pieces)).text == whole.text


def test_line_separators_inside_text_are_text() -> None:
    text = "a\u2028b\u2029c\x85d"
    assert fold(parsed([body(piece(text), DONE)])).text == text


def test_the_last_line_may_come_without_its_line_feed() -> None:
    assert fold(parsed([body(piece("да"), DONE).rstrip(b"\n")])).text == "да"


def test_an_end_without_done_is_an_error() -> None:
    with pytest.raises(TransportFailed, match="without `done`"):
        parsed([body(piece("да"))])


def test_a_chunk_without_a_message_is_an_error() -> None:
    with pytest.raises(ProtocolViolated):
        parsed([b'{"status":"ok"}\n'])


def test_tool_calls_keep_their_ids_and_become_text() -> None:
    (call,) = fold(parsed([body(piece(tool_calls=[CALL]), DONE)])).tool_calls
    assert (call.id, call.name, call.parsed()) == ("call_ab12cd34", "add", {"a": 1, "b": "два"})


def test_tool_calls_change_the_reason() -> None:
    assert fold(parsed([body(piece(tool_calls=[CALL]), DONE)])).finish_reason is FinishReason.TOOL_CALLS


@given(st.lists(st.sampled_from([None, "", "call_1", "call_2"]), min_size=1, max_size=6))
def test_ids_are_unique_whatever_the_server_sends(ids: list[str | None]) -> None:
    calls = [{**({"id": each} if each is not None else {}), "function": {"name": "f", "arguments": {}}} for each in ids]
    events = parsed([body(piece(tool_calls=calls[:1]), piece(tool_calls=calls[1:]), DONE)])
    found = [event for event in events if isinstance(event, ToolCallDelta)]
    assert len({event.id for event in found}) == len(ids)
    assert [event.index for event in found] == list(range(len(ids)))


def test_a_tool_call_without_a_name_is_an_error() -> None:
    with pytest.raises(ProtocolViolated, match="without a name"):
        parsed([body(piece(tool_calls=[{"function": {"arguments": {}}}]), DONE)])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"done_reason": "length"}, FinishReason.LENGTH),
        ({"done_reason": ""}, FinishReason.STOP),
        ({"done_reason": "load"}, FinishReason.OTHER),
    ],
    ids=["length", "silent", "load"],
)
def test_reasons(said: dict[str, str], reason: FinishReason) -> None:
    assert fold(parsed([body(piece("x"), {**DONE, **said})])).finish_reason is reason


def test_absent_counters_are_unknown_and_not_zero() -> None:
    bare = {name: DONE[name] for name in ("model", "message", "done")}
    usage = fold(parsed([body(piece("x"), bare)])).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (None, None, None)


def test_counters() -> None:
    usage = fold(parsed([body(piece("x"), {**DONE, "prompt_eval_cached_count": 7})])).usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.total_tokens) == (11, 7, 5, 16)
    assert usage.cost is not None
    assert usage.cost.nano == 0


def test_durations_and_logprobs_are_kept() -> None:
    chunk = {**piece("x"), "logprobs": [{"token": "x", "logprob": -0.1}]}
    events = parsed([body(piece("a"), chunk, DONE)])
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.raw["total_duration"] == 900_000_000
    assert last.raw["logprobs"] == [{"token": "x", "logprob": -0.1}]


def test_a_forced_call_is_read_from_the_text() -> None:
    reading = Reading(forced=ForcedCall(name="add", schema={}, instruction=""))
    events = [event for each in (piece('{"a"'), piece(": 1}"), DONE) for event in reading.events(each)]
    answer = fold(events)
    assert (answer.text, answer.finish_reason) == ("", FinishReason.TOOL_CALLS)
    assert json.loads(answer.tool_calls[0].arguments) == {"a": 1}


def test_a_forced_call_that_was_cut_off_is_an_error() -> None:
    reading = Reading(forced=ForcedCall(name="add", schema={}, instruction=""))
    reading.events(piece('{"a"'))
    with pytest.raises(ProtocolViolated, match="forced tool call"):
        reading.events({**DONE, "done_reason": "length"})
