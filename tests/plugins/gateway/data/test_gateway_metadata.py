from __future__ import annotations

from typing import Any

import pytest

from mlo.records import CallStarted

from .asgi import ask, opened
from .doubles import Keys, Notes, noted_router
from .test_gateway_faults import CHAT, HELLO, KEY

pytestmark = pytest.mark.anyio
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OURS = {"organization": "acme", "project": "crm", "key": "k1", "request_id": "r-1"}


async def told(body: dict[str, Any], headers: dict[str, str], path: str = CHAT) -> Any:
    """The metadata of a call, and the reply."""
    noted = Notes(frozenset({CallStarted}))
    async with noted_router(noted) as router:
        router.add_provider("mock")
        async with opened(router, authenticator=Keys({b"Bearer one": KEY})) as app:
            reply = await ask(app, path, body, {"authorization": "Bearer one", "x-request-id": "r-1", **headers})
    return [dict(record.metadata) for record in noted.records], reply


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, HELLO),
        (CHAT, {**HELLO, "stream": True}),
        ("/v1/responses", {"model": "mock", "input": "hi"}),
        ("/v1/embeddings", {"model": "mock", "input": "hi"}),
    ],
)
async def test_accounting_learns_who_called(path: str, body: dict[str, Any]) -> None:
    metadata, reply = await told(body, {}, path)
    assert metadata == [OURS]
    assert reply.headers["x-request-id"] == "r-1"


async def test_a_client_cannot_call_in_the_name_of_another() -> None:
    theirs = {"project": "other", "key": "k2", "traceparent": PARENT, "session": "s"}
    metadata, _ = await told({**HELLO, "metadata": theirs, "user": "u"}, {})
    assert metadata == [{**OURS, "session": "s", "user": "u"}]


@pytest.mark.parametrize("metadata", [{"a": 1}, {str(number): "a" for number in range(17)}, "text", ["a"]])
async def test_metadata_that_is_none_is_refused(metadata: Any) -> None:
    calls, reply = await told({**HELLO, "metadata": metadata}, {})
    assert (calls, reply.status) == ([], 400)
    assert reply.error()["param"].startswith("metadata")


async def test_a_trace_goes_on() -> None:
    metadata, _ = await told(HELLO, {"traceparent": PARENT, "tracestate": "a=1"})
    assert metadata == [{**OURS, "traceparent": PARENT, "tracestate": "a=1"}]


@pytest.mark.parametrize("parent", ["", "00-1-2-01", PARENT.upper(), PARENT + "\r\nx: y"])
async def test_a_trace_that_is_none_is_forgotten(parent: str) -> None:
    metadata, reply = await told(HELLO, {"traceparent": parent, "tracestate": "a=1"})
    assert (metadata, reply.status) == ([OURS], 200)
