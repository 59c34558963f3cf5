"""A process that calls without end, until somebody kills it: run by the tests of crashes.

It reads one JSON object per line from its standard input, and for each forks a child that works as the object says.
The children say what their callers have got back in a file, one line per fact: `got ID` once a call has returned, and
`safe ID` once the ledger has acknowledged it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import anyio

from mlo import ChatRequest, Message, Router
from mlo.errors import CallRefused
from mlo.models import Price
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings
from mlo_ledger.observer import LedgerObserver

PRICE = Price(prompt=65_000_000_000, completion=130_000_000_000, source="a test")


def settings(work: dict[str, Any]) -> Settings:
    provider = ProviderSettings(
        use="openai-compat", options={"base_url": work["server"], "model": "m"}, price=PRICE, path="providers.main"
    )
    ledger = ComponentSettings(use="ledger", options=work["ledger"], path="observers.ledger")
    routes = {"default": RouteSettings(targets=("main",))}
    return Settings(providers={"main": provider}, routes=routes, observers={"ledger": ledger})


async def call(router: Router, name: str, *, stream: bool) -> None:
    metadata = {"project": "web", "request_id": name}
    request = ChatRequest(messages=(Message.user(name),), metadata=metadata)
    if not stream:
        await router.route(request)
        return
    async with router.route_stream(request) as events:
        async for _ in events:
            pass


async def work_on(work: dict[str, Any]) -> None:
    facts = os.open(work["facts"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    numbers = iter(range(1 << 30))

    async with Router(settings(work)) as router:
        ledger = await router.observer("ledger")
        assert isinstance(ledger, LedgerObserver)

        async def caller() -> None:
            while (number := next(numbers)) < work["calls"]:
                name = f"{work['name']}-{number}"
                try:
                    await call(router, name, stream=number % 3 == 0)
                except CallRefused as refused:
                    os.write(facts, f"refused {refused.reason}\n".encode())
                    continue
                os.write(facts, f"got {name}\n".encode())
                if number % 10 == 0:
                    await ledger.flush()
                    os.write(facts, f"safe {name}\n".encode())

        async with anyio.create_task_group() as tasks:
            for _ in range(work["callers"]):
                tasks.start_soon(caller)
    os.write(facts, b"done\n")


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    for line in sys.stdin:
        work = json.loads(line)
        child = os.fork()
        if child == 0:
            anyio.run(work_on, work, backend=work.get("backend", "asyncio"))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # what every child needs is imported once, before they are forked
    import mlo_ledger.opening  # noqa: F401
    import mlo_openai_compat.provider  # noqa: F401

    main()
