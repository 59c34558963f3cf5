"""A client's bytes to a server of OpenAI's wire and back, on every transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mlo import ChatRequest
from mlo.api import CallContext, Credentials
from mlo.errors import (
    AuthFailed,
    InvalidRequest,
    ModelNotFound,
    ProtocolViolated,
    ProviderError,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo.models import Capability
from mlo.relay import Relay, RelayRequest
from mlo.responses import FinishReason, Usage
from mlo_sdk import HttpClient, StaticAuth, Timeouts
from mlo_sdk.openai_compat import Dialect, OpenAICompatProvider
from mlo_sdk.openai_compat.relaying import RelayedChat
from tests.sdk.http_server import CLOSE, HANG, Received, Server, frame, head, serving, streamed, whole, whole_json

pytestmark = pytest.mark.anyio
ClientOf = Callable[..., HttpClient]

CONTEXT = CallContext(call_id="c-1", attempt=1, target="t", route="r")
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USAGE = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
ANSWER = {
    "id": "a-1",
    "model": "m-1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": 'Он сказал: "usage": {'}, "finish_reason": "stop"}
    ],
    "usage": COUNTS,
    "vendor": {"field": 1.50},
}
STOP = frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
COUNTED = frame({"id": "a-1", "choices": [], "usage": COUNTS})
DONE = frame("[DONE]")


def said(text: str, **more: object) -> bytes:
    return frame({"id": "a-1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, **more}]})


def request(*, stream: bool = False, needs: Iterable[Capability] = (), **fields: Any) -> RelayRequest:
    document = {"messages": [{"role": "user", "content": "Привет"}], "model": "client's", **fields}
    if stream:
        document["stream"] = True
    raw = json.dumps(document, ensure_ascii=False, indent=1).encode()
    chat = ChatRequest.deferred(lambda: ChatRequest.of("Привет"), needs=frozenset({Capability.CHAT, *needs}))
    options = fields.get("stream_options") or {}
    wants_usage = bool(options.get("include_usage"))
    return RelayRequest(
        wire="openai.chat", raw=raw, document=document, chat=chat, stream=stream, wants_usage=wants_usage
    )


@asynccontextmanager
async def provider_of(client_of: ClientOf, server: Server, **options: Any) -> AsyncIterator[OpenAICompatProvider]:
    client_options = {name: options.pop(name) for name in ("auth", "headers", "timeouts") if name in options}
    async with client_of(f"{server.url}/v1", **client_options) as client:
        yield OpenAICompatProvider(client, model="m", **options)


async def opened(provider: OpenAICompatProvider, **fields: Any) -> RelayedChat:
    asked = request(stream=True, **fields)
    assert provider.relays(asked)
    return await provider.relay_stream(asked, None, CONTEXT)


async def bytes_of(source: RelayedChat) -> bytes:
    pieces = []
    try:
        while piece := await source.receive():
            pieces.append(piece)
    finally:
        await source.aclose()
    return b"".join(pieces)


async def test_a_whole_answer(client_of: ClientOf) -> None:
    answer = whole_json(ANSWER, "x-request-id: r-1")
    with serving(lambda _: [answer]) as server:
        async with provider_of(client_of, server, dialect=Dialect(headers={})) as provider:
            assert isinstance(provider, Relay)
            relayed = await provider.relay(request(temperature=0.50), "big", CONTEXT)
    assert relayed.body == answer.partition(b"\r\n\r\n")[2]
    assert (relayed.status, relayed.content_type) == (200, "application/json")
    summary = relayed.summary
    assert (summary.usage, summary.model, summary.request_id) == (USAGE, "m-1", "r-1")
    assert summary.finish_reason is FinishReason.STOP
    (received,) = server.requests
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    expected = request(temperature=0.50).raw.replace(b'"model": "client\'s"', b'"model":"big"')
    assert received.body == expected
    assert received.headers["content-type"] == "application/json"


async def test_a_stream(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("При"), said("вет"), STOP, COUNTED, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            assert await bytes_of(source) == said("При") + said("вет") + STOP + DONE
    assert source.content_type == "text/event-stream"
    summary = source.summary()
    assert (summary.usage, summary.finish_reason, summary.model) == (USAGE, FinishReason.STOP, "m-1")
    assert summary.characters == len("Привет")
    (received,) = server.requests
    assert received.json() == {
        **request(stream=True).document,
        "model": "m",
        "stream_options": {"include_usage": True},
    }
    assert received.headers["accept"] == "text/event-stream"


async def test_token_counts_that_the_client_wants_go_through(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("x"), STOP, COUNTED, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider, stream_options={"include_usage": True, "other": 1})
            assert COUNTED in await bytes_of(source)
    assert source.summary().usage == USAGE
    assert server.requests[0].json()["stream_options"] == {"include_usage": True, "other": 1}


async def test_other_options_of_the_stream_are_kept(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("x"), STOP, COUNTED, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            await bytes_of(await opened(provider, stream_options={"include_obfuscation": False}))
    assert server.requests[0].json()["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_a_server_that_counts_no_stream_is_not_asked_to(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("x"), STOP, DONE)) as server:
        async with provider_of(client_of, server, dialect=Dialect(stream_usage=False)) as provider:
            source = await opened(provider)
            assert await bytes_of(source) == said("x") + STOP + DONE
    assert source.summary().usage == Usage()
    assert "stream_options" not in server.requests[0].json()


async def test_counts_beside_an_answer_go_through(client_of: ClientOf) -> None:
    last = said("вет", finish_reason="stop").replace(
        b"}\n\n", b',"usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
    )
    with serving(lambda _: streamed(said("При"), last, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            assert await bytes_of(source) == said("При") + last + DONE
    assert source.summary().usage == Usage(prompt_tokens=3, completion_tokens=2)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("ends", ["\n\n", "\r\n\r\n"])
async def test_frames_are_whole_however_they_come(client_of: ClientOf, size: int, ends: str) -> None:
    frames = [said("При"), said("вет"), STOP, COUNTED, DONE]
    sent = b": ping\n\n" + b"".join(frames)
    sent, end = sent.replace(b"\n\n", ends.encode()), ends.encode()
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    with serving(lambda _: streamed(*pieces)) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            received = []
            while piece := await source.receive():
                received.append(piece)
            await source.aclose()
    assert all(piece.endswith(end) for piece in received)
    wanted = b"".join(frame for frame in frames if frame is not COUNTED).replace(b"\n\n", end)
    assert b"".join(received).removeprefix(b": ping" + end) == wanted
    assert (source.summary().usage, source.summary().characters) == (USAGE, 6)


async def test_a_comment_is_no_answer_yet(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(b": processing\n\n", frame({"error": {"message": "busy", "code": 503}}))) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            with pytest.raises(ProviderError, match="busy"):
                await source.receive()
            await source.aclose()


async def test_the_connection_is_used_again(client_of: ClientOf) -> None:
    def script(received: Received) -> Iterable[object]:
        return streamed(said("x"), STOP, COUNTED, DONE) if received.json().get("stream") else [whole_json(ANSWER)]

    with serving(script) as server:
        async with provider_of(client_of, server) as provider:
            for _ in range(3):
                await provider.relay(request(), None, CONTEXT)
                await bytes_of(await opened(provider))
                await provider.generate(ChatRequest.of("x"), CONTEXT)
    assert (len(server.requests), server.connections) == (9, 1)


async def test_leaving_early_hangs_up(client_of: ClientOf) -> None:
    def script(_: Received) -> Iterator[object]:
        yield from streamed(said("x"), end=False)
        yield HANG

    with serving(script) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            assert await source.receive() == said("x")
            await source.aclose()
            await source.aclose()
            closed = await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)
    assert closed


# errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (whole_json({"error": {"message": "no", "code": "model_not_found"}}, status=404), ModelNotFound, "no"),
        (whole_json({"error": {"message": "bad"}}, status=400), InvalidRequest, "bad"),
        (whole_json({"error": {"message": "slow"}}, "retry-after: 7", status=429), RateLimited, "retry after 7"),
        (whole_json({"error": {"message": "broken"}}, status=500), ServerFault, "broken"),
        (whole_json({"error": {"message": "inside", "code": 429}}), RateLimited, "inside"),
        (whole(b"<html>Hello</html>", kind="text/html"), ProtocolViolated, "expected JSON"),
        (whole_json({"choices": []}), ProtocolViolated, "no choices"),
        (whole_json([1]), ProtocolViolated, "no choices"),
    ],
)
async def test_what_is_no_answer_is_the_error_of_the_table(
    client_of: ClientOf, stream: bool, answer: bytes, error: type[ProviderError], text: str
) -> None:
    with serving(lambda _: [answer]) as server:
        async with provider_of(client_of, server) as provider:
            with pytest.raises(error, match=text):
                if stream:
                    await bytes_of(await opened(provider))
                else:
                    await provider.relay(request(), None, CONTEXT)


async def test_nobody_there(client_of: ClientOf) -> None:
    with serving(lambda _: []) as server:
        pass
    async with provider_of(client_of, server) as provider:
        for stream in (False, True):
            with pytest.raises(TransportFailed, match="cannot connect"):
                await (opened(provider) if stream else provider.relay(request(), None, CONTEXT))


async def test_an_error_in_the_middle_is_told_once(client_of: ClientOf) -> None:
    broken = frame({"error": {"message": "out of memory", "type": "server_error", "code": 500}})
    with serving(lambda _: streamed(said("x"), said("y") + broken + said("z"))) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            received = await source.receive()
            with pytest.raises(ServerFault, match="out of memory"):
                while piece := await source.receive():
                    received += piece
            await source.aclose()
    assert received == said("x") + said("y")


@pytest.mark.parametrize("event", [b'event: error\ndata: "overloaded"\n\n', b"event: error\ndata: overloaded\n\n"])
async def test_an_event_called_error_is_one(client_of: ClientOf, event: bytes) -> None:
    with serving(lambda _: streamed(said("x"), event)) as server:
        async with provider_of(client_of, server) as provider:
            with pytest.raises(ProviderError, match="overloaded"):
                await bytes_of(await opened(provider))


async def test_a_text_about_an_error_is_none(client_of: ClientOf) -> None:
    talk = said('{"error": {"message": "x"}} event: error')
    with serving(lambda _: streamed(talk, said("", error=None), STOP, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            assert await bytes_of(await opened(provider)) == talk + said("", error=None) + STOP + DONE


@pytest.mark.parametrize("end", [[], [CLOSE]], ids=["ended", "cut"])
async def test_a_stream_without_its_end_is_broken(client_of: ClientOf, end: list[object]) -> None:
    def script(_: Received) -> Iterator[object]:
        yield from streamed(said("x"), said("y"), end=not end)
        yield from end

    with serving(script) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            assert (await source.receive()).startswith(said("x"))
            with pytest.raises(TransportFailed):
                await bytes_of(source)
    assert source.summary().characters == 2


async def test_a_finish_reason_is_enough_unless_the_dialect_wants_more(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("x"), STOP)) as server:
        async with provider_of(client_of, server) as provider:
            assert await bytes_of(await opened(provider)) == said("x") + STOP
        async with provider_of(client_of, server, dialect=Dialect(needs_done=True)) as provider:
            with pytest.raises(TransportFailed, match="ended before the answer"):
                await bytes_of(await opened(provider))


@pytest.mark.parametrize("end", [CLOSE, HANG], ids=["cut", "silent"])
async def test_a_complete_answer_stays_one_whatever_happens_then(client_of: ClientOf, end: object) -> None:
    def script(_: Received) -> Iterator[object]:
        yield from streamed(said("x"), STOP, end=False)
        yield end

    timeouts = Timeouts(idle=0.2)
    with serving(script) as server:
        async with provider_of(client_of, server, timeouts=timeouts) as provider:
            assert await bytes_of(await opened(provider)) == said("x") + STOP
        async with provider_of(client_of, server, timeouts=timeouts, dialect=Dialect(needs_done=True)) as provider:
            with pytest.raises(TransportFailed):
                await bytes_of(await opened(provider))


@pytest.mark.parametrize("frames", [(STOP, DONE), (STOP,)])
async def test_the_last_frame_may_lack_its_blank_line(client_of: ClientOf, frames: tuple[bytes, ...]) -> None:
    with serving(lambda _: streamed(said("x"), b"".join(frames).rstrip())) as server:
        async with provider_of(client_of, server) as provider:
            assert await bytes_of(await opened(provider)) == said("x") + b"".join(frames)


@pytest.mark.parametrize("text", ["[DONE]", "data: [DONE]", "\ndata: [DONE]"])
async def test_a_text_that_ends_like_a_stream_does_not_end_it(client_of: ClientOf, text: str) -> None:
    last = frame({"choices": [{"index": 0, "finish_reason": None, "delta": {"content": text}}]})
    with serving(lambda _: streamed(said("x"), last, said("y"), STOP, DONE)) as server:
        async with provider_of(client_of, server) as provider:
            assert await bytes_of(await opened(provider)) == said("x") + last + said("y") + STOP + DONE
    cut = last[: last.rindex(b'"')]
    with serving(lambda _: streamed(said("x"), cut)) as server:
        async with provider_of(client_of, server) as provider:
            with pytest.raises(TransportFailed, match="ended before the answer"):
                await bytes_of(await opened(provider))


async def test_what_follows_the_last_word_does_not_undo_it(client_of: ClientOf) -> None:
    end = DONE + b": and a comment that nobody reads\n\n"
    with serving(lambda _: streamed(said("x"), STOP, end)) as server:
        async with provider_of(client_of, server, dialect=Dialect(needs_done=True)) as provider:
            assert (await bytes_of(await opened(provider))).startswith(said("x") + STOP + DONE)


async def test_a_frame_cut_after_the_end_of_the_answer_is_left_out(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(said("x"), STOP, COUNTED[:-9])) as server:
        async with provider_of(client_of, server) as provider:
            assert await bytes_of(await opened(provider)) == said("x") + STOP


@pytest.mark.parametrize(
    "broken", [frame({"error": {"message": "overloaded"}}), b"event:error\ndata: overloaded\n\n"], ids=["json", "text"]
)
@pytest.mark.parametrize("is_whole", [True, False])
async def test_an_error_may_lack_its_blank_line(client_of: ClientOf, broken: bytes, is_whole: bool) -> None:
    with serving(lambda _: streamed(said("x"), broken if is_whole else broken.rstrip())) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            assert await source.receive() == said("x")
            with pytest.raises(ProviderError, match="overloaded"):
                await bytes_of(source)


async def test_silence_is_a_failure(client_of: ClientOf) -> None:
    def script(_: Received) -> Iterator[object]:
        yield from streamed(said("x"), end=False)
        yield HANG

    with serving(script) as server:
        async with provider_of(client_of, server, timeouts=Timeouts(idle=0.1)) as provider:
            with pytest.raises(TransportFailed, match="sent nothing for"):
                await bytes_of(await opened(provider))


async def test_reading_ends_by_the_deadline_where_it_says_so(client_of: ClientOf) -> None:
    def script(_: Received) -> Iterator[object]:
        yield from streamed(said("x"), end=False)
        yield HANG

    with serving(script) as server:
        async with provider_of(client_of, server) as provider:
            deadline = anyio.current_time() + 0.2
            context = CallContext(call_id="c", attempt=1, target="t", route="r", deadline=deadline)
            source = await provider.relay_stream(request(stream=True), None, context)
            with anyio.fail_after(5):
                if source.is_bounded:
                    with pytest.raises(TransportFailed):
                        await bytes_of(source)
                    assert anyio.current_time() >= deadline
                await source.aclose()


async def test_a_server_that_does_not_stream_is_put_into_frames(client_of: ClientOf) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {**ANSWER, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    with serving(lambda _: [whole_json(answer)]) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)
            chunk, done, rest = (await bytes_of(source)).split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    (choice,) = json.loads(chunk.removeprefix(b"data: "))["choices"]
    assert choice["delta"]["tool_calls"] == [{"index": 0, **call}]
    assert (source.content_type.partition(";")[0], source.summary().usage) == ("text/event-stream", USAGE)


async def test_another_task_may_hang_up(client_of: ClientOf) -> None:
    with serving(lambda _: [*streamed(said("x"), end=False), HANG]) as server:
        async with provider_of(client_of, server) as provider:
            source = await opened(provider)

            async def read() -> None:
                with pytest.raises(TransportFailed, match="was lost"):
                    await bytes_of(source)

            with anyio.fail_after(10):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await anyio.wait_all_tasks_blocked()
                    await anyio.sleep(0.05)  # what has come is read by then
                    await source.aclose()
            await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)
    assert server.closed_by_client.is_set()


@pytest.mark.parametrize("choices", [["x"], [{"message": "x"}], [{"message": {"tool_calls": ["x"]}}]])
async def test_an_answer_that_is_not_a_stream_and_odd(client_of: ClientOf, choices: list[object]) -> None:
    with serving(lambda _: [whole_json({"choices": choices})]) as server:
        async with provider_of(client_of, server) as provider:
            try:
                got = await bytes_of(await opened(provider))
            except ProtocolViolated as error:
                assert choices == ["x"], error
            else:
                assert got.endswith(DONE)


# credentials


class Renewing:
    """Gives a new token when the one before was rejected."""

    def __init__(self) -> None:
        self.generation = 0

    async def credentials(self, stale: int | None = None) -> Credentials:
        if stale == self.generation:
            self.generation += 1
        return Credentials(headers={"authorization": f"Bearer t{self.generation}"}, generation=self.generation)


@pytest.mark.parametrize("stream", [False, True])
async def test_rejected_credentials_are_renewed_once(client_of: ClientOf, stream: bool) -> None:
    def script(received: Received) -> Iterable[object]:
        if received.headers["authorization"] != "Bearer t1":
            return [whole_json({"error": {"message": "expired"}}, status=401)]
        return streamed(said("x"), STOP, DONE) if stream else [whole_json(ANSWER)]

    with serving(script) as server:
        async with provider_of(client_of, server, auth=Renewing()) as provider:
            if stream:
                assert await bytes_of(await opened(provider)) == said("x") + STOP + DONE
            else:
                assert (await provider.relay(request(), None, CONTEXT)).summary.usage == USAGE
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [200, 401])
async def test_rejected_credentials_are_not_repeated_in_the_error(client_of: ClientOf, status: int) -> None:
    def script(received: Received) -> Iterable[object]:
        message = f"bad key {received.headers['authorization']}"
        return [whole_json({"error": {"message": message, "code": "invalid_api_key"}}, status=status)]

    auth = StaticAuth({"authorization": "Bearer hidden-key"})
    with serving(script) as server:
        async with provider_of(client_of, server, auth=auth) as provider:
            with pytest.raises(AuthFailed, match="bad key") as caught:
                await provider.relay(request(), None, CONTEXT)
    assert "hidden" not in str(caught.value)


async def test_keys_among_the_headers_are_not_repeated_either(client_of: ClientOf) -> None:
    def script(received: Received) -> Iterator[object]:
        broken = frame({"error": {"message": f"no {received.headers['api-key']} with {received.headers['mode']}"}})
        yield from streamed(said("x"), broken)

    with serving(script) as server:
        headers = {"Api-Key": "hidden-key", "mode": "fast"}
        async with provider_of(client_of, server, headers=headers) as provider:
            with pytest.raises(ProviderError, match=r"no \*{4} with fast") as caught:
                await bytes_of(await opened(provider))
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nx-more: 1", "a\nb", "a\0b", "ключ"])
async def test_a_header_cannot_bring_another_one(client_of: ClientOf, value: str) -> None:
    with serving(lambda _: [whole_json(ANSWER)]) as server:
        async with provider_of(client_of, server, auth=StaticAuth({"authorization": value})) as provider:
            with pytest.raises((TransportFailed, UnicodeEncodeError)) as caught:
                await provider.relay(request(), None, CONTEXT)
    assert server.requests == []
    assert value not in str(caught.value)


# what a dialect says differently

PICTURE = {"needs": [Capability.VISION]}
FOREIGN: Mapping[str, tuple[Dialect, dict[str, Any], bool]] = {
    "nothing special": (Dialect(), {"temperature": 1, "response_format": {"type": "json_object"}, "tools": []}, True),
    "new name of a limit": (Dialect(), {"max_completion_tokens": 5}, False),
    "old name of a limit": (Dialect(sampling={"max_tokens": "max_completion_tokens"}), {"max_tokens": 5}, False),
    "its own name": (Dialect(sampling={"max_tokens": "max_completion_tokens"}), {"max_completion_tokens": 5}, True),
    "schemas": (Dialect(json_schema="llama-cpp"), {"response_format": {"type": "json_schema"}}, False),
    "no objects": (Dialect(json_object=False), {"response_format": {"type": "json_object"}}, False),
    "reasoning": (Dialect(reasoning={}), {"reasoning_effort": "low"}, False),
    "no reasoning asked": (Dialect(reasoning={}), {}, True),
    "tool choice": (Dialect(tool_choices=frozenset({"auto"})), {"tool_choice": "required"}, False),
    "ids of calls": (Dialect(unique_call_ids=True), {"tools": []}, False),
    "images": (Dialect(images=False), PICTURE, False),
    "images taken": (Dialect(), PICTURE, True),
    "files": (Dialect(), {"needs": [Capability.FILES]}, False),
}


@pytest.mark.parametrize("name", FOREIGN)
async def test_what_the_dialect_says_differently_is_translated(name: str, transport: str) -> None:
    if transport != "direct":
        return
    dialect, fields, taken = FOREIGN[name]
    provider = OpenAICompatProvider(HttpClient("http://127.0.0.1:1"), model="m", dialect=dialect)
    assert provider.relays(request(**fields)) is taken


async def test_another_wire_is_not_taken() -> None:
    provider = OpenAICompatProvider(HttpClient("http://127.0.0.1:1"), model="m")
    other = RelayRequest(wire="openai.responses", raw=b"{}", document={}, chat=ChatRequest.of("x"))
    assert not provider.relays(other)


async def test_fields_of_every_request_are_added(client_of: ClientOf) -> None:
    dialect = Dialect(extra={"keep_alive": "5m", "temperature": 0.1})
    with serving(lambda _: [whole_json(ANSWER)]) as server:
        async with provider_of(client_of, server, dialect=dialect) as provider:
            await provider.relay(request(temperature=0.9), None, CONTEXT)
    sent = server.requests[0].json()
    assert (sent["keep_alive"], sent["temperature"], sent["model"]) == ("5m", 0.9, "m")


async def test_without_any_model_there_is_nobody_to_ask(client_of: ClientOf) -> None:
    with serving(lambda _: []) as server:
        async with client_of(server.url) as client:
            with pytest.raises(InvalidRequest, match="no model"):
                await OpenAICompatProvider(client).relay(request(), None, CONTEXT)
    assert server.requests == []


async def test_compressed_answers_are_unpacked(client_of: ClientOf) -> None:
    import gzip

    body = json.dumps(ANSWER).encode()
    packed = gzip.compress(body)
    answer = head(200, "content-type: application/json", "content-encoding: gzip", f"content-length: {len(packed)}")
    with serving(lambda _: [answer + packed]) as server:
        async with provider_of(client_of, server) as provider:
            relayed = await provider.relay(request(), None, CONTEXT)
    assert (relayed.body, relayed.summary.usage) == (body, USAGE)
