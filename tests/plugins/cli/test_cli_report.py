from __future__ import annotations

import pytest

from mlo import ChatResponse, FinishReason, Message, ToolCall, Usage
from mlo.errors import AttemptsExhausted, DeadlineExceeded, MloError, NoTarget, ProviderError, StreamInterrupted
from mlo.events import Event, Finished, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.models import Money
from mlo_cli import exits
from mlo_cli.clean import printable
from mlo_cli.report import amount, error_object, event_object, footer, response_object, usage_object


@pytest.mark.parametrize(
    ("nano", "expected"),
    [(0, "0.00"), (1, "0.000000001"), (12_345_000_000, "12.345"), (-500_000_000, "-0.50"), (10**12, "1000.00")],
)
def test_amounts_are_exact(nano: int, expected: str) -> None:
    assert amount(Money(nano)) == expected


def test_unknown_is_none_and_not_zero() -> None:
    shown = usage_object(Usage())
    assert {shown[name] for name in ("prompt_tokens", "completion_tokens", "cost")} == {None}


def test_answer_that_no_kernel_has_seen() -> None:
    call = ToolCall(id="1", name="f", arguments='{"a": 1}')
    shown = response_object(ChatResponse(message=Message.assistant("Hi", tool_calls=(call,))))
    assert shown["tool_calls"] == [{"id": "1", "name": "f", "arguments": '{"a": 1}'}]
    assert (shown["target"], shown["attempts"], shown["duration"]) == (None, [], None)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (TextDelta("a"), {"event": "TextDelta", "text": "a"}),
        (Finished(FinishReason.LENGTH, {"vendor": 1}), {"event": "Finished", "reason": "length"}),
        (Started(model="m"), {"event": "Started", "model": "m", "response_id": None, "request_id": None}),
        (
            ToolCallDelta(index=0, name="f"),
            {"event": "ToolCallDelta", "index": 0, "id": None, "name": "f", "arguments": ""},
        ),
    ],
)
def test_events_are_objects(event: Event, expected: dict[str, object]) -> None:
    assert event_object(event) == expected


def test_usage_event_has_its_counts() -> None:
    assert event_object(UsageReported(Usage(prompt_tokens=3)))["usage"]["prompt_tokens"] == 3


def test_footer_leaves_out_what_nobody_knows() -> None:
    assert footer(ChatResponse(message=Message.assistant("Hi"), model="m")) == "m"


def test_cost_is_shown_with_its_currency() -> None:
    usage = Usage(cost=Money(1_500_000, "RUB"))
    assert footer(ChatResponse(message=Message.assistant("Hi"), usage=usage)) == "0.0015 RUB"
    assert usage_object(usage)["cost"] == {"amount": "0.0015", "currency": "RUB"}


def test_footer_says_what_is_an_estimate() -> None:
    usage = Usage(prompt_tokens=1, completion_tokens=2, source="estimated")
    assert footer(ChatResponse(message=Message.assistant("Hi"), usage=usage)) == "1 + 2 tokens (estimated)"


def test_error_object_has_the_partial_answer() -> None:
    partial = ChatResponse(message=Message.assistant("half"))
    assert error_object(StreamInterrupted("broke", partial=partial, target="m"))["partial"] == "half"
    assert error_object(DeadlineExceeded("late", partial=partial))["partial"] == "half"


def test_nobody_to_ask_lists_the_reasons() -> None:
    error = NoTarget("nobody", reasons={"a": "lacks vision", "b": "circuit breaker open"})
    assert exits.explain(error) == "nobody could be asked: a: lacks vision; b: circuit breaker open"


@pytest.mark.parametrize(
    "error",
    [AttemptsExhausted("all failed", outcomes=[]), NoTarget("nobody", reasons={}), ProviderError("broke\n  in two")],
)
def test_explanation_is_one_line(error: MloError) -> None:
    assert "\n" not in exits.explain(error)
    assert exits.code_of(error) == exits.FAILED


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[31m\r\nb\tc\x9b\x7f") == "a\ufffd[31m\nb\tc\ufffd\ufffd"
