"""The contract of observers.

A plugin's test file is a subclass that says which spec it is about::

    from mlo_acme.plugin import mlo_observers
    from mlo_sdk.testing import ObserverContract

    class TestAcmeTraces(ObserverContract):
        (spec,) = mlo_observers()
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from threading import Thread
from typing import Any, ClassVar, get_args

import anyio
import pytest

from mlo import records
from mlo.api import Environment, Observer, ObserverSpec

from .demands import demand, needs, overrides, switch_off
from .record_samples import SAMPLE_RECORDS, SECRET_TEXT
from .specs import check_entry_point, check_spec, check_table
from .surroundings import LoneEnvironment, build, hosted, patient
from .watchdogs import noticing

__all__ = ["ObserverContract"]

_KINDS: frozenset[type] = frozenset(get_args(records.Record))
_WAITING = ("socket.connect", "socket.getaddrinfo", "subprocess.", "os.system", "os.posix_spawn", "time.sleep")


class ObserverContract:
    """What the kernel relies on in an observer.

    Class attributes to set:

    ``spec``         what the plugin offers (required)
    ``options``      the observer's table without ``use``; or override the fixture ``table``
    ``published``    whether an entry point must offer the spec (``False`` for a spec made in a test)

    Override the fixture ``emitted`` with a function that returns all that has been emitted so far, as text; what an
    observer lets out is then checked, too.
    """

    pytestmark = pytest.mark.anyio

    spec: ClassVar[ObserverSpec[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    published: ClassVar[bool] = True
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        flags = {"published": cls.published, "emitted": overrides(cls, ObserverContract, "emitted")}
        cls.switched_off = switch_off(cls, ObserverContract, {name for name, on in flags.items() if on})

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """The observer's table in ``mlo.toml``."""
        return self.options

    @pytest.fixture
    def environment(self) -> Environment:
        """What the kernel would give to the observer."""
        return LoneEnvironment(path="observers.contract")

    @pytest.fixture
    def emitted(self) -> Callable[[], str]:
        """Gives what the observer has let out so far."""
        raise NotImplementedError(f"{type(self).__name__} does not say where to look")

    def test_the_spec_is_consistent(self) -> None:
        """Its name is an id, its configuration an attrs class."""
        check_spec(self.spec, ObserverSpec)

    @needs("published")
    def test_an_entry_point_offers_the_spec(self) -> None:
        """The id under which users find it leads to a module whose hook yields it."""
        check_entry_point(self.spec, "mlo.v1.observers", "mlo_observers")

    def test_the_table_fits_the_configuration(self, table: Mapping[str, Any]) -> None:
        """A table becomes the configuration class; an unknown key is an error that names it."""
        check_table(self.spec, table)

    async def test_it_says_what_it_wants(self, table: Mapping[str, Any], environment: Environment) -> None:
        """``wants`` is a frozen set of record types, the same each time."""
        async with self._open(table, environment) as observer:
            wants = observer.wants
            demand(isinstance(wants, frozenset), f"`wants` must be a frozenset, not {type(wants).__name__}")
            strange = sorted(getattr(kind, "__name__", repr(kind)) for kind in wants - _KINDS)
            demand(not strange, f"`wants` holds {strange}, which are no record types of mlo.records")
            demand(observer.wants == wants, "`wants` changes from one time to the next; the kernel asks once")

    async def test_it_takes_every_record(self, table: Mapping[str, Any], environment: Environment) -> None:
        """Complete or not, a record of any kind is taken quietly and without waiting."""
        async with self._open(table, environment) as observer:
            demand(not inspect.iscoroutinefunction(observer.on), "on() must be a plain function: nobody awaits it")
            take: Callable[[records.Record], object] = observer.on
            with noticing(*_WAITING) as seen:
                for record in SAMPLE_RECORDS:
                    demand(take(record) is None, f"on() returned something for {type(record).__name__}")
        demand(not seen, f"on() waits: {sorted(set(seen))}; hand the record to a thread or a task of your own")

    async def test_threads_may_share_it(self, table: Mapping[str, Any], environment: Environment) -> None:
        """Calls of every event loop report to the same observer."""
        errors: list[Exception] = []

        async with self._open(table, environment) as observer:

            def work() -> None:
                try:
                    for _ in range(20):
                        for record in SAMPLE_RECORDS:
                            observer.on(record)
                except (LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
                    errors.append(error)

            threads = [Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await anyio.to_thread.run_sync(thread.join)
        demand(not errors, f"used from three threads at once, it raised {errors[:1]}")

    async def test_it_opens_again_after_closing(self, table: Mapping[str, Any], environment: Environment) -> None:
        """A configuration reload opens it anew, and records still find it."""
        for _ in range(2):
            async with self._open(table, environment) as observer:
                for record in SAMPLE_RECORDS:
                    observer.on(record)

    @needs("emitted")
    async def test_what_was_taken_is_out_after_closing(
        self, table: Mapping[str, Any], environment: Environment, emitted: Callable[[], str]
    ) -> None:
        """Closing waits until everything taken is out."""
        before = len(emitted())
        async with self._open(table, environment) as observer:
            for record in SAMPLE_RECORDS:
                if type(record) in observer.wants:
                    observer.on(record)
        demand(len(emitted()) > before, "records were taken, but nothing is out after closing")

    @needs("emitted")
    async def test_no_secret_gets_out(
        self, table: Mapping[str, Any], environment: Environment, emitted: Callable[[], str]
    ) -> None:
        """A key in an error's text or in metadata is not passed on."""
        async with self._open(table, environment) as observer:
            for record in SAMPLE_RECORDS:
                observer.on(record)
        demand(SECRET_TEXT not in emitted(), "a key from a record got out: mask what looks like one")

    @asynccontextmanager
    async def _open(self, table: Mapping[str, Any], environment: Environment) -> AsyncIterator[Observer]:
        async with patient(), hosted(self.spec.open, build(self.spec, table), environment) as observer:
            yield observer
