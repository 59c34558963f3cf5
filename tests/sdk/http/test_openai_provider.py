from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from mlo.api import CallContext
from mlo.errors import (
    AuthFailed,
    InvalidRequest,
    ModelNotFound,
    ProtocolViolated,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo.events import Event, Finished, Started, TextDelta, fold
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import FinishReason, Usage
from mlo_sdk import HttpClient
from mlo_sdk.openai_compat import Dialect, OpenAICompatProvider
from tests.sdk.http_server import CLOSE, HANG, Received, Server, frame, head, serving, streamed, whole, whole_json

pytestmark = pytest.mark.anyio
ClientOf = Callable[..., HttpClient]

_CONTEXT = CallContext(call_id="c-1", attempt=1, target="t", route="r")
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_ANSWER = {
    "id": "a-1",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Привет"}, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def piece(text: str) -> bytes:
    return frame({"id": "a-1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}}]})


def good_stream(_request: Received) -> Iterator[bytes]:
    return streamed(piece("При"), piece("вет"), frame(_STOP), frame({"choices": [], "usage": _USAGE}), frame("[DONE]"))


def request(text: str = "Привет", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=ChatRequest.of(text).messages, **fields)


async def stream_of(provider: OpenAICompatProvider, asked: ChatRequest | None = None) -> list[Event]:
    async with aclosing(provider.generate_stream(asked or request(), _CONTEXT)) as events:
        return [event async for event in events]


async def test_an_answer(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json(_ANSWER, "x-request-id: r-1")]) as server:
        async with client_of(f"{server.url}/v1") as client:
            response = await OpenAICompatProvider(client, model="m").generate(request(), _CONTEXT)
    assert (response.text, response.model, response.request_id) == ("Привет", "m-1", "r-1")
    assert response.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    (received,) = server.requests
    assert received.path == "/v1/chat/completions"
    assert received.json() == {"model": "m", "messages": [{"role": "user", "content": "Привет"}]}


async def test_a_stream(client_of: ClientOf) -> None:
    with serving(good_stream) as server:
        async with client_of(f"{server.url}/v1") as client:
            events = await stream_of(OpenAICompatProvider(client, model="m"))
    assert events[:3] == [Started(model="m-1", response_id="a-1"), TextDelta("При"), TextDelta("вет")]
    response = fold(events)
    assert (response.text, response.finish_reason, response.usage.total_tokens) == ("Привет", FinishReason.STOP, 5)
    assert server.requests[0].headers["accept"] == "text/event-stream"


async def test_what_came_before_an_error_is_delivered(client_of: ClientOf) -> None:
    seen = []
    with serving(lambda _: cut(piece("a") + piece("b") + frame(_ERROR))) as server:
        async with client_of(server.url) as client:
            stream = OpenAICompatProvider(client, model="m").generate_stream(request(), _CONTEXT)
            with pytest.raises(QuotaExhausted):
                async with aclosing(stream) as events:
                    async for event in events:
                        seen.append(event)
    assert seen[1:] == [TextDelta("a"), TextDelta("b")]


async def test_streams_share_a_connection(client_of: ClientOf) -> None:
    with serving(good_stream) as server:
        async with client_of(server.url) as client:
            provider = OpenAICompatProvider(client, model="m")
            for _ in range(20):
                await stream_of(provider)
    assert server.connections == 1


async def test_model_names_and_headers_are_the_vendors_business(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json(_ANSWER)]) as server:
        async with client_of(server.url) as client:
            provider = OpenAICompatProvider(
                client,
                model="lite",
                dialect=Dialect(chat_path="/own/chat"),
                wire_model=lambda model: f"gpt://folder/{model}",
                call_headers=lambda ctx: {"x-client-request-id": f"{ctx.call_id}-{ctx.attempt}"},
            )
            await provider.generate(request(model="pro"), _CONTEXT)
    (received,) = server.requests
    assert (received.path, received.json()["model"]) == ("/own/chat", "gpt://folder/pro")
    assert received.headers["x-client-request-id"] == "c-1-1"


async def test_a_model_is_needed(client_of: ClientOf) -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidRequest, match="no model"):
            await OpenAICompatProvider(client).generate(request(), _CONTEXT)


async def test_a_server_that_does_not_stream(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json(_ANSWER)]) as server:
        async with client_of(server.url) as client:
            events = await stream_of(OpenAICompatProvider(client, model="m"))
    assert fold(events).text == "Привет"
    assert isinstance(events[-1], Finished)


_ERROR = {"error": {"message": "No money", "code": "insufficient_quota"}}
_BAD_ANSWERS: dict[str, tuple[list[object], type[ProviderError], str]] = {
    "error with status": ([whole_json({"error": "gone"}, status=404)], ModelNotFound, "gone"),
    "error without status": ([whole_json(_ERROR)], QuotaExhausted, "No money"),
    "status inside": ([whole_json({"error": {"message": "slow", "code": 429}})], RateLimited, "slow"),
    "no choices": ([whole_json({"id": "a"})], ProtocolViolated, "no choices"),
    "a list": ([whole_json([1])], ProtocolViolated, "expected a JSON object"),
    "a web page": ([whole(b"<html>Hi</html>", kind="text/html")], ProtocolViolated, "expected JSON|web page"),
    "nothing": ([CLOSE], TransportFailed, "was lost"),
}


@pytest.mark.parametrize(("answer", "error", "message"), _BAD_ANSWERS.values(), ids=list(_BAD_ANSWERS))
@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_bad_answers_are_typed_errors(
    client_of: ClientOf, how: str, answer: list[object], error: type[ProviderError], message: str
) -> None:
    with serving(lambda _: answer) as server:
        async with client_of(server.url) as client:
            provider = OpenAICompatProvider(client, model="m")
            with pytest.raises(error, match=message):
                await (provider.generate(request(), _CONTEXT) if how == "whole" else stream_of(provider))


def cut(*frames: bytes, end: bool = True) -> list[object]:
    return [*streamed(*frames, end=end), CLOSE]


_BAD_STREAMS: dict[str, tuple[list[object], type[ProviderError], str]] = {
    "no frame at all": (cut(), TransportFailed, "ended before the answer did"),
    "no finish reason": (cut(piece("a")), TransportFailed, "ended before the answer did"),
    "connection cut": (cut(piece("a"), end=False), TransportFailed, "was lost"),
    "error in the middle": (cut(piece("a"), frame(_ERROR)), QuotaExhausted, "No money"),
    "error by name": (cut(b'event: error\ndata: {"message": "oops"}\n\n'), ServerFault, "oops"),
    "error by name, not JSON": (cut(b"event: error\ndata: oops\n\n"), ServerFault, "oops"),
    "not JSON": (cut(piece("a"), frame("<html>")), ProtocolViolated, "a chunk is not JSON: '<html>'"),
    "not an object": (cut(frame([1])), ProtocolViolated, "a chunk is not a JSON object"),
}


@pytest.mark.parametrize(("answer", "error", "message"), _BAD_STREAMS.values(), ids=list(_BAD_STREAMS))
async def test_bad_streams_are_typed_errors(
    client_of: ClientOf, answer: list[object], error: type[ProviderError], message: str
) -> None:
    with serving(lambda _: answer) as server:
        async with client_of(server.url) as client:
            with pytest.raises(error, match=message):
                await stream_of(OpenAICompatProvider(client, model="m"))


@pytest.mark.parametrize("end", [True, False], ids=["ended", "cut"])
async def test_a_finish_reason_is_an_end_unless_the_dialect_says_otherwise(client_of: ClientOf, end: bool) -> None:
    with serving(lambda _: cut(piece("a"), frame(_STOP), end=end)) as server:
        async with client_of(server.url) as client:
            events = await stream_of(OpenAICompatProvider(client, model="m"))
            assert fold(events).finish_reason is FinishReason.STOP
            with pytest.raises(TransportFailed):
                await stream_of(OpenAICompatProvider(client, model="m", dialect=Dialect(needs_done=True)))


async def test_leaving_a_stream_early_closes_its_connection(client_of: ClientOf) -> None:
    def script(_request: Received) -> Iterable[object]:
        yield from streamed(piece("a"), piece("b"), end=False)
        yield HANG

    with serving(script) as server:
        async with client_of(server.url) as client:
            async with aclosing(OpenAICompatProvider(client, model="m").generate_stream(request(), _CONTEXT)) as events:
                assert isinstance(await anext(events), Started)
            assert await closed(server)


async def closed(server: Server) -> bool:
    import anyio

    return await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)


async def test_embeddings_in_as_many_requests_as_the_server_needs(client_of: ClientOf) -> None:
    def script(received: Received) -> Iterable[object]:
        texts = received.json()["input"]
        data = [{"index": index, "embedding": [len(text), 1]} for index, text in enumerate(texts)]
        return [whole_json({"data": data, "model": "e-1", "usage": {"prompt_tokens": len(texts)}})]

    with serving(script) as server:
        async with client_of(server.url) as client:
            provider = OpenAICompatProvider(client, embedding_model="e", dialect=Dialect(texts_per_request=2))
            found = await provider.embed(EmbeddingRequest(texts=("a", "bb", "ccc")), _CONTEXT)
    assert found.vectors == ((1, 1), (2, 1), (3, 1))
    assert (found.model, found.usage.prompt_tokens) == ("e-1", 3)
    assert [received.json()["input"] for received in server.requests] == [["a", "bb"], ["ccc"]]


async def test_no_texts_need_no_request(client_of: ClientOf) -> None:
    async with client_of("http://127.0.0.1:1") as client:
        provider = OpenAICompatProvider(client, model="e")
        assert (await provider.embed(EmbeddingRequest(texts=()), _CONTEXT)).vectors == ()


async def test_an_embedding_error_without_a_status(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json(_ERROR)]) as server:
        async with client_of(server.url) as client:
            with pytest.raises(QuotaExhausted):
                await OpenAICompatProvider(client, model="e").embed(EmbeddingRequest(texts=("a",)), _CONTEXT)


async def test_models_and_health(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json({"data": [{"id": "a"}]})]) as server:
        async with client_of(server.url) as client:
            provider = OpenAICompatProvider(client, name="mine")
            assert [(model.id, model.provider) for model in await provider.models()] == [("a", "mine")]
            health = await provider.health()
    assert (health.healthy, health.detail) == (True, "")
    assert {(received.method, received.path) for received in server.requests} == {("GET", "/models")}


async def test_an_unhealthy_server_says_why(client_of: ClientOf) -> None:
    with serving(lambda _: [head(503, "content-length: 0")]) as server:
        async with client_of(server.url) as client:
            health = await OpenAICompatProvider(client).health()
    assert (health.healthy, "HTTP 503" in health.detail) == (False, True)


async def test_models_need_the_right_key(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json({"error": "who?"}, status=401)]) as server:
        async with client_of(server.url) as client:
            with pytest.raises(AuthFailed):
                await OpenAICompatProvider(client).models()
