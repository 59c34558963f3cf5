"""Clients that leave or do not read, keys that end, providers that die: nobody hangs, and everything is accounted."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from mlo.errors import CallRefused
from mlo.records import AttemptFailed, CallFinished
from mlo_gateway.config import DataConfig
from mlo_gateway.contracts import Principal

from .asgi import JSON, Client, ask, opened
from .doubles import Counter, Keys, Notes, noted_router

pytestmark = pytest.mark.anyio
CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "a b c d e f g h"}]}
KEY = Principal(key_id="k1", organization="acme", project="crm")


def notes() -> Notes:
    return Notes(frozenset({CallFinished, AttemptFailed}))


async def until(condition: Any) -> None:
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.01)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_leaves_stops_the_provider(streamed: bool) -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock", mode="hang" if not streamed else "normal", first_delay=60 if streamed else 0)
        async with opened(router, limiter=(counter := Counter())) as app:
            client = Client(app)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_post, client, {**HELLO, "stream": streamed})
                await until(lambda: counter.inside)
                client.leave()
    (finished,) = (record for record in noted.records if isinstance(record, CallFinished))
    assert finished.status == "cancelled"
    assert (counter.inside, counter.used) == (0, [None])


async def test_a_client_that_leaves_in_the_middle_of_a_stream_pays_for_what_came() -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock", chunk_delay=0.05)
        async with opened(router) as app:
            client = Client(app)
            pieces: list[bytes] = []

            def read(piece: bytes) -> None:
                pieces.append(piece)
                if len(pieces) == 2:
                    client.leave()

            reply = await client.request(
                "POST", CHAT, body=[_json({**HELLO, "stream": True})], headers=JSON, reads=read
            )
            assert len(app.watch) == 0
        provider: Any = await router.provider("mock")
        assert provider.open_streams == 0
    assert not reply.complete
    failed, finished = noted.records
    assert failed.cancelled
    assert finished.status in {"abandoned", "cancelled"}
    assert failed.characters > 0


async def test_a_client_that_does_not_read_is_given_up() -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock")
        async with opened(router, data=DataConfig(send_timeout=0.15)) as app:
            client = Client(app)
            stuck = anyio.Event()
            reply = await client.request(
                "POST", CHAT, body=[_json({**HELLO, "stream": True})], headers=JSON, reads=lambda _piece: stuck.wait()
            )
            assert (len(app.watch), reply.complete) == (0, False)
    assert noted.records[-1].status in {"abandoned", "cancelled"}


async def test_no_more_is_read_from_the_provider_than_the_client_takes() -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock", answer="слово " * 1000)
        async with opened(router) as app:
            taken: list[int] = []
            provider: Any = await router.provider("mock")

            async def read_slowly() -> None:
                await anyio.sleep(0)
                taken.append(provider.open_streams)

            reply = await Client(app).request(
                "POST", CHAT, body=[_json({**HELLO, "stream": True})], headers=JSON, reads=lambda _piece: read_slowly()
            )
    assert reply.text() == "слово " * 1000
    assert taken[:-1] == [1] * (len(taken) - 1)


async def test_a_key_that_ends_ends_its_streams() -> None:
    noted = notes()
    keys = Keys({b"Bearer one": KEY})
    async with noted_router(noted) as router:
        router.add_provider("mock", chunk_delay=0.02, answer="слово " * 1000)
        async with opened(router, authenticator=keys) as app:
            replies: list[Any] = []

            async def stream() -> None:
                replies.append(await ask(app, CHAT, {**HELLO, "stream": True}, {"authorization": "Bearer one"}))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream)
                await until(lambda: app.watch.streams)
                keys.watched[0]("The API key was revoked.")
    (reply,) = replies
    assert reply.status == 200
    assert reply.events()[-1]["error"]["code"] == "key_revoked"
    assert reply.complete
    assert keys.watched == []
    assert noted.records[-1].status in {"abandoned", "cancelled"}


async def test_a_gateway_that_drains_tells_its_streams() -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock", chunk_delay=0.02, answer="слово " * 1000)
        async with opened(router) as app:
            replies: list[Any] = []

            async def stream(path: str, question: Any) -> None:
                replies.append(await ask(app, path, {**question, "stream": True}))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream, CHAT, HELLO)
                tasks.start_soon(stream, "/v1/responses", {"model": "mock", "input": "hi"})
                await until(lambda: app.watch.streams == 2)
                assert app.end_streams("The gateway restarts.") == 2
    last = [reply.events()[-1] for reply in replies]
    assert sorted(str(event.get("type")) for event in last) == ["None", "response.failed"]
    assert all("The gateway restarts." in str(event) for event in last)
    assert len([record for record in noted.records if isinstance(record, CallFinished)]) == 2


async def test_a_provider_that_dies_in_the_middle_is_told_in_the_stream() -> None:
    noted = notes()
    async with noted_router(noted) as router:
        router.add_provider("mock", break_after=2)
        async with opened(router) as app:
            chat = await ask(app, CHAT, {**HELLO, "stream": True})
            response = await ask(app, "/v1/responses", {"model": "mock", "input": "a b c d", "stream": True})
    *chunks, error = chat.events()
    assert (chat.status, len(chunks), chat.complete) == (200, 2, True)
    assert (error["error"]["code"], error["error"]["type"]) == ("stream_interrupted", "server_error")
    failed = response.events()[-1]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["output"][0]["content"][0]["text"]
    assert [record.status for record in noted.records if isinstance(record, CallFinished)] == ["error"] * 2


async def test_what_fails_before_the_first_word_has_a_status() -> None:
    async with noted_router(notes()) as router:
        router.add_provider("mock", mode="rate-limit", retry_after=30)
        async with opened(router) as app:
            reply = await ask(app, CHAT, {**HELLO, "stream": True})
    assert (reply.status, reply.error()["code"]) == (429, "rate_limit_exceeded")
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == ("30", "30000")
    assert reply.error()["target"] == "mock"


async def test_the_next_target_answers_when_the_first_fails() -> None:
    async with noted_router(notes()) as router:
        router.add_provider("first", use="mock", mode="overloaded")
        router.add_provider("second", use="mock", answer="Я тут")
        router.add_route("both", ["first", "second"])
        async with opened(router) as app:
            reply = await ask(app, CHAT, {**HELLO, "model": "both", "stream": True})
    assert (reply.text(), reply.headers["x-mlo-target"]) == ("Я тут", "second")


async def test_keys_are_asked_for_before_the_body_is_read() -> None:
    async with noted_router(notes()) as router:
        router.add_provider("mock")
        for slow in (False, True):
            async with opened(router, authenticator=Keys({b"Bearer one": KEY}, slow=slow)) as app:
                refused = await Client(app).request("POST", CHAT, body=[b"x"], headers=JSON, silent_body=True)
                served = await ask(app, CHAT, HELLO, {"authorization": "Bearer one"})
            assert (refused.status, refused.error()["code"], served.status) == (401, "invalid_api_key", 200)


async def test_a_request_over_the_limit_is_told_when_to_come_again() -> None:
    async with noted_router(notes()) as router:
        router.add_provider("mock")
        async with opened(router, limiter=Counter(most=0)) as app:
            reply = await ask(app, CHAT, HELLO)
    assert (reply.status, reply.error()["scope"]) == (429, "key")
    assert (reply.headers["retry-after"], reply.headers["retry-after-ms"]) == ("1", "250")
    assert "x-should-retry" not in reply.headers


async def test_the_limiter_hears_what_was_used() -> None:
    async with noted_router(notes()) as router:
        router.add_provider("mock")
        router.add_provider("sick", use="mock", mode="server-fault")
        async with opened(router, limiter=(counter := Counter())) as app:
            whole = await ask(app, CHAT, HELLO)
            await ask(app, CHAT, {**HELLO, "stream": True})
            await ask(app, CHAT, {**HELLO, "model": "sick"})
            await ask(app, "/v1/embeddings", {"model": "mock", "input": "one two"})
            await ask(app, "/v1/responses", {"model": "mock", "input": "one two"})
    assert counter.used == [17, 17, None, 2, 5]
    assert (counter.inside, whole.headers["x-ratelimit-limit-requests"]) == (0, "60")


@pytest.mark.parametrize(
    ("reason", "status", "type_", "code"),
    [
        ("requests-exhausted", 429, "insufficient_quota", "requests_exhausted"),
        ("budget-exhausted", 402, "billing_error", "budget_exhausted"),
        ("cannot-account", 503, "server_error", "cannot_account"),
        ("something-new", 403, "permission_error", "something_new"),
    ],
)
async def test_a_call_that_the_ledger_refuses(reason: str, status: int, type_: str, code: str) -> None:
    noted = notes()
    noted.refuse = CallRefused("1000 of 1000 requests used", reason=reason, scope="project:crm", retry_after=86_400)
    async with noted_router(noted) as router:
        router.add_provider("mock")
        async with opened(router) as app:
            reply = await ask(app, CHAT, HELLO)
    error = reply.error()
    assert (reply.status, error["type"], error["code"]) == (status, type_, code)
    assert (error["scope"], error["reason"], error["retry_after"]) == ("project:crm", reason, 86_400)
    assert reply.headers["retry-after"] == "86400"
    assert (reply.headers.get("x-should-retry") == "false") is (status in {402, 429})


async def _post(client: Client, document: Any) -> None:
    await client.request("POST", CHAT, body=[_json(document)], headers=JSON)


def _json(document: Any) -> bytes:
    import json

    return json.dumps(document).encode()
