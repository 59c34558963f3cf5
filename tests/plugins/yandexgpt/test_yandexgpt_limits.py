"""Quotas: the gauge is kept to, the hour fails over at once, embeddings are paced."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import pytest

from mlo import ChatRequest, EmbeddingRequest, Router
from mlo.errors import ContentBlocked, InvalidRequest, ProviderError, QuotaExhausted, RateLimited
from mlo.settings import RetrySettings
from mlo_sdk.testing import context
from mlo_yandexgpt.pacing import Pacer

from .cloud import AUTH, Cloud, emulated, opened, routed, table

pytestmark = pytest.mark.anyio


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated() as found:
        yield found


async def ask_at_once(router: Router, calls: int) -> list[str]:
    texts: list[str] = []

    async def ask() -> None:
        texts.append((await router.route("Привет")).text)

    async with anyio.create_task_group() as group:
        for _ in range(calls):
            group.start_soon(ask)
    return texts


async def test_twelve_calls_fit_a_gauge_of_ten(cloud: Cloud) -> None:
    cloud.change(think=0.1)
    async with routed(cloud) as router:
        texts = await ask_at_once(router, 12)
    assert texts == ["Эхо: Привет"] * 12
    assert {status for _path, status, _body in cloud.answers} == {200}


async def test_streams_count_until_their_end(cloud: Cloud) -> None:
    cloud.change(frame_delay=0.02, frame_chars=3)

    async def read() -> None:
        async with router.route_stream("Привет") as stream:
            async for _event in stream:
                pass

    async with routed(cloud) as router, anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(read)
    assert {status for _path, status, _body in cloud.answers} == {200}
    assert cloud.journal["generations open (max)"] == 10


async def test_a_smaller_gauge_is_waited_for(cloud: Cloud) -> None:
    """Somebody else uses the folder too: the 429 is retried after a short wait, and does not surface."""
    cloud.change(gauge=1, think=0.05)
    async with routed(cloud) as router:
        router.add_route("patient", targets=["yandex"], retry=RetrySettings(rounds=8, base=0.05))
        texts: list[str] = []

        async def ask() -> None:
            texts.append((await router.route("Привет", route="patient")).text)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(ask)
    assert texts == ["Эхо: Привет"] * 2


async def test_the_hour_fails_over_at_once(cloud: Cloud) -> None:
    cloud.change(generations_per_hour=0)
    with emulated(answer="Запасной") as other:
        async with routed(cloud) as router:
            router.add_provider("other", use="yandexgpt", auth=AUTH, **table(other))
            response = await router.route("Привет")
    assert response.text == "Запасной"
    assert len(cloud.journal.requests) == 1


async def test_the_hour_is_not_retried(cloud: Cloud) -> None:
    cloud.change(generations_per_hour=0)
    async with routed(cloud) as router:
        with pytest.raises(QuotaExhausted, match="RequestsPerHour"):
            await router.route("Привет")
    assert len(cloud.journal.requests) == 1


async def test_kinds_of_429_say_how_long(cloud: Cloud) -> None:
    cloud.change(gauge=0, embeddings_per_second=0)
    async with opened(cloud) as provider:
        waits = []
        for call in (
            provider.generate(ChatRequest.of("Привет"), context()),
            provider.embed(EmbeddingRequest(texts=("раз",)), context()),
        ):
            with pytest.raises(RateLimited) as caught:
                await call
            waits.append(caught.value.retry_after)
    assert waits == [0.5, 1.0]


async def test_embeddings_keep_to_the_rate(cloud: Cloud) -> None:
    cloud.change(embeddings_per_second=4)
    async with opened(cloud, embeddings_per_second=4) as provider:
        found = await provider.embed(EmbeddingRequest(texts=tuple("абвгде")), context())
    assert len(found.vectors) == 6


async def test_embeddings_keep_their_order(cloud: Cloud) -> None:
    texts = tuple(f"текст {number % 5}" for number in range(10))
    async with opened(cloud, embeddings_per_second=100) as provider:
        found = await provider.embed(EmbeddingRequest(texts=texts, dimensions=64), context())
    assert found.vectors[:5] == found.vectors[5:]
    assert {len(vector) for vector in found.vectors} == {64}


@pytest.mark.parametrize(("texts", "error"), [(("раз", ""), InvalidRequest), (("раз", "слово " * 9000), ProviderError)])
async def test_a_bad_text_fails_the_request(cloud: Cloud, texts: tuple[str, ...], error: type[Exception]) -> None:
    async with opened(cloud) as provider:
        with pytest.raises(error) as caught:
            await provider.embed(EmbeddingRequest(texts=texts), context())
    assert not isinstance(caught.value, ContentBlocked)


async def test_the_pacer_books_places_in_order() -> None:
    pacer, starts = Pacer(2, window=0.05), []

    async def start() -> None:
        await pacer.turn()
        starts.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(start)
    delays = [start - began for start in sorted(starts)]
    assert delays[2] >= 0.05
    assert delays[4] >= 0.1


def test_the_pacer_serves_several_loops_at_once() -> None:
    pacer, backends = Pacer(2, window=0.05), ("asyncio", "trio", "asyncio", "trio")

    def start(backend: str) -> None:
        anyio.run(pacer.turn, backend=backend)

    threads = [threading.Thread(target=start, args=(backend,), daemon=True) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
