"""Streams that break: what was received is delivered once, and the break is an error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.api import Provider
from mlo.errors import ProtocolViolated, ProviderError, ServerFault, TransportFailed
from mlo.events import Event, Finished, Fold, TextDelta
from mlo.requests import ChatRequest, Sampling
from mlo.responses import FinishReason
from mlo_emulators.gigachat import Emulator
from mlo_gigachat import v1
from mlo_gigachat.config import GigaChatConfig
from mlo_gigachat.frames import StreamReader
from mlo_gigachat.provider import open_gigachat
from mlo_gigachat.reading import Reading
from mlo_sdk.testing.surroundings import FixedAuth, LoneEnvironment, context

from .test_gigachat_contract import V1_CALL, V1_TEXT, V2_TEXT, read

TOKEN = FixedAuth()
PROMPT = "Расскажи, пожалуйста, про Москву 🌍 и про Пермь"
VERSIONS = pytest.mark.parametrize("api", ["v1", "v2"])


@asynccontextmanager
async def connected(
    url: str, emulator: Emulator, *, api: str = "v1", table: Any = None, **faults: Any
) -> AsyncIterator[Provider]:
    emulator.configure(access_token=TOKEN.token.reveal(), **faults)
    config = GigaChatConfig(base_url=f"{url}/v1", api=api, **(table or {}))  # type: ignore[arg-type]
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        yield provider


async def received(provider: Provider, request: ChatRequest | None = None) -> tuple[list[Event], ProviderError | None]:
    events: list[Event] = []
    stream = provider.generate_stream(request or ChatRequest.of(PROMPT), context())
    try:
        async for event in stream:
            events.append(event)
    except ProviderError as error:
        return events, error
    return events, None


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def body_of(url: str, emulator: Emulator, api: str) -> bytes:
    """The bytes of an undisturbed stream."""
    emulator.configure(access_token=TOKEN.token.reveal())
    message: Any = {"role": "user", "content": PROMPT if api == "v1" else [{"text": PROMPT}]}
    headers = {"Authorization": f"Bearer {TOKEN.token.reveal()}"}
    body = {"model": "GigaChat-2", "messages": [message], "stream": True}
    async with httpx.AsyncClient() as client:
        return (await client.post(f"{url}/{api}/chat/completions", json=body, headers=headers)).content


def promised(body: bytes, api: str) -> tuple[str, bool]:
    """The text in the whole events of a body, and whether the answer is complete; read without the plugin."""
    text, complete = "", False
    for event in body.split(b"\n\n")[:-1]:
        data = event.split(b"data: ", 1)[1]
        if data == b"[DONE]":
            continue
        chunk = json.loads(data)
        if api == "v1":
            text += chunk["choices"][0]["delta"].get("content", "")
            complete |= "usage" in chunk
        else:
            text += "".join(part["text"] for message in chunk.get("messages", ()) for part in message["content"])
            complete |= b"response.message.done" in event
    return text, complete


@VERSIONS
@pytest.mark.anyio
async def test_a_cut_after_any_byte_gives_the_text_received_and_an_error(
    url: str, emulator: Emulator, api: str
) -> None:
    whole = await body_of(url, emulator, api)
    for cut in range(1, len(whole), 11):
        async with connected(url, emulator, api=api, cut_after_bytes=cut) as provider:
            events, error = await received(provider)
        text, complete = promised(whole[:cut], api)
        assert text_of(events) == text
        assert isinstance(error, TransportFailed) is not complete
        assert isinstance(events[-1] if events else None, Finished) is complete


@VERSIONS
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.anyio
async def test_utf8_cut_into_pieces_is_put_together(url: str, emulator: Emulator, api: str, size: int) -> None:
    async with connected(url, emulator, api=api, split=size) as provider:
        events, error = await received(provider)
    assert error is None
    assert text_of(events) == f"Вы написали: «{PROMPT}». Отвечает GigaChat-2."


@VERSIONS
@pytest.mark.anyio
async def test_a_stream_that_ends_without_its_end_is_an_error(url: str, emulator: Emulator, api: str) -> None:
    async with connected(url, emulator, api=api, end_after_chunks=1) as provider:
        events, error = await received(provider)
    assert isinstance(error, TransportFailed)
    assert "ended before the answer did" in str(error)
    assert text_of(events)


@pytest.mark.anyio
async def test_a_stream_without_the_done_mark_is_complete(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, missing_done=True) as provider:
        events, error = await received(provider)
    assert error is None
    assert isinstance(events[-1], Finished)


@pytest.mark.anyio
async def test_a_reset_connection_is_an_error(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, cut_after_bytes=250, cut_hard=True, split=50, trickle=0.01) as provider:
        events, error = await received(provider)
    assert isinstance(error, TransportFailed)
    assert PROMPT not in text_of(events)


@VERSIONS
@pytest.mark.parametrize("form", ["status", "openai", "event"])
@pytest.mark.anyio
async def test_an_error_inside_a_stream_is_that_error(url: str, emulator: Emulator, api: str, form: str) -> None:
    async with connected(url, emulator, api=api, stream_error=form, stream_error_after=1) as provider:
        events, error = await received(provider)
    assert isinstance(error, ServerFault)
    assert "Internal Server Error" in str(error)
    assert text_of(events)


@pytest.mark.parametrize("usage", ["last", "every", "absent"])
@pytest.mark.anyio
async def test_usage_may_be_in_any_chunk_or_missing(url: str, emulator: Emulator, usage: str) -> None:
    async with connected(url, emulator, stream_usage=usage) as provider:
        events, error = await received(provider)
    total = Fold()
    for event in events:
        total.add(event)
    assert error is None
    assert (total.usage.prompt_tokens is None) is (usage == "absent")
    assert (total.usage.cost is None) is (usage == "absent")


@VERSIONS
@pytest.mark.anyio
async def test_a_refusal_is_not_an_answer(url: str, emulator: Emulator, api: str) -> None:
    async with connected(url, emulator, api=api) as provider:
        events, error = await received(provider, ChatRequest.of("Обсудим запретное"))
        whole = await provider.generate(ChatRequest.of("Обсудим запретное"), context())
    assert error is None
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is whole.finish_reason is FinishReason.CONTENT_FILTER


@VERSIONS
@pytest.mark.anyio
async def test_stop_sequences_cut_on_this_side_alike_streamed_and_whole(url: str, emulator: Emulator, api: str) -> None:
    request = ChatRequest(messages=ChatRequest.of(PROMPT).messages, sampling=Sampling(stop=("про Мос",)))
    async with connected(url, emulator, api=api, table={"stop": "emulate"}, words_per_chunk=1) as provider:
        events, error = await received(provider, request)
        whole = await provider.generate(request, context())
    assert error is None
    assert text_of(events) == whole.text == "Вы написали: «Расскажи, пожалуйста, "
    assert whole.finish_reason is FinishReason.STOP


@VERSIONS
@pytest.mark.anyio
async def test_twenty_streams_use_one_connection(url: str, emulator: Emulator, api: str) -> None:
    async with connected(url, emulator, api=api) as provider:
        for _ in range(20):
            _, error = await received(provider)
            assert error is None
        assert emulator.journal["connections opened"] == 1


@given(st.sampled_from([V1_TEXT, V1_CALL]), st.data())
def test_every_cut_of_a_recorded_stream_is_noticed(sample: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(sample)))
    whole = list(read(v1.ChunkReader(Reading()), [sample]))
    complete = b'"usage"' in sample[:cut] and b"\n\n" in sample[sample.index(b'"usage"') : cut]
    if complete:
        events = list(read(v1.ChunkReader(Reading()), [sample[:cut]]))
        assert text_of(events) == text_of(whole)
        assert isinstance(events[-1], Finished)
    else:
        with pytest.raises(TransportFailed):
            read(v1.ChunkReader(Reading()), [sample[:cut]])


@given(st.lists(st.integers(1, 40), max_size=40))
def test_the_second_version_reads_the_same_however_it_is_cut(sizes: list[int]) -> None:
    from mlo_gigachat import v2

    chunks, rest = [], V2_TEXT
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    assert list(read(v2.ChunkReader(Reading()), [*chunks, rest])) == list(read(v2.ChunkReader(Reading()), [V2_TEXT]))


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_ODD_FRAMES = st.sampled_from(
    [
        b'data: {"choices":[{"delta":{"content":"x","role":"assistant"},"index":0}],"created":1}\n\n',
        b'data: {"choices":[{"delta":{"content": "spaced"},"index":0}],"created":1}\n\n',
        b'data: {"choices":[{"delta":{"content":"other"},"index":0}],"created":2}\n\n',
        b'data: {"choices":[{"delta":{"content":null},"index":0}],"created":1}\n\n',
        b'data: {"choices":[{"delta":{"content":"a","b":"c"},"index":0}],"created":1}\n\n',
        b'data: {"choices":[{"delta":{"reasoning_content":"\\"content\\":"},"index":0}],"created":1}\n\n',
        b'event: x\ndata: {"choices":[{"delta":{"content":"named"},"index":0}],"created":1}\n\n',
        b": comment\n\n",
        b"\n",
    ]
)


def _frame(text: str, *, escaped: bool) -> bytes:
    written = json.dumps(text, ensure_ascii=escaped)
    return f'data: {{"choices":[{{"delta":{{"content":{written}}},"index":0}}],"created":1}}\n\n'.encode()


@given(
    st.lists(
        st.one_of(_ODD_FRAMES, st.builds(lambda text, escaped: _frame(text, escaped=escaped), _TEXTS, st.booleans()))
    ),
    st.integers(1, 200),
)
def test_the_short_way_reads_the_same_as_the_long_one(frames: list[bytes], size: int) -> None:
    body = b"".join(frames) + V1_TEXT
    long_way = v1.ChunkReader(Reading())
    long_way.shortcut = None
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    short, long = read(v1.ChunkReader(Reading()), chunks), read(long_way, [body])
    assert list(short) == list(long)


def test_text_before_an_error_in_the_same_bytes_is_delivered() -> None:
    body = _frame("раз", escaped=False) * 3 + b'data: {"status":500,"message":"x"}\n\n'
    stream = StreamReader(v1.ChunkReader(Reading()))
    assert text_of(list(stream.feed(body))) == "разразраз"
    with pytest.raises(ServerFault):
        stream.end()


def test_a_chunk_that_is_no_json_is_a_violation() -> None:
    stream = StreamReader(v1.ChunkReader(Reading()))
    assert not stream.feed(b"data: {nonsense\n\n")
    with pytest.raises(ProtocolViolated, match="not JSON"):
        stream.end()
