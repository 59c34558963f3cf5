"""Assembles a gateway: router, accounts, limits, application. Everything is closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias, cast

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mlo import Router
from mlo.api import Observer
from mlo.errors import MloError
from mlo.settings import Settings
from mlo_gateway.accounts.first_key import first_key
from mlo_gateway.accounts.granted import Budgets
from mlo_gateway.accounts.opening import OpenAccounts, open_accounts
from mlo_gateway.anonymous import Anonymous
from mlo_gateway.app.application import GatewayApp, create_app
from mlo_gateway.contracts import Authenticator, Gateway
from mlo_gateway.control.lazily import LazyControl
from mlo_gateway.control.seams import Control, Reloaded
from mlo_gateway.limits.admission import Admission
from mlo_gateway.limits.background import beside

from .connections import Bounds
from .health import Checks, Exposition, Health
from .hints import Hints
from .limiting import Limiting, open_limiting
from .measuring import LedgerSource, MetricSink, Refusals, measure
from .observing import LEDGER, METRICS, named
from .places import data_folder, database_url
from .plan import Overrides, Plan

__all__ = ["Parts", "Reload", "budgets_of", "gateway_of", "observer_of", "open_parts"]

Reload: TypeAlias = Callable[[], Awaitable[Reloaded]]

_TICK = 0.01


@define(eq=False)
class Parts:
    """A gateway that is open. ``app`` is what a server serves; the rest is there to be looked after.

    ``first_key`` is the key that was made just now, if one was: its only showing; ``reload`` reads
    the configuration again, once there is somebody who does.
    """

    plan: Plan
    overrides: Overrides
    router: Router
    accounts: OpenAccounts | None
    first_key: str | None
    limiting: Limiting
    data_plane: GatewayApp
    admission: Admission
    checks: Checks
    bounds: Bounds
    refusals: Refusals
    app: Health

    reload: Reload | None = None
    _tasks: TaskGroup = field(kw_only=True)

    @property
    def authenticator(self) -> Authenticator:
        """Who tells who calls."""
        return _authenticator(self.accounts)

    def measure(self) -> None:
        """Show the gateway's own metrics in the observer that is open now."""
        gateway = self.data_plane.gateway
        if gateway.metrics is not None:
            sink, ledger = cast("MetricSink", gateway.metrics), cast("LedgerSource | None", gateway.ledger)
            measure(sink, self.admission, self.refusals, ledger)

    async def reload_router(self, settings: Settings) -> None:
        """Have further calls use ``settings``. What only former calls use is closed when they have ended.

        Raises:
            MloError: when the settings are wrong; then nothing has changed.
        """
        refused: list[MloError] = []
        decided = anyio.Event()

        async def reload() -> None:
            try:
                await self.router.reload(settings)
            except MloError as error:
                refused.append(error)
            decided.set()

        # the router returns only when the last former call has ended, which may be a long stream
        self._tasks.start_soon(reload)
        while not decided.is_set() and self.router.settings is not settings:  # noqa: ASYNC110 - as the router has it
            await anyio.sleep(_TICK)
        if refused:
            raise refused[0]


def _authenticator(accounts: OpenAccounts | None) -> Authenticator:
    return Anonymous() if accounts is None else accounts.ring


async def gateway_of(router: Router, plan: Plan, accounts: OpenAccounts | None, limiting: Limiting) -> Gateway:
    """What the data plane is made from."""
    return Gateway(
        router=router,
        authenticator=_authenticator(accounts),
        limiter=limiting.limiter,
        config=plan.config,
        ledger=await observer_of(router, LEDGER),
        metrics=await observer_of(router, METRICS),
    )


async def observer_of(router: Router, plugin: str) -> Observer | None:
    """The open observer of that plugin."""
    name = named(router.settings, plugin)
    return None if name is None else await router.observer(name)


async def budgets_of(router: Router) -> Budgets | None:
    """The ledger, which keeps the monthly limits that accounts set."""
    return cast("Budgets | None", await observer_of(router, LEDGER))


@asynccontextmanager
async def open_parts(plan: Plan, overrides: Overrides) -> AsyncIterator[Parts]:
    """Open everything.

    Raises:
        MloError: when something cannot be opened.
    """
    async with AsyncExitStack() as stack:
        # what it holds says who asked for what: nobody else's business
        await anyio.Path(data_folder(plan.settings, plan.config)).mkdir(mode=0o700, parents=True, exist_ok=True)
        hints, refusals = Hints(), Refusals()
        router = await stack.enter_async_context(Router(plan.settings, plugins=[hints]))
        limiting = await stack.enter_async_context(open_limiting(plan.config.limits, refusals))
        stack.callback(hints.join(router, limiting.signals))
        tasks = await stack.enter_async_context(beside())
        accounts = await _accounts(stack, plan, router, limiting)
        made = None if accounts is None else await first_key(accounts.accounts)
        gateway = await gateway_of(router, plan, accounts, limiting)

        async def reload() -> Reloaded:
            if parts.reload is None:
                raise MloError("the gateway is still being opened")
            return await parts.reload()

        control = None if accounts is None else _control(accounts, router, plan, reload)
        data_plane = create_app(gateway, control)
        admission = Admission(data_plane, plan.config.admission)
        checks, bounds = Checks(), Bounds(plan.config.serve)

        def metrics() -> Exposition | None:
            found = data_plane.gateway.metrics if bounds.config.shows_metrics else None
            return cast("Exposition | None", found)

        parts = Parts(
            plan=plan,
            overrides=overrides,
            router=router,
            accounts=accounts,
            first_key=None if made is None else made[1].text,
            limiting=limiting,
            data_plane=data_plane,
            admission=admission,
            checks=checks,
            bounds=bounds,
            refusals=refusals,
            app=Health(admission, checks, metrics),
            tasks=tasks,
        )
        parts.measure()
        yield parts


def _control(accounts: OpenAccounts, router: Router, plan: Plan, reload: Reload) -> LazyControl:
    return LazyControl(
        Control(
            accounts=accounts.accounts,
            ring=accounts.ring,
            router=router,
            config=plan.config.control,
            reload=reload,
        )
    )


async def _accounts(stack: AsyncExitStack, plan: Plan, router: Router, limiting: Limiting) -> OpenAccounts | None:
    if plan.config.auth == "off":
        return None
    url = database_url(plan.settings, plan.config)
    budgets = await budgets_of(router)
    return await stack.enter_async_context(open_accounts(url, plan.config, budgets=budgets, signals=limiting.signals))
