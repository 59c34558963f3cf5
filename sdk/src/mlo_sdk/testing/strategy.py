"""The contract of routing strategies.

A plugin's test file is a subclass that says which spec it is about::

    from mlo_acme.plugin import mlo_strategies
    from mlo_sdk.testing import StrategyContract

    class TestCleverest(StrategyContract):
        (spec,) = mlo_strategies()
        options = {"eagerness": 3}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any, ClassVar

import anyio
import pytest

from mlo.api import Strategy, StrategySpec
from mlo.messages import Message
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.routing import Request, Step, Target

from .demands import demand, needs, switch_off
from .routes import advance, check_step, failed, run_route, succeeded, target
from .specs import check_entry_point, check_spec, check_table
from .surroundings import build
from .watchdogs import noticing

__all__ = ["StrategyContract"]

_IO_EVENTS = ("open", "socket.", "subprocess.", "os.system", "os.posix_spawn", "time.sleep")


class StrategyContract:
    """What the kernel relies on in a strategy.

    Class attributes to set:

    ``spec``         what the plugin offers (required)
    ``options``      the route's ``strategy`` table without ``use``
    ``names``        the names of the targets that the checks use
    ``published``    whether an entry point must offer the spec (``False`` for a spec made in a test)
    ``falls_back``   whether every target is proposed while all of them fail
    ``does_io``      whether it may do I/O (only an asynchronous generator may)
    """

    pytestmark = pytest.mark.anyio

    spec: ClassVar[StrategySpec[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    names: ClassVar[Sequence[str]] = ("a", "b:large", "c:org/model:7b")
    published: ClassVar[bool] = True
    falls_back: ClassVar[bool] = True
    does_io: ClassVar[bool] = False
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        flags = {"published": cls.published, "falls back": cls.falls_back, "no io": not cls.does_io}
        cls.switched_off = switch_off(cls, StrategyContract, {name for name, on in flags.items() if on})

    def strategy(self) -> Strategy:
        """A new strategy, as the kernel makes one per route."""
        return self.spec.build(build(self.spec, self.options))

    def targets(self) -> list[Target]:
        """Targets called :attr:`names`."""
        return [target(name) for name in self.names]

    def requests(self) -> Sequence[Request]:
        """The kinds of requests that every strategy has to take."""
        return (
            ChatRequest.of("Привет"),
            ChatRequest(messages=(Message.user("Привет"),), metadata={"session": "s-1"}),
            EmbeddingRequest(texts=("раз", "два")),
        )

    def test_the_spec_is_consistent(self) -> None:
        """Its name is an id, its configuration an attrs class."""
        check_spec(self.spec, StrategySpec)

    @needs("published")
    def test_an_entry_point_offers_the_spec(self) -> None:
        """The id under which users find it leads to a module whose hook yields it."""
        check_entry_point(self.spec, "mlo.v1.strategies", "mlo_strategies")

    def test_the_table_fits_the_configuration(self) -> None:
        """A table becomes the configuration class; an unknown key is an error that names it."""
        check_table(self.spec, self.options)

    async def test_it_ends_when_all_fail(self) -> None:
        """With every target failing, the proposals are sound and come to an end, call after call."""
        strategy = self.strategy()
        for request in self.requests():
            for _ in range(5):
                demand(await run_route(strategy, request, self.targets(), failed), "nothing was proposed")

    @needs("falls back")
    async def test_every_target_gets_its_chance(self) -> None:
        """With every target failing, each has been proposed before the end."""
        strategy, targets = self.strategy(), self.targets()
        for request in self.requests():
            steps = await run_route(strategy, request, targets, failed)
            missing = set(targets) - {place for step in steps for place in step.targets}
            demand(not missing, f"{sorted(place.name for place in missing)} never got a chance while all others failed")

    async def test_it_stops_at_a_success(self) -> None:
        """After a success it may learn, and is closed; both go quietly."""
        strategy = self.strategy()
        for request in self.requests():
            for _ in range(5):
                demand(await run_route(strategy, request, self.targets(), succeeded), "nothing was proposed")

    async def test_one_target_is_enough(self) -> None:
        """A route of one target, or with one left, works."""
        strategy, (only, *_) = self.strategy(), self.targets()
        for request in self.requests():
            for answer in (succeeded, failed):
                steps = await run_route(strategy, request, [only], answer)
                demand(all(step.targets == (only,) for step in steps) and steps, "one target was not proposed")

    async def test_targets_may_come_and_go(self) -> None:
        """From call to call other targets are left: an open circuit breaker, a request that not all can serve."""
        strategy, targets = self.strategy(), self.targets()
        for chosen in (targets, targets[1:], targets[:1], targets[::-1], targets):
            demand(await run_route(strategy, self.requests()[0], chosen, failed), "nothing was proposed")

    async def test_a_race_tells_only_who_ended(self) -> None:
        """Outcomes may be fewer than the targets of a step: losers of a race have none."""
        steps = self.strategy().route(self.requests()[0], self.targets())
        step = await advance(steps)
        seen = 0
        while step is not None and seen < 4 * len(self.names) + 16:
            step, seen = await advance(steps, [failed(step.targets[0])] if seen % 2 else []), seen + 1
        demand(step is None, "it does not come to an end when outcomes are missing")

    async def test_two_calls_at_once_do_not_mix(self) -> None:
        """Two calls under way, step by step in turn, each get proposals of their own."""
        strategy, targets = self.strategy(), self.targets()
        routes = [strategy.route(self.requests()[0], targets) for _ in range(2)]
        proposals: list[list[Step]] = [[], []]
        for _ in range(4 * len(targets) + 16):
            for steps, proposed in zip(routes, proposals, strict=True):
                outcomes = [failed(place) for place in proposed[-1].targets] if proposed else None
                step = await advance(steps, outcomes)
                if step is not None:
                    check_step(step, targets)
                    proposed.append(step)
        demand(all(proposals), "one of two calls at once got no proposal")
        if self.falls_back:
            for proposed in proposals:
                tried = {place for step in proposed for place in step.targets}
                demand(tried == set(targets), "of two calls at once, one did not get to every target")

    def test_threads_may_share_it(self) -> None:
        """A route is used from every thread that has an event loop."""
        strategy, targets = self.strategy(), self.targets()
        errors: list[BaseException] = []

        async def many() -> None:
            for _ in range(50):
                await run_route(strategy, self.requests()[0], targets, failed)

        def work() -> None:
            try:
                anyio.run(many)
            except (AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
                errors.append(error)

        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        demand(not errors, f"used from three threads at once, it raised {errors[:1]}")

    async def test_the_targets_given_stay_as_they_are(self) -> None:
        """The sequence of targets belongs to the kernel."""
        targets = self.targets()
        before = list(targets)
        await run_route(self.strategy(), self.requests()[0], targets, failed)
        demand(targets == before, "route() changed the sequence of targets that it was given")

    @needs("no io")
    async def test_it_only_thinks(self) -> None:
        """No file, no socket, no process, no sleep: the kernel calls it on the event loop."""
        strategy, targets = self.strategy(), self.targets()
        await run_route(strategy, self.requests()[0], targets, failed)  # imports at first use are fine
        with noticing(*_IO_EVENTS) as seen:
            for request in self.requests():
                await run_route(strategy, request, targets, failed)
        demand(not seen, f"route() does I/O or waits: {sorted(set(seen))}; use an async generator for that")
