"""Budgets hold exactly: many calls at once, several processes, and any order of what happens in them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlo import ChatRequest, Message, Router
from mlo.errors import CallRefused, ConfigError
from mlo.models import Price
from mlo.requests import Sampling
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings
from mlo_ledger.limits import Limit
from mlo_ledger.observer import LedgerObserver
from mlo_ledger.reports.audit import audit
from mlo_ledger.windows import granted, period_of
from tests.services.postgres import PostgresServer

from .crashing import Facts, counting_server, wait_for, zygote

pytestmark = pytest.mark.anyio

PRICE = Price(prompt=1_000_000_000, completion=1_000_000_000)
RUBLE = 1_000_000_000


@asynccontextmanager
async def ledger_at(url: str, folder: Path, **options: Any) -> AsyncIterator[tuple[Router, LedgerObserver]]:
    """A router over the mock with a ledger."""
    mock = ProviderSettings(use="mock", options={"answer": "да"}, price=PRICE, path="providers.mock")
    table = {"url": url, "journal": str(folder / "journal"), **options}
    settings = Settings(
        providers={"mock": mock},
        routes={"default": RouteSettings(targets=("mock",))},
        observers={"ledger": ComponentSettings(use="ledger", options=table, path="observers.ledger")},
    )
    async with Router(settings) as router:
        ledger = await router.observer("ledger")
        assert isinstance(ledger, LedgerObserver)
        yield router, ledger


def ask(text: str = "раз", *, tokens: int | None = None, **metadata: str) -> ChatRequest:
    return ChatRequest(messages=(Message.user(text),), sampling=Sampling(max_tokens=tokens), metadata=metadata)


async def outcomes(router: Router, *requests: ChatRequest) -> list[str]:
    """What becomes of requests that are made at the same time: `ok`, or the reason of the refusal."""
    found: list[str] = []

    async def call(request: ChatRequest) -> None:
        try:
            await router.route(request)
        except CallRefused as refused:
            found.append(refused.reason)
        else:
            found.append("ok")

    async with anyio.create_task_group() as tasks:
        for request in requests:
            tasks.start_soon(call, request)
    return sorted(found)


async def test_a_budget_for_50_admits_50_of_200(url: str, tmp_path: Path) -> None:
    budgets = [{"project": "web", "requests": 50}]
    async with ledger_at(url, tmp_path, budgets=budgets) as (router, ledger):
        found = await outcomes(router, *[ask(project="web")] * 200)
        assert found == ["ok"] * 50 + ["requests-exhausted"] * 150
        await ledger.flush()
        window = await ledger.window("project:web")
        assert window is not None
        assert (window.used_requests, window.reserved_requests) == (50, 0)
        assert await outcomes(router, ask(project="other"), ask()) == ["ok", "ok"]
        await ledger.flush()
        assert (await ledger.database.read(audit)).agrees


async def test_a_refusal_says_whose_limit_it_was_and_until_when(tmp_path: Path) -> None:
    budgets = [{"key": "k1", "requests": 0, "period": "day", "time_zone": "Asia/Kamchatka"}]
    async with ledger_at(f"sqlite:///{tmp_path}/l.db", tmp_path, budgets=budgets) as (router, ledger):
        with pytest.raises(CallRefused, match="key:k1 has used its 0 requests") as caught:
            await router.route(ask(key="k1"))
        assert (caught.value.reason, caught.value.scope) == ("requests-exhausted", "key:k1")
        window = await ledger.window("key:k1")
        assert window is not None
        assert caught.value.retry_after == pytest.approx(window.resets_at - time.time(), abs=5)
        assert (window.resets_at - window.begins) == 86_400


async def test_limits_on_spending_are_kept_in_exact_money(url: str, tmp_path: Path) -> None:
    async with ledger_at(url, tmp_path, budgets=[{"organization": "acme", "roubles": "0.0001"}]) as (router, ledger):
        await router.route(ask())  # from now on the price of the route is known
        found = await outcomes(router, *[ask(tokens=10, organization="acme")] * 40)
        await ledger.flush()
        window = await ledger.window("organization:acme")
        assert window is not None
        assert set(found) == {"ok", "budget-exhausted"}
        assert 0 < window.used_nano <= RUBLE // 10_000
        audited = await ledger.database.read(audit)
        assert audited.agrees, audited.differences


async def test_what_a_call_does_not_use_is_free_again(tmp_path: Path) -> None:
    budgets = [{"project": "*", "roubles": "0.001", "requests": 1_000}]
    async with ledger_at(f"sqlite:///{tmp_path}/l.db", tmp_path, budgets=budgets) as (router, ledger):
        await router.route(ask())
        for _ in range(20):  # each reserves 600,000 of the 1,000,000 nano-units, and uses 5,000
            await router.route(ask(tokens=550))
        await ledger.flush()
        window = await ledger.window("all")
        assert window is not None
        assert window.used_requests == 21
        assert window.used_nano < RUBLE // 1_000


async def test_limits_come_and_go_at_run_time(url: str, tmp_path: Path) -> None:
    async with ledger_at(url, tmp_path) as (router, ledger):
        await outcomes(router, *[ask(project="web")] * 3)
        await ledger.flush()
        limit = Limit(scope="project:web", requests=5)
        await ledger.limit(limit)  # what was used before counts
        assert await outcomes(router, *[ask(project="web")] * 4) == ["ok"] * 2 + ["requests-exhausted"] * 2
        await ledger.limit(Limit(scope="project:web", requests=7))
        assert await outcomes(router, *[ask(project="web")] * 4) == ["ok"] * 2 + ["requests-exhausted"] * 2
        await ledger.unlimit("project:web")
        assert await outcomes(router, *[ask(project="web")] * 4) == ["ok"] * 4
        assert await ledger.window("project:web") is None
        await ledger.flush()
        audited = await ledger.database.read(audit)
        assert audited.agrees, audited.differences


async def test_a_limit_that_warns_refuses_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    budgets = [{"project": "web", "requests": 1, "overage": "warn"}]
    async with ledger_at(f"sqlite:///{tmp_path}/l.db", tmp_path, budgets=budgets) as (router, ledger):
        assert await outcomes(router, *[ask(project="web")] * 3) == ["ok"] * 3
        await ledger.flush()
        ledger.look_now()
        with anyio.fail_after(10):
            while not ledger.state().over:
                await anyio.sleep(0.01)
        assert ledger.state().over == ("project:web",)
    assert "over its limit" in caplog.text


async def test_unknown_time_zones_are_refused(tmp_path: Path) -> None:
    async with ledger_at(f"sqlite:///{tmp_path}/l.db", tmp_path) as (_, ledger):
        with pytest.raises(ConfigError, match="no time zone"):
            await ledger.limit(Limit(scope="all", requests=1, time_zone="Mars/Olympus"))


async def test_what_others_keep_for_later_is_recalled(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlo_ledger.observer._RECALL_WAIT", 10.0)  # both share one busy interpreter here
    budgets = [{"project": "web", "requests": 400}]
    async with ledger_at(url, tmp_path / "a", budgets=budgets) as (first, elder):
        async with ledger_at(url, tmp_path / "b", budgets=budgets) as (second, ledger):
            assert await outcomes(first, ask(project="web")) == ["ok"]  # and has leased a block
            assert (await outcomes(second, *[ask(project="web")] * 399)) == ["ok"] * 399
            assert await outcomes(first, ask(project="web")) == ["requests-exhausted"]
            await ledger.flush()
        await elder.flush()
        audited = await elder.database.read(audit)
        assert audited.agrees, audited.differences


async def test_a_cancelled_call_gives_back_what_it_waited_for(tmp_path: Path) -> None:
    async with ledger_at(f"sqlite:///{tmp_path}/l.db", tmp_path, budgets=[{"project": "*", "requests": 1}]) as (
        router,
        ledger,
    ):
        with anyio.move_on_after(0):
            await router.route(ask())
        with anyio.fail_after(5):
            while await outcomes(router, ask()) != ["ok"]:
                await anyio.sleep(0.05)
        await ledger.flush()
        window = await ledger.window("all")
        assert window is not None
        assert window.used_requests == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_three_processes_share_a_budget_exactly(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.database()
    async with ledger_at(url, tmp_path / "mine"):
        pass  # the tables are there
    with counting_server() as server, zygote() as workers:
        facts = [Facts(tmp_path / f"facts{number}") for number in range(3)]
        for number, each in enumerate(facts):
            ledger = {
                "url": url,
                "journal": str(tmp_path / f"j{number}"),
                "budgets": [{"project": "web", "requests": 50}],
            }
            name = f"w{number}"
            workers.start(server=server.url, ledger=ledger, facts=str(each.path), name=name, calls=67, callers=67)
        await anyio.to_thread.run_sync(
            wait_for, lambda: all(each.path.exists() and b"done\n" in each.path.read_bytes() for each in facts)
        )
    got = [name for each in facts for name in each.named("got")]
    assert len(got) == len(set(got)) == len(server.served) == 50
    assert sum(len(each.named("refused")) for each in facts) == 151


@given(left=st.integers(0, 10_000), asked=st.integers(0, 500), single=st.booleans())
def test_a_grant_is_never_more_than_is_left(left: int, asked: int, single: bool) -> None:
    found = granted(left, asked, single=single)
    assert min(left, asked) <= found <= left
    assert not single or found <= asked
    assert found <= max(asked, left // 16)  # nobody gets most of what is left for later


@settings(max_examples=60)
@given(
    moment=st.integers(0, 4_000_000_000),
    kind=st.sampled_from(["month", "day"]),
    zone=st.sampled_from(["Europe/Moscow", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]),
)
def test_periods_follow_each_other_without_gaps(moment: int, kind: Any, zone: str) -> None:
    limit = Limit(scope="all", requests=1, period=kind, time_zone=zone)
    period = period_of(limit, moment * 1_000_000)
    assert period.covers(moment * 1_000_000)
    following = period_of(limit, period.resets)
    assert following.begins == period.resets
    assert following.key > period.key
