from __future__ import annotations

import json
from typing import Any

import pytest

from mlo import errors
from mlo.errors import (
    AttemptsExhausted,
    CallCancelled,
    ConfigError,
    DeadlineExceeded,
    InvalidRequest,
    MloError,
    ModelNotFound,
    NoTarget,
    Overloaded,
    ProviderError,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo.messages import Message
from mlo.responses import ChatResponse
from mlo.routing import Outcome, Target
from mlo_gateway.contracts import GatewayError
from mlo_gateway.translate.failures import failure_of
from mlo_gateway.wire.errors import error_body, error_headers

SECRET = "http://10.0.0.7:8000/internal"
PARTIAL = ChatResponse(message=Message.assistant(""))
LEAVES = [
    kind
    for name in errors.__all__
    if issubclass(kind := getattr(errors, name), ProviderError) and kind is not ProviderError
]
ABOUT_THE_REQUEST = {"InvalidRequest", "ContextTooLong", "ContentBlocked", "Unsupported", "ModelNotFound"}


def made(kind: type[ProviderError], message: str, **fields: Any) -> ProviderError:
    if kind is errors.AnswerRejected:
        return errors.AnswerRejected(message, response=PARTIAL)
    if kind is errors.StreamInterrupted:
        return errors.StreamInterrupted(message, partial=PARTIAL)
    if kind is errors.ProtocolViolated:
        return errors.ProtocolViolated(message, sample=SECRET)
    return kind(message, **fields)


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_of_a_provider_has_a_place(kind: type[ProviderError]) -> None:
    error = made(kind, f"cannot reach {SECRET}")
    error.target = "giga"
    found = failure_of(error)
    about_the_request = kind.__name__ in ABOUT_THE_REQUEST
    assert (400 <= found.status < 500) is (about_the_request or kind is RateLimited)
    assert found.details["target"] == "giga"
    assert found.__cause__ is error
    if about_the_request:
        assert found.message == error.message  # it helps to mend the request
    else:
        assert SECRET not in error_body(found).decode()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.ContextTooLong("too long"), 400, "context_length_exceeded"),
        (errors.ContentBlocked("blocked"), 400, "content_filter"),
        (errors.Unsupported("no seed"), 400, "unsupported_parameter"),
        (ModelNotFound("no such model"), 404, "model_not_found"),
        (RateLimited("slow down", retry_after=2.5), 429, "rate_limit_exceeded"),
        (errors.QuotaExhausted("empty"), 503, "provider_quota_exhausted"),
        (errors.AuthFailed("bad key"), 502, "provider_auth_failed"),
        (Overloaded("busy"), 503, "provider_overloaded"),
        (TransportFailed("refused"), 502, "provider_unreachable"),
        (DeadlineExceeded("late"), 504, "timeout"),
        (CallCancelled("stopped"), 503, "cancelled"),
        (ConfigError("providers.giga", f"wrong {SECRET}"), 500, "internal_error"),
        (MloError(SECRET), 500, "internal_error"),
    ],
)
def test_errors_and_their_codes(error: MloError, status: int, code: str) -> None:
    found = failure_of(error)
    assert (found.status, found.code) == (status, code)
    assert SECRET not in error_body(found).decode()


def outcome(error: Exception) -> Outcome:
    target: Any = Target(name="t", provider="t", stats=None)  # type: ignore[arg-type]
    return Outcome(target=target, error=error)


@pytest.mark.parametrize(
    ("attempts", "status", "retry_after"),
    [
        ([ServerFault("a"), TransportFailed("b")], 502, None),
        ([RateLimited("a", retry_after=3), ServerFault("b")], 429, 3),
        ([ModelNotFound("a"), RateLimited("b")], 429, None),
        ([ModelNotFound("a"), InvalidRequest("b")], 400, None),
        ([MloError("a")], 502, None),
    ],
)
def test_several_attempts_are_told_by_the_one_that_helps(attempts: list[Any], status: int, retry_after: Any) -> None:
    error = AttemptsExhausted("all failed", outcomes=[outcome(each) for each in attempts])
    found = failure_of(error)
    assert (found.status, found.retry_after) == (status, retry_after)


@pytest.mark.parametrize(
    ("reasons", "status", "code"),
    [
        ({"a": "lacks vision", "b": "lacks tools, vision"}, 400, "unsupported_parameter"),
        ({"a": "lacks vision", "b": "circuit breaker open for another 3.0 s"}, 503, "no_target"),
        ({}, 503, "no_target"),
    ],
)
def test_nobody_to_ask(reasons: dict[str, str], status: int, code: str) -> None:
    found = failure_of(NoTarget("nobody", reasons=reasons))
    assert (found.status, found.code) == (status, code)
    if status == 400:
        assert found.details["lacks"] == ["tools", "vision"]


def test_what_was_wrong_with_the_request_comes_out_as_it_was() -> None:
    wrong = GatewayError(400, "invalid_type", "invalid_request_error", "no", param="messages[0].content")
    inner = InvalidRequest("no")
    inner.__cause__ = wrong
    outer = AttemptsExhausted("all failed", outcomes=[outcome(inner)])
    outer.__cause__ = inner
    assert failure_of(outer) is wrong


def test_the_shape_of_an_error() -> None:
    error = GatewayError(429, "c", "t", "m", param="p", retry_after=0.2, details={"scope": "key"})
    assert json.loads(error_body(error)) == {
        "error": {"message": "m", "type": "t", "param": "p", "code": "c", "retry_after": 0.2, "scope": "key"}
    }
    assert error_headers(error) == [(b"retry-after", b"1"), (b"retry-after-ms", b"200")]
    assert error_headers(GatewayError(402, "c", "t", "m")) == [(b"x-should-retry", b"false")]


def test_a_ring_of_causes_comes_to_an_end() -> None:
    """A plugin that raises an error from itself must not stop the whole gateway."""
    error = TransportFailed("lost")
    error.__cause__ = error
    interrupted = ServerFault("broken")
    interrupted.__cause__ = error
    assert failure_of(interrupted).status == 502
    assert failure_of(error).status == 502
