from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from mlo import Router
from mlo_gateway.app.application import GatewayApp
from mlo_gateway.config import DataConfig

from .asgi import JSON, Client, ask, opened

pytestmark = pytest.mark.anyio
CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "Привет, мир"}]}


@pytest.fixture
async def app() -> AsyncIterator[GatewayApp]:
    async with Router() as router:
        router.add_provider("mock")
        async with opened(router) as app:
            yield app


async def test_a_chat_is_answered(app: GatewayApp) -> None:
    reply = await ask(app, CHAT, HELLO)
    answer = reply.json()
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Эхо: Привет, мир", "refusal": None}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert (answer["object"], answer["created"]) == ("chat.completion", 1_800_000_000)
    assert answer["id"] == f"chatcmpl-{reply.headers['x-mlo-call-id']}"
    assert reply.headers["x-mlo-target"] == "mock"


async def test_a_chat_is_streamed(app: GatewayApp) -> None:
    reply = await ask(app, CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": True}})
    *chunks, done = reply.events()
    assert (reply.headers["content-type"], done) == ("text/event-stream; charset=utf-8", "[DONE]")
    assert reply.text() == "Эхо: Привет, мир"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]] == [None, None, None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 5
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


async def test_a_stream_tells_no_usage_unless_asked(app: GatewayApp) -> None:
    reply = await ask(app, CHAT, {**HELLO, "stream": True})
    assert not any("usage" in event for event in reply.events())


async def test_a_request_id_is_repeated_only_if_it_can_do_no_harm(app: GatewayApp) -> None:
    kept = await ask(app, CHAT, HELLO, {"x-request-id": "abc-1.2:3"})
    made = await ask(app, CHAT, HELLO, {"x-request-id": "evil\r\nset-cookie: a=b"})
    long = await ask(app, CHAT, HELLO, {"x-request-id": "a" * 129})
    assert kept.headers["x-request-id"] == "abc-1.2:3"
    assert made.headers["x-request-id"].startswith("req_")
    assert long.headers["x-request-id"].startswith("req_")
    assert made.headers["x-request-id"] != long.headers["x-request-id"]
    assert "set-cookie" not in made.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"text"', "invalid_json"),
        (b'{"model": "mock\xff"}', "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b'{"model": "\\ud800"}', "invalid_json"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nesting_too_deep"),
        (b"[" * 100_000, "invalid_json"),
    ],
)
async def test_a_body_that_is_no_object_is_refused(app: GatewayApp, body: bytes, code: str) -> None:
    reply = await Client(app).request("POST", CHAT, body=[body], headers=JSON)
    assert (reply.status, reply.error()["code"]) == (400, code)
    assert reply.error()["type"] == "invalid_request_error"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_must_say_that_it_is_json(app: GatewayApp, kind: str) -> None:
    reply = await Client(app).request("POST", CHAT, body=[json.dumps(HELLO).encode()], headers={"content-type": kind})
    assert (reply.status, reply.error()["code"]) == (415, "unsupported_media_type")


async def test_the_charset_may_be_said(app: GatewayApp) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    reply = await Client(app).request("POST", CHAT, body=[json.dumps(HELLO).encode()], headers=headers)
    assert reply.status == 200


@pytest.mark.parametrize("declared", [True, False])
async def test_a_huge_body_is_refused(declared: bool) -> None:
    async with Router() as router:
        router.add_provider("mock")
        async with opened(router, data=DataConfig(body_limit=1000)) as app:
            headers = {**JSON, "content-length": "5000"} if declared else JSON
            client = Client(app)
            pieces = [b"x" * 100] * 50
            reply = await client.request("POST", CHAT, body=pieces, headers=headers, silent_body=True)
    assert (reply.status, reply.error()["code"]) == (413, "request_too_large")
    assert reply.headers["connection"] == "close"


async def test_a_length_that_is_no_number_is_refused(app: GatewayApp) -> None:
    reply = await Client(app).request("POST", CHAT, body=[b"{}"], headers={**JSON, "content-length": "-5"})
    assert reply.status == 413


async def test_a_body_in_pieces_is_put_together(app: GatewayApp) -> None:
    body = json.dumps(HELLO).encode()
    reply = await Client(app).request(
        "POST", CHAT, body=[body[i : i + 7] for i in range(0, len(body), 7)], headers=JSON
    )
    assert reply.status == 200


async def test_a_body_that_never_ends_is_given_up() -> None:
    async with Router() as router:
        router.add_provider("mock")
        async with opened(router, data=DataConfig(body_timeout=0.15)) as app:
            reply = await Client(app).request("POST", CHAT, body=[b"{"], headers=JSON, silent_body=True)
            assert len(app.watch) == 0
    assert (reply.status, reply.error()["code"]) == (408, "body_timeout")
    assert reply.headers["connection"] == "close"


async def test_a_client_that_leaves_while_sending_is_forgotten(app: GatewayApp) -> None:
    client = Client(app)
    client.leave()
    reply = await client.request("POST", CHAT, body=[b"{"], headers=JSON, silent_body=True)
    assert (reply.status, len(app.watch)) == (0, 0)


async def test_paths_and_methods(app: GatewayApp) -> None:
    missing = await ask(app, "/v1/nothing", {})
    wrong = await Client(app).request("GET", CHAT)
    elsewhere = await Client(app).request("GET", "/admin")
    assert (missing.status, wrong.status, elsewhere.status) == (404, 405, 404)
    assert "POST" in wrong.error()["message"]


async def test_files_are_refused_in_so_many_words(app: GatewayApp) -> None:
    reply = await Client(app).request("GET", "/v1/files")
    assert (reply.status, reply.error()["code"]) == (501, "unsupported_endpoint")
    assert reply.headers["x-should-retry"] == "false"


async def test_other_paths_go_to_the_control_plane() -> None:
    async def control(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": False})

    async with Router() as router:
        router.add_provider("mock")
        async with opened(router, control=control) as app:
            reply = await Client(app).request("GET", "/admin/v1/keys")
            ours = await Client(app).request("GET", "/v1/models")
    assert (reply.status, reply.body) == (204, b"/admin/v1/keys")
    assert [model["id"] for model in ours.json()["data"]] == ["default", "mock", "mock/mock"]


async def test_a_bug_is_an_error_with_an_answer(app: GatewayApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlo_gateway.data.chat.survey_of", lambda _body: 1 / 0)
    reply = await ask(app, CHAT, HELLO)
    assert (reply.status, reply.error()["code"]) == (500, "internal_error")
    assert "division" not in reply.error()["message"]


async def test_nothing_is_served_while_nobody_watches(app: GatewayApp) -> None:
    idle = GatewayApp(app.gateway)
    with pytest.raises(RuntimeError, match="not running"):
        await ask(idle, CHAT, HELLO)


async def test_the_lifespan_watches(app: GatewayApp) -> None:
    fresh = GatewayApp(app.gateway)
    told: list[str] = []
    stop = anyio.Event()
    calls = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        kind = next(calls)
        if kind == "lifespan.shutdown":
            await stop.wait()
        return {"type": kind}

    async def send(message: Any) -> None:
        told.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            reply = await ask(fresh, CHAT, HELLO)
            assert reply.status == 200
            stop.set()

    await fresh({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_another_configuration_is_used_by_the_next_request(app: GatewayApp) -> None:
    router = app.gateway.router
    assert (await ask(app, CHAT, {**HELLO, "model": "second"})).status == 404
    router.add_provider("second", use="mock", answer="Второй")
    reply = await ask(app, CHAT, {**HELLO, "model": "second"})
    assert reply.json()["choices"][0]["message"]["content"] == "Второй"
