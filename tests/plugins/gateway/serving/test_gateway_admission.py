"""Overload: what is served, what waits, what is sent away."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import anyio
import orjson
import pytest

from mlo_gateway.limits.admission import Admission
from mlo_gateway.limits.config import AdmissionConfig

pytestmark = pytest.mark.anyio


class _Sent(list[MutableMapping[str, Any]]):
    """What a client was sent."""


class _App:
    """Holds every request until it is let go."""

    def __init__(self) -> None:
        self.under_way, self.most, self.served = 0, 0, 0
        self.go = anyio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        self.served += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def _ask(app: Admission, into: _Sent, path: str = "/v1/models") -> None:
    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nobody should read the body")

    async def send(message: MutableMapping[str, Any]) -> None:
        into.append(message)

    await app({"type": "http", "path": path, "method": "GET"}, receive, send)


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not condition():
            await anyio.sleep(0.001)


async def test_no_more_than_the_bound_are_under_way_and_all_that_waited_are_served() -> None:
    app, sent = _App(), _Sent()
    admission = Admission(app, AdmissionConfig(in_flight=3, queue=10))
    async with anyio.create_task_group() as tasks:
        for _ in range(13):
            tasks.start_soon(_ask, admission, sent)
        await _until(lambda: admission.waiting == 10)
        assert (admission.in_flight, app.under_way) == (3, 3)
        app.go.set()
    assert (app.served, app.most, admission.in_flight, admission.waiting, admission.refused) == (13, 3, 0, 0, 0)


async def test_one_too_many_is_sent_away_at_once_and_told_when_to_come_back() -> None:
    app, sent = _App(), _Sent()
    admission = Admission(app, AdmissionConfig(in_flight=1, queue=0, retry_after=1.2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, admission, _Sent())
        await _until(lambda: app.under_way == 1)
        await _ask(admission, sent)
        app.go.set()
    head, body = sent
    assert head["status"] == 503
    assert dict(head["headers"])[b"retry-after"] == b"2"
    assert orjson.loads(body["body"])["error"]["code"] == "overloaded"
    assert admission.refused == 1


async def test_who_waits_too_long_is_sent_away() -> None:
    app, sent = _App(), _Sent()
    admission = Admission(app, AdmissionConfig(in_flight=1, queue=5, queue_timeout=0.05))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, admission, _Sent())
        await _until(lambda: app.under_way == 1)
        await _ask(admission, sent)
        assert sent[0]["status"] == 503
        assert admission.waiting == 0
        app.go.set()
    assert admission.in_flight == 0


async def test_a_client_that_leaves_the_queue_takes_no_place() -> None:
    app = _App()
    admission = Admission(app, AdmissionConfig(in_flight=1, queue=5))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, admission, _Sent())
        await _until(lambda: app.under_way == 1)
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(_ask, admission, _Sent())
            await _until(lambda: admission.waiting == 1)
            leaving.cancel_scope.cancel()
        assert admission.waiting == 0
        app.go.set()
    await _ask(admission, _Sent())
    assert (admission.in_flight, app.served) == (0, 2)


async def test_health_is_never_sent_away() -> None:
    app, sent = _App(), _Sent()
    admission = Admission(app, AdmissionConfig(in_flight=1, queue=0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, admission, _Sent())
        await _until(lambda: app.under_way == 1)
        tasks.start_soon(_ask, admission, sent, "/admin/v1/keys")
        await _until(lambda: app.under_way == 2)
        app.go.set()
    assert sent[0]["status"] == 200


async def test_a_smaller_bound_is_reached_by_not_filling_places_again() -> None:
    app = _App()
    admission = Admission(app, AdmissionConfig(in_flight=4, queue=10))
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(_ask, admission, _Sent())
        await _until(lambda: app.under_way == 4)
        admission.use(AdmissionConfig(in_flight=1, queue=10))
        app.go.set()
    assert (app.served, app.most, admission.in_flight) == (8, 4, 0)
