"""One of each record, and of each of its variants that an observer has to bear."""

from __future__ import annotations

from mlo import records
from mlo.errors import AttemptsExhausted, CallRefused, ProtocolViolated, ProviderError, RateLimited, TransportFailed
from mlo.events import TextDelta
from mlo.messages import Image, Message, Text, ToolCall
from mlo.models import Money, Price, Residency
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, FinishReason, Usage

from .routes import failed, target

__all__ = ["SAMPLE_RECORDS", "SECRET_TEXT"]

SECRET_TEXT = "sk-made-up-4f1d90ab37"  # noqa: S105 - to be looked for where it must not be
"""A key that stands in some of the samples: in an error's text and in metadata, where people put keys by mistake."""

_CALL = "contract-1"
_REQUEST = ChatRequest(
    messages=(
        Message.system("Отвечай кратко"),
        Message.user([Text("Что на картинке?"), Image(data=b"\x89PNG")]),
        Message.assistant(tool_calls=(ToolCall(id="c1", name="look", arguments='{"at": "\\ud83d"}'),)),
        Message.tool(ToolCall(id="c1", name="look"), "кошка"),
    ),
    metadata={"session": "s-1"},
)
_RESPONSE = ChatResponse(message=Message.assistant("Кошка.\nРыжая \N{CAT FACE} \u2028 и \ud83d"), model="m-1")
_USAGE = Usage(
    prompt_tokens=12,
    completion_tokens=3,
    cached_tokens=4,
    tool_tokens=2,
    reasoning_tokens=0,
    total_tokens=15,
    cost=Money(1_250_000),
)
_WITH_SECRET = TransportFailed(f"POST failed with Authorization: Bearer {SECRET_TEXT} and api_key={SECRET_TEXT}")
_NOT_JSON = ProtocolViolated("not JSON", sample="<html>", status=200)
_CHAINED = RateLimited("slow down", status=429, code="rate", request_id="r-1", retry_after=2.5)
_CHAINED.__cause__ = OSError("reset")


class _Unprintable(ProviderError):
    def __str__(self) -> str:
        raise RuntimeError("this error cannot be shown")

    __repr__ = __str__


SAMPLE_RECORDS: tuple[records.Record, ...] = (
    records.CallStarted(call_id=_CALL, route="default", operation="chat"),
    records.CallStarted(
        call_id=_CALL, route="default", operation="stream", metadata={"session": "s-1"}, request=_REQUEST
    ),
    records.CallStarted(call_id=_CALL, route="default", operation="chat", metadata={"api_key": SECRET_TEXT}),
    records.CallStarted(call_id=f"{_CALL}-inner", route="d", operation="chat", parent=_CALL, depth=1),
    records.CallStarted(call_id=_CALL, route="d", operation="embed", request=EmbeddingRequest(texts=("раз", "два"))),
    records.RouteDecided(call_id=_CALL, route="default", strategy="first-available", candidates=("a", "b:m")),
    records.RouteDecided(call_id=_CALL, route="d", strategy="s", candidates=(), rejected={"a": "lacks tools"}),
    records.StepChosen(call_id=_CALL, targets=("a",)),
    records.StepChosen(call_id=_CALL, targets=("a", "b:m"), scores={"a": 0.5, "b:m": 1e300}, probability=0.25),
    records.AttemptStarted(call_id=_CALL, attempt=1, target="a"),
    records.AttemptStarted(
        call_id=_CALL,
        attempt=2,
        target="b:m",
        model="m",
        provider="b",
        plugin="acme",
        price=Price(prompt=200_000_000, completion=400_000_000, cached=0, reasoning=1, request=5, source="price list"),
        residency=Residency(region="RU", on_prem=False),
    ),
    records.FirstEvent(call_id=_CALL, attempt=1, target="a", elapsed=0.25),
    records.EventSeen(call_id=_CALL, target="a", kind="TextDelta"),
    records.EventSeen(call_id=_CALL, target="a", kind="TextDelta", event=TextDelta("Кош")),
    records.AttemptFailed(call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=_CHAINED),
    records.AttemptFailed(call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=_WITH_SECRET),
    records.AttemptFailed(call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=_Unprintable("?")),
    records.AttemptFailed(
        call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=ProtocolViolated("?", sample="<html>")
    ),
    records.AttemptFailed(call_id=_CALL, attempt=1, target="a", elapsed=0.5, cancelled=True),
    records.AttemptFailed(call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=_CHAINED, reached=False, queued=0.5),
    records.AttemptFailed(
        call_id=_CALL, attempt=1, target="a", elapsed=0.5, error=_CHAINED, first_event=0.25, characters=7
    ),
    records.AttemptFinished(call_id=_CALL, attempt=1, target="a", elapsed=1.5),
    records.AttemptFinished(
        call_id=_CALL,
        attempt=2,
        target="b:m",
        elapsed=1.5,
        model="m",
        usage=_USAGE,
        finish_reason=FinishReason.STOP,
        request_id="r-2",
        response=_RESPONSE,
        queued=0.1,
        first_event=0.5,
        characters=23,
    ),
    records.CallFinished(
        call_id=_CALL, route="default", status="ok", elapsed=2.0, attempts=2, target="b:m", usage=_USAGE
    ),
    records.CallFinished(
        call_id=_CALL,
        route="default",
        status="error",
        elapsed=2.0,
        attempts=1,
        error=AttemptsExhausted("all failed", outcomes=(failed(target("a"), _WITH_SECRET),), call_id=_CALL),
    ),
    records.CallFinished(
        call_id=_CALL,
        route="default",
        status="error",
        elapsed=0.0,
        attempts=0,
        error=CallRefused(f"no {SECRET_TEXT}", reason="budget-exhausted", scope="project:x", retry_after=60.0),
    ),
    records.CallFinished(call_id=_CALL, route="default", status="cancelled", elapsed=0.0, attempts=0),
    records.CallFinished(call_id=_CALL, route="default", status="abandoned", elapsed=0.1, attempts=1, target="a"),
    records.BreakerChanged(target="a", state="open"),
    records.BreakerChanged(target="a", state="half-open"),
    records.BreakerChanged(target="a", state="closed"),
    records.BreakerChanged(target="a", state="open", hinted=True),
    records.ConfigReloaded(),
    records.ConfigReloaded(added=("x",), removed=("y",), changed=("z",)),
)
