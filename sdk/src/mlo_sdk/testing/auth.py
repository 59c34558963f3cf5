"""The contract of auth schemes.

A plugin's test file is a subclass that says which spec it is about::

    from mlo_acme.plugin import mlo_auth_schemes
    from mlo_sdk.testing import AuthContract

    class TestAcmeKey(AuthContract):
        (spec,) = mlo_auth_schemes()
        options = {"key": "a-made-up-key"}

A scheme that gets its credentials from a server also overrides the fixture ``issuer`` with something that can count
and break that server; the checks of renewal are then switched on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Protocol

import anyio
import anyio.lowlevel
import pytest

from mlo.api import AuthScheme, AuthSpec, Credentials, Environment
from mlo.errors import AuthFailed, MloError

from .demands import demand, fail, needs, overrides, switch_off
from .specs import check_entry_point, check_spec, check_table
from .surroundings import LoneEnvironment, build, hosted, in_own_task, patient
from .watching import Stepper, leaks_in, secrets_in, texts_of

__all__ = ["AuthContract", "Issuer"]

_CALLERS = 20


class Issuer(Protocol):
    """The server that gives out credentials, as a test sees it."""

    @property
    def issued(self) -> int:
        """How often it has been asked, successfully or not."""

    def refuse(self) -> None:
        """From now on, give out no credentials."""

    def allow(self) -> None:
        """Give them out again."""


class AuthContract:
    """What providers rely on in an auth scheme.

    Class attributes to set:

    ``spec``         what the plugin offers (required)
    ``options``      the ``auth`` table without ``use``; or override the fixture ``table``
    ``published``    whether an entry point must offer the spec (``False`` for a spec made in a test)
    ``anonymous``    whether the scheme sends nothing at all
    """

    pytestmark = pytest.mark.anyio

    spec: ClassVar[AuthSpec[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    published: ClassVar[bool] = True
    anonymous: ClassVar[bool] = False
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        renewable = overrides(cls, AuthContract, "issuer")
        flags = {"published": cls.published, "an issuer": renewable, "fixed credentials": not renewable}
        cls.switched_off = switch_off(cls, AuthContract, {name for name, on in flags.items() if on})

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """The ``auth`` table in ``mlo.toml``."""
        return self.options

    @pytest.fixture
    def environment(self) -> Environment:
        """What the kernel would give to the scheme."""
        return LoneEnvironment()

    @pytest.fixture
    def issuer(self) -> Issuer:
        """The server behind the scheme."""
        raise NotImplementedError(f"{type(self).__name__} has no issuer")

    def test_the_spec_is_consistent(self) -> None:
        """Its name is an id, its configuration an attrs class."""
        check_spec(self.spec, AuthSpec)

    @needs("published")
    def test_an_entry_point_offers_the_spec(self) -> None:
        """The id under which users find it leads to a module whose hook yields it."""
        check_entry_point(self.spec, "mlo.v1.auth", "mlo_auth_schemes")

    def test_the_table_fits_the_configuration(self, table: Mapping[str, Any]) -> None:
        """A table becomes the configuration class; an unknown key is an error that names it."""
        check_table(self.spec, table)

    async def test_credentials_are_headers(self, table: Mapping[str, Any], environment: Environment) -> None:
        """They come as headers, and the same ones again while they are good."""
        async with self._open(table, environment) as scheme:
            first, second = await scheme.credentials(), await scheme.credentials()
        _check_credentials(first)
        demand(first == second, "asked twice in a row, it gave other credentials: good ones are to be kept")
        demand(self.anonymous or first.headers, "the credentials have no headers: set `anonymous` if that is meant")

    async def test_nothing_shows_a_secret(self, table: Mapping[str, Any], environment: Environment) -> None:
        """Neither configuration, scheme nor credentials show a secret in their ``repr``."""
        config = build(self.spec, table)
        async with self._open(table, environment) as scheme:
            credentials = await scheme.credentials()
            shown = tuple(text for value in (config, scheme, credentials) for text in (repr(value), str(value)))
        leaks = leaks_in(shown, _secrets(config, credentials))
        demand(not leaks, f"a secret shows in a repr, after {leaks}")

    async def test_any_task_may_ask(self, table: Mapping[str, Any], environment: Environment) -> None:
        """Opened in one task, it is asked from others, many at once."""
        got: list[Credentials] = []

        async with self._open(table, environment) as scheme:

            async def ask() -> None:
                got.append(await scheme.credentials())

            await in_own_task(ask)
            async with anyio.create_task_group() as tasks:
                for _ in range(_CALLERS):
                    tasks.start_soon(ask)
        demand(len(got) == _CALLERS + 1, f"{_CALLERS + 1} asked, {len(got)} got credentials")
        demand(len({credentials.generation for credentials in got}) == 1, "tasks got different generations")

    @needs("fixed credentials")
    async def test_fixed_credentials_that_are_rejected_cannot_be_renewed(
        self, table: Mapping[str, Any], environment: Environment
    ) -> None:
        """Where there is nothing to renew, a rejection is an ``AuthFailed`` that shows no secret."""
        config = build(self.spec, table)
        async with self._open(table, environment) as scheme:
            credentials = await scheme.credentials()
            try:
                await scheme.credentials(stale=credentials.generation)
            except AuthFailed as error:
                leaks = leaks_in(texts_of(error), _secrets(config, credentials))
                demand(not leaks, f"the error shows a secret, after {leaks}")
            else:
                fail("credentials that a server has rejected were given out again: raise AuthFailed")

    @needs("an issuer")
    async def test_many_who_wait_share_one_renewal(
        self, table: Mapping[str, Any], environment: Environment, issuer: Issuer
    ) -> None:
        """Cold, many callers at once make one request."""
        async with self._open(table, environment) as scheme:
            before = issuer.issued
            got = await _ask_at_once(scheme, None)
        demand(issuer.issued - before == 1, f"{_CALLERS} callers at once made {issuer.issued - before} requests, not 1")
        demand(len({_generation(answer) for answer in got}) == 1, "callers at once got different generations")

    @needs("an issuer")
    async def test_a_rejected_generation_is_renewed_once(
        self, table: Mapping[str, Any], environment: Environment, issuer: Issuer
    ) -> None:
        """All who were rejected share one renewal; who comes late with the old generation causes none."""
        async with self._open(table, environment) as scheme:
            old = (await scheme.credentials()).generation
            before = issuer.issued
            got = await _ask_at_once(scheme, old)
            late = await scheme.credentials(stale=old)
        renewals = issuer.issued - before
        demand(renewals == 1, f"one rejected generation led to {renewals} renewals, not 1: compare it with the newest")
        generations = {_generation(answer) for answer in (*got, late)}
        demand(len(generations) == 1, f"after one renewal there are generations {sorted(generations)}")
        demand(generations > {old} or min(generations) > old, "the new generation must be above the rejected one")

    @needs("an issuer")
    async def test_many_who_wait_share_one_failure(
        self, table: Mapping[str, Any], environment: Environment, issuer: Issuer
    ) -> None:
        """When the server refuses, those who wait get that error and do not try one after the other."""
        config = build(self.spec, table)
        async with self._open(table, environment) as scheme:
            issuer.refuse()
            before = issuer.issued
            got = await _ask_at_once(scheme, None)
            asked = issuer.issued - before
            issuer.allow()
            recovered = await scheme.credentials()
        errors = [answer for answer in got if isinstance(answer, MloError)]
        demand(len(errors) == _CALLERS, f"the server refused, but {_CALLERS - len(errors)} callers got credentials")
        demand(asked == 1, f"{_CALLERS} callers at once asked a refusing server {asked} times: share the failure")
        leaks = leaks_in(texts_of(errors[0]), _secrets(config, recovered))
        demand(not leaks, f"the error shows a secret, after {leaks}")

    @needs("an issuer")
    async def test_a_cancelled_renewal_hands_over(
        self, table: Mapping[str, Any], environment: Environment, issuer: Issuer
    ) -> None:
        """When the caller who renews is cancelled, another one who waits takes over."""
        for suspension in range(1, 6):
            async with self._open(table, environment) as scheme:
                got = await _cancel_the_leader(scheme, suspension)
            demand(len(got) == 3, "callers who waited for a renewal that was cancelled got nothing")
        demand(issuer.issued, "the issuer was never asked: does the table lead to it?")

    @asynccontextmanager
    async def _open(self, table: Mapping[str, Any], environment: Environment) -> AsyncIterator[AuthScheme]:
        async with patient(), hosted(self.spec.open, build(self.spec, table), environment) as scheme:
            yield scheme


async def _ask_at_once(scheme: AuthScheme, stale: int | None) -> list[Credentials | MloError]:
    got: list[Credentials | MloError] = []

    async def ask() -> None:
        try:
            got.append(await scheme.credentials(stale))
        except MloError as error:
            got.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(_CALLERS):
            tasks.start_soon(ask)
    return got


async def _cancel_the_leader(scheme: AuthScheme, suspension: int) -> list[Credentials]:
    """What three callers get who wait for a fourth, who is cancelled where it waits for the time ``suspension``."""
    got: list[Credentials] = []
    ready = anyio.Event()
    leader = anyio.CancelScope()
    suspensions = 0

    def suspended() -> None:
        nonlocal suspensions
        suspensions += 1
        if suspensions == suspension:
            ready.set()

    async def lead() -> None:
        with leader:
            await Stepper(scheme.credentials(), suspended)
        ready.set()

    async def wait() -> None:
        got.append(await scheme.credentials())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await ready.wait()
        for _ in range(3):
            tasks.start_soon(wait)
        for _ in range(5):  # until they have come to where they wait
            await anyio.lowlevel.checkpoint()
        leader.cancel()
    return got


def _generation(answer: Credentials | MloError) -> int:
    if isinstance(answer, MloError):
        raise answer
    return answer.generation


def _check_credentials(credentials: object) -> None:
    if not isinstance(credentials, Credentials):
        fail(f"credentials() must return Credentials, not {type(credentials).__name__}")
    texts = [text for pair in credentials.headers.items() for text in pair]
    demand(all(type(text) is str for text in texts), "headers map str to str")
    bad = [name for name, value in credentials.headers.items() if "\n" in value or "\r" in value]
    demand(not bad, f"the header {bad} holds a line break")
    demand(credentials.generation >= 0, f"generation {credentials.generation} is negative")


def _secrets(config: object, credentials: Credentials) -> frozenset[str]:
    """Everything that authenticates: the secrets of the table, and what the headers hold beyond their scheme's name."""
    sent = (value.rpartition(" ")[2] for value in credentials.headers.values())
    return secrets_in(config) | frozenset(text for text in sent if len(text) > 5)
