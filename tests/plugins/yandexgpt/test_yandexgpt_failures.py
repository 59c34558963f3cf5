"""What goes wrong, and how it is told: three shapes of errors, errors inside HTTP 200, broken streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mlo import ChatRequest
from mlo.errors import (
    AuthFailed,
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
    StreamInterrupted,
    TransportFailed,
    Unsupported,
)
from mlo_sdk.errors import Failure
from mlo_sdk.testing import context
from mlo_yandexgpt.errors import ERRORS

from .cloud import Cloud, emulated, opened, routed

pytestmark = pytest.mark.anyio

ASK = ChatRequest.of("расскажи о себе")
OPEN = ChatRequest(messages=ASK.messages, model="qwen3-235b-a22b-fp8")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated(frame_chars=5) as found:
        yield found


def told(status: int, body: dict[str, Any]) -> ProviderError:
    failure = Failure.of_body(body)
    return ERRORS.error(
        Failure(status=status, code=failure.code, message=failure.message, retry_after=failure.retry_after)
    )


def native(grpc: int, message: str) -> dict[str, Any]:
    return {"error": {"grpcCode": grpc, "httpCode": 400, "message": message, "httpStatus": "", "details": []}}


GAUGE = "ai.textGenerationCompletionSessionsCount.count gauge quota limit exceed: allowed 10 requests"
HOURLY = "ai.textGenerationCompletionRequestsPerHour.rate rate quota limit exceed: allowed 100 requests"


@pytest.mark.parametrize(
    ("status", "grpc", "message", "leaf"),
    [
        (400, 3, "invalid model_uri", ModelNotFound),
        (400, 3, "Failed to parse model URI", ModelNotFound),
        (400, 3, "number of input tokens must be no more than 8192, got 28498", ContextTooLong),
        (400, 3, "text length is 123456, which is outside the range (0, 100000]", ContextTooLong),
        (400, 3, "Specified folder ID 'x' does not match with service account folder ID 'y'", PermissionDenied),
        (400, 3, "empty message text", InvalidRequest),
        (400, 3, "something that nobody has seen yet", InvalidRequest),
        (401, 16, "Unknown api key", AuthFailed),
        (403, 7, "Permission denied", PermissionDenied),
        (404, 5, "Failed to get model", ModelNotFound),
        (429, 8, GAUGE, RateLimited),
        (429, 8, HOURLY, QuotaExhausted),
        (429, 8, "ai.embeddingsTextEmbeddingRequestsPerSecond.rate rate quota limit exceed", RateLimited),
        (429, 8, "words that have changed", RateLimited),
        (499, 1, "cancelled", TransportFailed),
        (500, 13, "internal", ServerFault),
        (501, 12, "not here", Unsupported),
        (503, 14, "unavailable", Overloaded),
        (504, 4, "deadline", TransportFailed),
    ],
)
def test_known_errors(status: int, grpc: int, message: str, leaf: type[ProviderError]) -> None:
    error = told(status, native(grpc, message))
    assert type(error) is leaf
    assert error.code == str(grpc)
    assert message in str(error)


@pytest.mark.parametrize(
    "body",
    [
        native(8, GAUGE),
        {"code": 8, "message": GAUGE, "details": [{"@type": "type.googleapis.com/google.rpc.RequestInfo"}]},
        {"error": GAUGE, "code": 8, "message": GAUGE, "details": []},
        {"error": {"message": GAUGE}},
        {"error": GAUGE},
    ],
)
def test_all_shapes_say_the_same(body: dict[str, Any]) -> None:
    error = told(429, body)
    assert type(error) is RateLimited
    assert GAUGE in error.message
    assert error.retry_after == 0.5
    assert error.code in {None, "8"}


def test_errors_say_what_to_do() -> None:
    assert "ai.languageModels.user" in told(403, native(7, "Permission denied")).message


@pytest.mark.parametrize("request_", [ASK, OPEN], ids=["native", "openai"])
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"error_after_first": 503}, ProviderError),
        ({"cut": True}, TransportFailed),
        ({"reset": True}, TransportFailed),
    ],
)
async def test_a_stream_that_breaks_is_interrupted(
    cloud: Cloud, request_: ChatRequest, fault: dict[str, Any], cause: type[Exception]
) -> None:
    cloud.change(**fault, answer="Это довольно длинный ответ, который не дойдёт")
    async with routed(cloud) as router:
        with pytest.raises(StreamInterrupted) as caught:
            async with router.route_stream(request_) as stream:
                async for _event in stream:
                    pass
    assert isinstance(caught.value.__cause__, cause)
    assert "Это довольно длинный ответ, который не дойдёт".startswith(caught.value.partial.text)


async def test_an_error_line_is_typed(cloud: Cloud) -> None:
    cloud.change(error_after_first=503)
    async with opened(cloud) as provider:
        with pytest.raises(Overloaded, match="failed while it generated"):
            [event async for event in provider.generate_stream(ASK, context())]


async def test_divergence_is_an_error_by_default(cloud: Cloud) -> None:
    cloud.change(diverge=True)
    async with opened(cloud) as provider:
        with pytest.raises(ProtocolViolated, match="took back text"):
            [event async for event in provider.generate_stream(ASK, context())]


async def test_divergence_can_be_waited_out(cloud: Cloud) -> None:
    cloud.change(diverge=True)
    async with routed(cloud, on_rewrite="buffer") as router:
        async with router.route_stream(ASK) as stream:
            async for _event in stream:
                pass
    assert stream.response().text == "Эхо: расскажи о себе"


async def test_an_unknown_status_is_not_stop(cloud: Cloud) -> None:
    cloud.change(unknown_status=True)
    async with routed(cloud) as router:
        async with router.route_stream(ASK) as stream:
            async for _event in stream:
                pass
    assert stream.response().finish_reason == "other"
    cloud.answers.clear()  # the oracle rightly objects to them


async def test_usage_may_be_missing(cloud: Cloud) -> None:
    cloud.change(no_usage=True)
    async with routed(cloud) as router:
        usage = (await router.route(ASK)).usage
    assert (usage.total_tokens, usage.cost) == (None, None)


async def test_a_web_page_is_no_answer(cloud: Cloud) -> None:
    cloud.change(html=True)
    async with opened(cloud) as provider:
        with pytest.raises(ServerFault, match="502 Bad Gateway"):
            await provider.generate(ASK, context())


async def test_leaving_early_frees_the_gauge(cloud: Cloud) -> None:
    cloud.change(frame_delay=0.05, answer="ответ " * 100)
    async with routed(cloud) as router, router.route_stream(ASK) as stream:
        async for _event in stream:
            break
    assert cloud.journal.wait_for("generations abandoned")
    assert cloud.world.open_generations == 0


async def test_a_foreign_folder_is_told(cloud: Cloud) -> None:
    async with routed(cloud) as router:
        with pytest.raises(PermissionDenied, match="does not match"):
            await router.route(ASK, target="yandex:gpt://b1gsomebodyelses0000/yandexgpt/latest")
