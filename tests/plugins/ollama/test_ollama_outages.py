"""A route GigaChat → YandexGPT → Ollama over three servers on real sockets, with every single and double outage."""

from __future__ import annotations

import base64
import itertools
import socket
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlo import Router
from mlo.errors import (
    AttemptsExhausted,
    AuthFailed,
    ModelNotFound,
    Overloaded,
    ServerFault,
    StreamInterrupted,
    TransportFailed,
)
from mlo.responses import ChatResponse
from mlo_emulators import gigachat, ollama, yandexgpt
from mlo_emulators.server import Journal, RunningServer, running

pytestmark = pytest.mark.anyio
ORDER = ("giga", "yandex", "local")
OUTAGES = [down for size in (0, 1, 2) for down in itertools.combinations(ORDER, size)]
FAULTS: Mapping[str, tuple[Any, Any, Any]] = {
    "healthy": (gigachat.Options(concurrency=0), yandexgpt.Options(), ollama.Options()),
    "busy": (
        gigachat.Options(concurrency=0, fail_first=10**9, fail_status=503),
        yandexgpt.Options(status=503),
        ollama.Options(status=503),
    ),
    "broken": (
        gigachat.Options(concurrency=0, fail_first=10**9, fail_status=502),
        yandexgpt.Options(html=True),
        ollama.Options(html=True),
    ),
}
ERRORS = {"refused": TransportFailed, "busy": Overloaded, "broken": ServerFault}
_GENERATIONS = ("/chat/completions", "/completion", "/api/chat")


class CountAnswers:
    """Counts the generations that a server answers with success: those that a vendor would bill."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app, self._journal = app, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._journal.count("answered", scope["path"].endswith(_GENERATIONS))
            await send(message)

        await self._app(scope, receive, watched)


def counting(app: Any) -> Any:
    app.add_middleware(CountAnswers, journal=app.state.journal)
    return app


class Vendors:
    """Three kinds of servers, each in several states of health, and a port where nobody listens."""

    def __init__(self, servers: Mapping[str, tuple[RunningServer, ...]], nowhere: str) -> None:
        self._servers, self._nowhere = servers, nowhere

    def urls(self, states: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for place, name in enumerate(ORDER):
            state = states.get(name, "healthy")
            found[name] = self._nowhere if state == "refused" else self._servers[state][place].url
        return found

    @property
    def answered(self) -> dict[str, int]:
        return {
            name: sum(servers[place].journal["answered"] for servers in self._servers.values())
            for place, name in enumerate(ORDER)
        }

    def forget(self) -> None:
        for server in itertools.chain.from_iterable(self._servers.values()):
            server.journal.clear()


@pytest.fixture(scope="module")
def _vendors() -> Iterator[Vendors]:
    with ExitStack() as stack, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        servers = {
            state: tuple(
                stack.enter_context(running(counting(vendor.create_app(options))))
                for vendor, options in zip((gigachat, yandexgpt, ollama), each, strict=True)
            )
            for state, each in FAULTS.items()
        }
        yield Vendors(servers, f"http://127.0.0.1:{deaf.getsockname()[1]}")


@pytest.fixture
def vendors(_vendors: Vendors) -> Vendors:
    _vendors.forget()
    return _vendors


@asynccontextmanager
async def routed(urls: Mapping[str, str], **local: Any) -> AsyncGenerator[Router]:
    key = base64.b64encode(f"{uuid.uuid4()}:{uuid.uuid4()}".encode()).decode()
    oauth = {"use": "gigachat-oauth", "key": key, "auth_url": f"{urls['giga']}/api/v2/oauth"}
    yandex = yandexgpt.Options()
    async with Router() as router:
        router.add_provider("giga", use="gigachat", auth=oauth, base_url=f"{urls['giga']}/v1")
        router.add_provider(
            "yandex",
            use="yandexgpt",
            auth={"use": "yandex-api-key", "key": yandex.api_keys[0]},
            base_url=urls["yandex"],
            folder_id=yandex.folder_id,
        )
        router.add_provider("local", use="ollama", base_url=urls["local"], **{"model": "tiny", **local})
        yield router


async def asked(router: Router, *, streamed: bool) -> ChatResponse:
    if not streamed:
        return await router.route("Привет")
    async with router.route_stream("Привет") as stream:
        async for _ in stream:
            pass
        return stream.response()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", list(ERRORS))
@pytest.mark.parametrize("down", OUTAGES, ids=lambda down: "+".join(down) or "none")
async def test_the_first_healthy_one_answers(
    vendors: Vendors, down: tuple[str, ...], kind: str, *, streamed: bool
) -> None:
    expected = next(name for name in ORDER if name not in down)
    async with routed(vendors.urls(dict.fromkeys(down, kind))) as router:
        answer = await asked(router, streamed=streamed)
    assert "Привет" in answer.text
    assert answer.call is not None
    failed = answer.call.attempts[:-1]
    assert answer.call.target == expected
    assert [outcome.target.name for outcome in failed] == [name for name in down if name in ORDER[: len(failed)]]
    assert {type(outcome.error) for outcome in failed} <= {ERRORS[kind]}
    assert vendors.answered == {name: int(name == expected) for name in ORDER}


@pytest.mark.parametrize("kinds", list(itertools.permutations(ERRORS)), ids="-".join)
async def test_when_all_are_down_each_error_is_told_and_nothing_is_billed(
    vendors: Vendors, kinds: tuple[str, ...]
) -> None:
    async with routed(vendors.urls(dict(zip(ORDER, kinds, strict=True)))) as router:
        with pytest.raises(AttemptsExhausted) as caught:
            await router.route("Привет")
    by_target = {outcome.target.name: type(outcome.error) for outcome in caught.value.outcomes}
    assert by_target == {name: ERRORS[kind] for name, kind in zip(ORDER, kinds, strict=True)}
    assert vendors.answered == dict.fromkeys(ORDER, 0)


async def test_a_model_that_was_not_pulled_is_told_last(vendors: Vendors) -> None:
    states = {"giga": "busy", "yandex": "busy"}
    async with routed(vendors.urls(states), model="nope") as router:
        with pytest.raises(AttemptsExhausted) as caught:
            await router.route("Привет")
    assert {type(outcome.error) for outcome in caught.value.outcomes} == {Overloaded, ModelNotFound}


async def test_rejected_credentials_do_not_fan_out(vendors: Vendors) -> None:
    async with routed(vendors.urls({})) as router:
        router.add_provider("wrong", use="gigachat", auth={"use": "bearer", "token": "x"}, base_url=router_url(router))
        router.add_route("strict", ["wrong", "yandex", "local"])
        with pytest.raises(AuthFailed):
            await router.route("Привет", route="strict")
    assert vendors.answered == dict.fromkeys(ORDER, 0)


def router_url(router: Router) -> str:
    return str(router.providers["giga"].options["base_url"])


async def test_an_error_that_needs_no_advice_is_not_its_own_cause() -> None:
    """Whoever follows the causes of an error has to come to an end."""
    async with Router() as router:
        with running(ollama.create_app(ollama.Options(models=("tiny",), reset=1))) as server:
            router.add_provider("local", use="ollama", base_url=server.url, model="tiny")
            with pytest.raises(StreamInterrupted) as caught:
                _ = [event async for event in router.route_stream("Tell me a story.", target="local")]
    lost = caught.value.__cause__
    assert isinstance(lost, TransportFailed)
    assert lost.__cause__ is not None
    assert lost.__cause__ is not lost


async def test_after_the_first_event_nobody_else_is_asked(vendors: Vendors) -> None:
    urls = vendors.urls({})
    cut = counting(gigachat.create_app(gigachat.Options(concurrency=0, end_after_chunks=1)))
    with running(cut) as server:
        async with routed({**urls, "giga": server.url}) as router:
            with pytest.raises(StreamInterrupted) as caught:
                await asked(router, streamed=True)
        assert server.journal["answered"] == 1
    assert caught.value.partial.text
    assert vendors.answered == dict.fromkeys(ORDER, 0)
