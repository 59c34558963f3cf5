from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlo.errors import InvalidRequest, ProtocolViolated, ProviderError, TransportFailed
from mlo_sdk import HttpClient, SseEvent, Timeouts
from tests.sdk.http_server import CLOSE, HANG, Received, Server, chunk, frame, head, serving, streamed, whole_json

pytestmark = pytest.mark.anyio
ClientOf = Callable[..., HttpClient]


async def events(client: HttpClient, path: str = "/") -> AsyncGenerator[SseEvent, None]:
    """Server-sent events, the way a provider reads them."""
    async with client.stream("POST", path, json={}) as reply, aclosing(reply.sse()) as found:
        async for event in found:
            yield event


async def data(client: HttpClient) -> list[str]:
    async with aclosing(events(client)) as found:
        return [event.data async for event in found]


async def client_went_away(server: Server) -> bool:
    return await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)


def three(_request: Received) -> Iterator[bytes]:
    return streamed(frame("a"), frame("b"), frame("c"))


def endless(_request: Received) -> Iterator[object]:
    yield from streamed(frame("a"), frame("b"), end=False)
    yield HANG


async def test_events_of_a_stream(client_of: ClientOf) -> None:
    with serving(three) as server:
        async with client_of(server.url) as client:
            assert await data(client) == ["a", "b", "c"]
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_the_head_is_known_before_the_body(client_of: ClientOf) -> None:
    def script(_request: Received) -> Iterator[object]:
        yield head(
            200, "content-type: Text/Event-Stream; charset=utf-8", "x-request-id: r-1", "transfer-encoding: chunked"
        )
        yield HANG

    with serving(script) as server:
        async with client_of(server.url) as client, client.stream("GET", "/") as reply:
            assert (reply.status, reply.content_type, reply.request_id) == (200, "text/event-stream", "r-1")
            assert reply.headers["transfer-encoding"] == "chunked"


async def test_characters_may_be_split_between_pieces(client_of: ClientOf) -> None:
    wire = frame("Привет\u2028мир")
    with serving(lambda _: streamed(*(wire[at : at + 1] for at in range(len(wire))))) as server:
        async with client_of(server.url) as client:
            assert await data(client) == ["Привет\u2028мир"]


async def test_one_connection_serves_streams_read_to_their_end(client_of: ClientOf) -> None:
    with serving(three) as server:
        async with client_of(server.url) as client:
            for _ in range(3):
                await data(client)
    assert server.connections == 1


async def test_a_stream_finished_early_on_purpose_leaves_its_connection_usable(client_of: ClientOf) -> None:
    with serving(three) as server:
        async with client_of(server.url) as client:
            for _ in range(2):
                async with client.stream("GET", "/") as reply, aclosing(reply.sse()) as found:
                    assert (await anext(found)).data == "a"
                    await reply.finish()
    assert server.connections == 1


async def test_finishing_does_not_wait_for_a_server_that_never_ends(client_of: ClientOf) -> None:
    with serving(endless) as server:
        async with client_of(server.url) as client:
            async with client.stream("GET", "/") as reply, aclosing(reply.sse()) as found:
                await anext(found)
                with anyio.fail_after(5):
                    await reply.finish()
            assert await client_went_away(server)


async def test_leaving_early_closes_the_connection(client_of: ClientOf) -> None:
    with serving(endless) as server:
        async with client_of(server.url) as client:
            async with aclosing(events(client)) as found:
                assert (await anext(found)).data == "a"
            assert await client_went_away(server)


async def test_not_reading_at_all_closes_the_connection(client_of: ClientOf) -> None:
    with serving(endless) as server:
        async with client_of(server.url) as client:
            async with client.stream("GET", "/"):
                pass
            assert await client_went_away(server)


async def test_cancelling_a_reader_closes_the_connection(client_of: ClientOf) -> None:
    with serving(endless) as server:
        async with client_of(server.url) as client:
            with anyio.CancelScope() as scope:
                async with aclosing(events(client)) as found:
                    async for event in found:
                        if event.data == "b":
                            scope.cancel()
            assert scope.cancelled_caught
            assert await client_went_away(server)


async def test_a_stream_may_change_tasks(client_of: ClientOf) -> None:
    seen: list[str] = []
    with serving(three) as server:
        async with client_of(server.url) as client:
            found = events(client)

            async def read() -> None:
                seen.append((await anext(found)).data)

            for step in (read, read, found.aclose):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(step)
    assert seen == ["a", "b"]


async def test_a_refusal_comes_before_the_block_is_entered(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json({"error": "bad"}, status=400)]) as server:
        async with client_of(server.url) as client:
            with pytest.raises(InvalidRequest, match="bad"):
                async with client.stream("GET", "/"):
                    pytest.fail("entered")


@pytest.mark.parametrize("cut", ["after an event", "inside an event"])
async def test_a_cut_stream_gives_what_came_and_then_fails(client_of: ClientOf, cut: str) -> None:
    def script(_request: Received) -> Iterator[object]:
        yield from streamed(frame("a"), end=False)
        if cut == "inside an event":
            yield chunk(b"data: hal")
        yield CLOSE

    seen = []
    with serving(script) as server:
        async with client_of(server.url) as client:
            with pytest.raises(TransportFailed, match="was lost"):
                async with aclosing(events(client)) as found:
                    async for event in found:
                        seen.append(event.data)
    assert seen == ["a"]


@given(cut=st.integers(0, 200))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_stream_cut_at_any_byte_is_never_taken_for_whole(client_of: ClientOf, cut: int) -> None:
    wire = b"".join(three(Received(method="GET", path="/", headers={}, body=b"")))
    cut = min(cut, len(wire) - 1)
    with serving(lambda _: [wire[:cut], CLOSE]) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ProviderError):
                await data(client)


async def test_silence_between_events_is_bounded(client_of: ClientOf) -> None:
    with serving(endless) as server:
        async with client_of(server.url, timeouts=Timeouts(first_byte=30, idle=0.2)) as client:
            with pytest.raises(TransportFailed, match=r"for 0\.2 s"):
                await data(client)


async def test_the_first_byte_may_take_longer_than_silence(client_of: ClientOf) -> None:
    """A model that is loaded first, for example."""
    release = anyio.Event()

    def script(request: Received) -> Iterable[object]:
        anyio.from_thread.run(wait_a_little, token=token)
        return three(request)

    async def wait_a_little() -> None:
        await anyio.sleep(0.3)
        release.set()

    token = anyio.lowlevel.current_token()
    with serving(script) as server:
        async with client_of(server.url, timeouts=Timeouts(first_byte=10, idle=0.1)) as client:
            assert await data(client) == ["a", "b", "c"]
    assert release.is_set()


async def test_a_web_page_is_no_stream(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(b"<html>", kind="text/html")) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ProtocolViolated, match="web page"):
                await data(client)


async def test_json_documents_a_line_each(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(b'{"a":', b'1}\n{"a":2}', kind="application/x-ndjson")) as server:
        async with client_of(server.url) as client, client.stream("GET", "/") as reply:
            async with aclosing(reply.ndjson()) as found:
                assert [document async for document in found] == [{"a": 1}, {"a": 2}]


async def test_a_stream_reply_may_be_one_json_document(client_of: ClientOf) -> None:
    with serving(lambda _: [whole_json({"a": 1})]) as server:
        async with client_of(server.url) as client, client.stream("GET", "/") as reply:
            assert await reply.json() == {"a": 1}


async def test_a_stream_reply_may_be_plain_bytes(client_of: ClientOf) -> None:
    with serving(lambda _: streamed(b"\x00\x01", b"\xff", kind="image/jpeg")) as server:
        async with client_of(server.url) as client, client.stream("GET", "/") as reply:
            assert await reply.body() == b"\x00\x01\xff"
