from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest

import mlo_sdk
from mlo.api import CallContext
from mlo.events import Event, Finished, TextDelta
from mlo.messages import Message
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse
from mlo_sdk import BaseProvider

_REQUEST, _CONTEXT = ChatRequest.of("hi"), CallContext(call_id="1", attempt=1, target="t", route="r")


def test_every_public_name_is_there() -> None:
    assert sorted(mlo_sdk.__all__) == dir(mlo_sdk)
    assert [name for name in mlo_sdk.__all__ if getattr(mlo_sdk, name, None) is None] == []


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mlo_sdk.nothing


@pytest.mark.parametrize("module", ["mlo_sdk", "mlo_sdk.auth.plugin", "mlo_openai_compat.plugin"])
def test_importing_what_discovery_imports_loads_no_http(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'httpx', 'aiohttp', 'httpcore', 'h11'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Streaming(BaseProvider):
    def __init__(self) -> None:
        self.closed = False

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        try:
            yield TextDelta("a")
            yield TextDelta(request.messages[0].text)
            yield Finished()
        finally:
            self.closed = True


class Whole(BaseProvider):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        return ChatResponse(message=Message.assistant("whole"))


@pytest.mark.anyio
async def test_generate_is_the_sum_of_the_stream() -> None:
    provider = Streaming()
    assert (await provider.generate(_REQUEST, _CONTEXT)).text == "ahi"
    assert provider.closed


@pytest.mark.anyio
async def test_the_stream_is_generate_in_pieces() -> None:
    events = [event async for event in Whole().generate_stream(_REQUEST, _CONTEXT)]
    assert TextDelta("whole") in events
    assert isinstance(events[-1], Finished)


def test_a_provider_with_neither_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Empty must define generate\(\) or generate_stream\(\), or both"):
        type("Empty", (BaseProvider,), {})


def test_a_subclass_of_a_provider_need_not_define_them_again() -> None:
    assert issubclass(type("Own", (Whole,), {}), BaseProvider)
