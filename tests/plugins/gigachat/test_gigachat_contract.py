from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from mlo.api import Environment, Provider
from mlo.errors import (
    AuthFailed,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo.events import Event, ToolCallDelta
from mlo_emulators.gigachat import Emulator
from mlo_gigachat import v1, v2
from mlo_gigachat.frames import StreamReader
from mlo_gigachat.plugin import mlo_providers
from mlo_gigachat.reading import Reader, Reading
from mlo_sdk.testing import Failure, ProviderContract
from mlo_sdk.testing.surroundings import FixedAuth, LoneEnvironment

TOKEN = FixedAuth()
HEAD = '"created":1768996176,"model":"GigaChat:2.0.28.2","object":"chat.completion"'
USAGE = '"usage":{"prompt_tokens":17,"completion_tokens":42,"total_tokens":59,"precached_prompt_tokens":2}'
V1_TEXT = (
    f'data: {{"choices":[{{"delta":{{"content":"Раз, ","role":"assistant"}},"index":0}}],{HEAD}}}\n\n'
    f'data: {{"choices":[{{"delta":{{"content":"два\u2028три"}},"index":0}}],{HEAD}}}\n\n'
    f'data: {{"choices":[{{"delta":{{"content":""}},"index":0,"finish_reason":"stop"}}],{HEAD},{USAGE}}}\n\n'
    "data: [DONE]\n\n"
).encode()
V1_CALL = (
    'data: {"choices":[{"delta":{"content":"","role":"assistant","function_call":{"name":"f","arguments":{"a":1}},'
    f'"functions_state_id":"77d3"}},"index":0,"finish_reason":"function_call"}}],{HEAD},{USAGE}}}\n\n'
    "data: [DONE]\n\n"
).encode()
V2_TEXT = (
    b'event: response.message.delta\ndata: {"model":"GigaChat-3-Ultra:32.3.18.5","created_at":1780321864,'
    b'"messages":[{"role":"assistant","content":[{"text":"1, 2, 3"}]}]}\n\n'
    b'event: response.message.done\ndata: {"model":"GigaChat-3-Ultra:32.3.18.5","created_at":1780321864,'
    b'"finish_reason":"stop","usage":{"input_tokens":19,"input_tokens_details":{"prompt_tokens":19,"cached_tokens":0},'
    b'"output_tokens":8,"total_tokens":27}}\n\n'
)


def read(reader: Reader, chunks: Iterable[bytes]) -> Sequence[Event]:
    """What the provider does with the bytes of a stream."""
    stream, events = StreamReader(reader), list[Event]()
    for chunk in chunks:
        events += stream.feed(chunk)
        if stream.ended:
            break
    return [*events, *stream.end()]


class GigaChatContract(ProviderContract):
    (spec,) = mlo_providers()
    api = "v1"

    @pytest.fixture
    def environment(self) -> Environment:
        return LoneEnvironment(scheme=TOKEN)

    @pytest.fixture
    def table(self, url: str, emulator: Emulator) -> Mapping[str, Any]:
        emulator.configure(access_token=TOKEN.token.reveal(), words_per_chunk=1, trickle=0.001)
        self._emulator = emulator
        return {"base_url": f"{url}/v1", "api": self.api}

    def open_connections(self, provider: Provider) -> int | None:
        return self._emulator.accounts.busy


def _failures(emulator: Emulator) -> Mapping[str, Failure]:
    def set_up(**changes: Any) -> Any:
        return partial(emulator.configure, access_token=TOKEN.token.reveal(), **changes)

    def status(error: type[Exception], code: int) -> Failure:
        return Failure(error=error, prepare=set_up(fail_first=9, fail_status=code))

    return {
        "400": status(InvalidRequest, 400),
        "401": Failure(error=AuthFailed, prepare=partial(emulator.configure, access_token="another")),
        "402": Failure(error=QuotaExhausted, prepare=set_up(exhausted_models=("GigaChat-2",))),
        "403": status(PermissionDenied, 403),
        "404": Failure(error=ModelNotFound, table={"model": "GigaChat-9"}, prepare=set_up()),
        "413": status(ContextTooLong, 413),
        "422": Failure(error=InvalidRequest, table={"extra": {"repetition_penalty": -1}}, prepare=set_up()),
        "file larger than the context": status(ContextTooLong, 422),
        "429": status(RateLimited, 429),
        "500": status(ServerFault, 500),
        "502, a web page": status(ServerFault, 502),
        "503, a web page": status(Overloaded, 503),
        "504, a web page": status(Overloaded, 504),
        "no answer": Failure(error=TransportFailed, prepare=set_up(drop_first=9)),
        "refused": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:1/v1"}, prepare=set_up()),
    }


class TestGigaChatV1(GigaChatContract):
    deterministic = True
    samples = (V1_TEXT, V1_CALL)

    @pytest.fixture
    def failures(self, emulator: Emulator) -> Mapping[str, Failure]:
        return _failures(emulator)

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        events = read(v1.ChunkReader(Reading()), chunks)
        # ids of calls are new each time: that is what they are for
        return [evolve(event, id="id") if isinstance(event, ToolCallDelta) else event for event in events]


class TestGigaChatV2(GigaChatContract):
    deterministic = True
    api = "v2"
    samples = (V2_TEXT,)

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        return read(v2.ChunkReader(Reading()), chunks)
