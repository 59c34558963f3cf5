from __future__ import annotations

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
)
from mlo_sdk import ErrorRule, ErrorTable, Failure
from mlo_sdk.errors import redact, retry_after_of

_BY_STATUS = {
    307: ProtocolViolated,
    400: InvalidRequest,
    401: AuthFailed,
    402: QuotaExhausted,
    403: PermissionDenied,
    404: ModelNotFound,
    408: TransportFailed,
    409: InvalidRequest,
    413: ContextTooLong,
    422: InvalidRequest,
    429: RateLimited,
    500: ServerFault,
    502: ServerFault,
    503: Overloaded,
    504: TransportFailed,
    529: Overloaded,
    599: ServerFault,
    None: ServerFault,
}
_BY_CODE = {
    "context_length_exceeded": ContextTooLong,
    "content_filter": ContentBlocked,
    "insufficient_quota": QuotaExhausted,
    "model_not_found": ModelNotFound,
    "invalid_api_key": AuthFailed,
    "rate_limit_exceeded": RateLimited,
    "overloaded_error": Overloaded,
}


@pytest.mark.parametrize(("status", "leaf"), _BY_STATUS.items(), ids=map(str, _BY_STATUS))
def test_status_decides_where_nothing_else_does(status: int | None, leaf: type[ProviderError]) -> None:
    assert type(ErrorTable().error(Failure(status=status))) is leaf


@pytest.mark.parametrize(("code", "leaf"), _BY_CODE.items(), ids=list(_BY_CODE))
def test_code_goes_before_status(code: str, leaf: type[ProviderError]) -> None:
    assert type(ErrorTable().error(Failure(status=400, code=code))) is leaf


def test_a_full_context_is_known_by_its_message_too() -> None:
    failure = Failure(status=400, message="This model's maximum context length is 4096 tokens.")
    assert type(ErrorTable().error(failure)) is ContextTooLong


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 4545"),
        (
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1244 `inputs` tokens",
        ),
        (400, "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with …"),
        (None, "The number of tokens to keep from the initial prompt is greater than the context length."),
    ],
    ids=["tgi-prompt", "tgi-total", "lm-studio", "lm-studio-stream"],
)
def test_a_full_context_in_the_words_of_local_servers(status: int | None, message: str) -> None:
    assert ErrorTable().leaf(Failure(status=status, message=message)) is ContextTooLong


def test_a_vendors_rules_go_before_the_common_ones() -> None:
    table = ErrorTable().extended(
        ErrorRule(ServerFault, code="model_not_found", message="again"), by_status={409: RateLimited}
    )
    assert table.leaf(Failure(status=404, code="model_not_found", message="Try again")) is ServerFault
    assert table.leaf(Failure(status=404, code="model_not_found", message="gone")) is ModelNotFound
    assert table.leaf(Failure(status=409)) is RateLimited


def test_an_error_carries_what_the_server_said() -> None:
    failure = Failure(status=429, code="slow", message="Slow down", request_id="r-1", retry_after=2.0)
    error = ErrorTable().error(failure)
    assert (error.status, error.code, error.request_id, error.retry_after) == (429, "slow", "r-1", 2.0)
    assert str(error) == "Slow down [HTTP 429, code slow, request r-1, retry after 2 s]"


def test_an_error_without_a_word_says_so() -> None:
    assert ErrorTable().error(Failure(status=500)).message == "the server gave no reason"


_BODIES: dict[str, tuple[object, str | None, str]] = {
    "openai": ({"error": {"message": "No", "type": "t", "code": "c"}}, "c", "No"),
    "openai without code": ({"error": {"message": "No", "type": "t", "code": None}}, "t", "No"),
    "vllm": ({"object": "error", "message": "No", "type": "BadRequestError", "code": 400}, "BadRequestError", "No"),
    "gigachat": ({"status": 401, "message": "Token has expired"}, "401", "Token has expired"),
    "yandex": ({"error": {"grpcCode": 16, "httpCode": 401, "message": "No"}}, "16", "No"),
    "yandex unary": ({"error": "No", "code": 16, "message": "No!", "details": []}, "16", "No!"),
    "text": ({"error": "model not found"}, None, "model not found"),
    "oauth": ({"error": "invalid_client", "error_description": "No"}, "invalid_client", "No"),
    "fastapi text": ({"detail": "No"}, None, "No"),
    "fastapi list": ({"detail": [{"loc": ["body", "n"], "msg": "too big"}, "x"]}, None, "body.n: too big; x"),
    "a string": ("No", None, "No"),
    "a list": ([1], None, ""),
    "nothing known": ({"a": True}, None, ""),
}


@pytest.mark.parametrize(("body", "code", "message"), _BODIES.values(), ids=list(_BODIES))
def test_code_and_message_are_found(body: object, code: str | None, message: str) -> None:
    failure = Failure.of_body(body)
    assert (failure.code, failure.message) == (code, message)


def test_a_status_inside_the_body_is_found() -> None:
    assert Failure.of_body({"error": {"code": 429, "message": "x"}}).status == 429
    assert Failure.of_body({"status": 200}).status is None
    assert Failure.of_body("text").status is None


def test_a_web_page_is_shown_as_a_line_of_text() -> None:
    page = "<html><head><style>p {}</style></head><body>\n<h1>502</h1> Bad   gateway</body></html>"
    assert Failure.of_body(None, page).message == "502 Bad gateway"


_RETRY_AFTER = {
    "seconds": ({"retry-after": "3"}, 3.0),
    "fraction": ({"retry-after": "0.5"}, 0.5),
    "date": ({"retry-after": "Thu, 01 Jan 1970 00:16:50 GMT"}, 10.0),
    "date of unknown zone": ({"retry-after": "Thu, 01 Jan 1970 00:16:50 -0000"}, 10.0),
    "date gone by": ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "nonsense": ({"retry-after": "soon"}, None),
    "negative": ({"retry-after": "-1"}, None),
    "infinite": ({"retry-after": "inf"}, None),
    "absent": ({}, None),
}


@pytest.mark.parametrize(("headers", "seconds"), _RETRY_AFTER.values(), ids=list(_RETRY_AFTER))
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(headers, now=1000.0) == seconds


def test_redaction_leaves_short_words_alone() -> None:
    assert redact("key sk-12345 is bad", ["sk-12345", "is", ""]) == "key **** is bad"
