"""What the LangChain chat model adds to `Router.route`, beside what LangChain's own fake chat model costs.

CPU time of the whole process, so the router's thread counts. Goal: at most twice the fake model's cost per call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from _measure import cpu_of_each, print_table
from langchain_core.language_models.fake_chat_models import FakeListChatModel

from mlo import Router
from mlo_langchain import MultiLLMOrchestrator

CALLS = 300
ANSWER = "слово " * 400
FAKE_ANSWER = [ANSWER]
GOAL = 2.0


def _router(answer: str | None = None) -> Router:
    router = Router()
    router.add_provider("mock", answer=answer)
    return router


async def _repeat(call: Callable[[], Awaitable[object]]) -> int:
    for _ in range(CALLS):
        await call()
    return CALLS


async def _repeat_blocking(call: Callable[[], object]) -> int:
    for _ in range(CALLS):
        call()
    return CALLS


async def _unary(router: Router) -> dict[str, float]:
    fake = FakeListChatModel(responses=["Эхо: Привет"])
    here = MultiLLMOrchestrator(router=router)
    elsewhere = MultiLLMOrchestrator(router=_router())
    subjects: dict[str, Callable[[], Awaitable[int]]] = {
        "Router.route": lambda: _repeat(lambda: router.route("Привет")),
        "fake chat model, ainvoke": lambda: _repeat(lambda: fake.ainvoke("Привет")),
        "fake chat model, invoke": lambda: _repeat_blocking(lambda: fake.invoke("Привет")),
        "ainvoke, router of this loop": lambda: _repeat(lambda: here.ainvoke("Привет")),
        "ainvoke, router elsewhere": lambda: _repeat(lambda: elsewhere.ainvoke("Привет")),
        "100 ainvoke at once, elsewhere": lambda: _at_once(elsewhere),
        "invoke": lambda: _repeat_blocking(lambda: elsewhere.invoke("Привет")),
    }
    return await cpu_of_each(subjects)


async def _at_once(model: MultiLLMOrchestrator) -> int:
    await asyncio.gather(*(model.ainvoke("Привет") for _ in range(100)))
    return 100


async def _streamed(router: Router) -> dict[str, float]:
    fake = FakeListChatModel(responses=FAKE_ANSWER)
    here = MultiLLMOrchestrator(router=router)
    elsewhere = MultiLLMOrchestrator(router=_router(ANSWER))

    async def routed() -> int:
        async with router.route_stream("Привет") as stream:
            return len([event async for event in stream])

    async def read(model: FakeListChatModel | MultiLLMOrchestrator) -> int:
        return len([chunk async for chunk in model.astream("Привет")])

    async def read_blocking() -> int:
        return len(list(elsewhere.stream("Привет")))

    return await cpu_of_each(
        {
            "Router.route_stream": routed,
            "fake chat model, astream": lambda: read(fake),
            "astream, router of this loop": lambda: read(here),
            "astream, router elsewhere": lambda: read(elsewhere),
            "stream": read_blocking,
        }
    )


async def main() -> None:
    """Measure and print."""
    async with _router() as router, _router(ANSWER) as long:
        calls, events = await _unary(router), await _streamed(long)
    route = calls["Router.route"]
    rows = []
    for name, cpu in calls.items():
        fake = calls["fake chat model, invoke" if name == "invoke" else "fake chat model, ainvoke"]
        ours = name != "Router.route" and not name.startswith("fake")
        added = (cpu - route, (cpu - route) / fake) if ours else None
        rows.append(
            (name, f"{cpu * 1e6:.0f}", *(("", "") if added is None else (f"{added[0] * 1e6:.0f}", f"{added[1]:.2f}")))
        )
    print_table(
        f"one call (goal: at most {GOAL:g} ×)", ("CPU, µs", "each", "over Router.route", "× the fake model"), rows
    )
    fake = events["fake chat model, astream"]
    print_table(
        "one event of a stream",
        ("CPU, µs", "each", "× the fake model"),
        [(name, f"{cpu * 1e6:.1f}", f"{cpu / fake:.2f}") for name, cpu in events.items()],
    )


if __name__ == "__main__":
    asyncio.run(main())
