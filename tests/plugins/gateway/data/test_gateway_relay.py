"""Bytes that go through as they come, over a server that does as it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from attrs import define, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mlo.records import AttemptFinished, CallFinished
from mlo.settings import RetrySettings
from mlo_emulators.server import RunningServer, connection, running
from mlo_gateway.config import DataConfig

from .asgi import Client, ask, opened
from .doubles import Notes, noted_router

pytestmark = pytest.mark.anyio
CHAT = "/v1/chat/completions"
ONCE = RetrySettings(rounds=1)
WHOLE = (
    b'{ "id":"x",  "choices":[{"index":0,"message":{"role":"assistant","content":"\\u0414\xd0\xb0"},'
    b'"finish_reason":"stop","logprobs":{"content":[]}}],'
    b' "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4},"odd":1}'
)
PIECES = [
    b'data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"\xd0"',
    b'\x94"}}]}\n\n: a comment\n\ndata: {"id":"x","choices":[{"index":0,"delta":{"content":"\xd0\xb0"},',
    b'"finish_reason":"stop"}]}\n\n',
]
USAGE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"
HELLO: dict[str, Any] = {"model": "up", "messages": [{"role": "user", "content": "Привет"}]}


@define
class Script:
    """What the server does: its status, its pieces, whether it dies after them."""

    bodies: list[bytes] = field(factory=list)
    status: int = 200
    pieces: list[bytes] = field(factory=lambda: [*PIECES, USAGE, DONE])
    dies: bool = False
    hangs: bool = False
    left: int = 0


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def upstream(script: Script) -> Iterator[RunningServer]:
    async def chat(request: Request) -> Response:
        script.bodies.append(await request.body())
        if script.status != 200:
            error = {"error": {"message": "zu viel", "type": "x", "code": "y"}}
            return Response(json.dumps(error), status_code=script.status, media_type="application/json")
        if not json.loads(script.bodies[-1]).get("stream"):
            return Response(WHOLE, media_type="application/json")

        async def pieces() -> AsyncIterator[bytes]:
            for piece in script.pieces:
                yield piece
                await anyio.sleep(0.01)
            if script.dies and (found := connection(request.scope)) is not None:
                found.abort()
            if script.hangs:
                try:
                    await anyio.sleep_forever()
                finally:
                    script.left += 1

        return StreamingResponse(pieces(), media_type="text/event-stream")

    with running(Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])) as server:
        yield server


def notes() -> Notes:
    return Notes(frozenset({CallFinished, AttemptFinished}))


def add(router: Any, upstream: RunningServer, name: str = "up") -> None:
    router.add_provider(name, use="openai-compat", base_url=f"{upstream.url}/v1", model="real-name")


async def test_a_whole_answer_goes_through_as_it_came(script: Script, upstream: RunningServer) -> None:
    noted = notes()
    async with noted_router(noted) as router:
        add(router, upstream)
        async with opened(router) as app:
            reply = await ask(app, CHAT, {**HELLO, "n": 1, "logprobs": True})
    assert (reply.status, reply.body) == (200, WHOLE)
    assert (reply.headers["x-mlo-target"], reply.headers["x-mlo-call-id"]) == ("up", noted.records[-1].call_id)
    assert json.loads(script.bodies[0]) == {**HELLO, "model": "real-name", "n": 1, "logprobs": True}
    assert noted.records[-1].usage.total_tokens == 4


async def test_a_stream_goes_through_as_it_came(script: Script, upstream: RunningServer) -> None:
    noted = notes()
    async with noted_router(noted) as router:
        add(router, upstream)
        async with opened(router) as app:
            asked = await ask(app, CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": True}})
            silent = await ask(app, CHAT, {**HELLO, "stream": True})
    assert asked.body == b"".join(script.pieces)
    assert silent.body == b"".join([*PIECES, DONE])  # the counts were for accounting only
    assert [json.loads(body)["stream_options"] for body in script.bodies] == [{"include_usage": True}] * 2
    assert [record.usage.total_tokens for record in noted.records if isinstance(record, CallFinished)] == [4, 4]
    assert asked.headers["x-mlo-target"] == "up"
    assert asked.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("policy", ["pass", "drop"])
async def test_unknown_fields_go_through_or_not(script: Script, upstream: RunningServer, policy: Any) -> None:
    async with noted_router(notes()) as router:
        add(router, upstream)
        async with opened(router, data=DataConfig(unknown_parameters=policy)) as app:
            reply = await ask(app, CHAT, {**HELLO, "min_p": 0.1, "logprobs": True})
    sent = json.loads(script.bodies[0])
    assert reply.status == 200
    assert ("min_p" in sent, sent["logprobs"]) == (policy == "pass", True)


async def test_what_the_server_refuses_is_told(script: Script, upstream: RunningServer) -> None:
    script.status = 400
    async with noted_router(notes()) as router:
        add(router, upstream)
        async with opened(router) as app:
            reply = await ask(app, CHAT, {**HELLO, "stream": True})
    assert (reply.status, reply.error()["message"]) == (400, "zu viel")


async def test_another_wire_answers_when_the_server_cannot(script: Script, upstream: RunningServer) -> None:
    script.status = 503
    async with noted_router(notes()) as router:
        add(router, upstream)
        router.add_provider("mock")
        router.add_route("both", ["up", "mock"], retry=ONCE)
        async with opened(router) as app:
            stream = await ask(app, CHAT, {**HELLO, "model": "both", "stream": True})
            whole = await ask(app, CHAT, {**HELLO, "model": "both"})
            special = await ask(app, CHAT, {**HELLO, "model": "both", "n": 2})
    assert (stream.text(), stream.headers["x-mlo-target"]) == ("Эхо: Привет", "mock")
    assert whole.json()["choices"][0]["message"]["content"] == "Эхо: Привет"
    # the server is ill, and the mock has no word for it: what is wrong with the request says most
    assert (special.status, special.error()["param"]) == (400, "n")


async def test_a_server_that_dies_in_the_middle(script: Script, upstream: RunningServer) -> None:
    noted = notes()
    script.pieces, script.dies = PIECES[:2], True
    async with noted_router(noted) as router:
        add(router, upstream)
        async with opened(router) as app:
            reply = await ask(app, CHAT, {**HELLO, "stream": True})
    assert reply.status == 200
    assert reply.complete
    assert json.loads(reply.body.rpartition(b"data: ")[2])["error"]["code"] == "stream_interrupted"
    assert noted.records[-1].status == "error"


async def test_a_client_that_leaves_hangs_up_on_the_server(script: Script, upstream: RunningServer) -> None:
    noted = notes()
    script.pieces, script.hangs = PIECES[:2], True
    async with noted_router(noted) as router:
        add(router, upstream)
        async with opened(router) as app:
            client = Client(app)
            body = [json.dumps({**HELLO, "stream": True}).encode()]
            headers = {"content-type": "application/json"}
            await client.request("POST", CHAT, body=body, headers=headers, reads=lambda _piece: client.leave())
        with anyio.fail_after(5):
            while not script.left:
                await anyio.sleep(0.01)
    assert noted.records[-1].status in {"abandoned", "cancelled"}
