"""Assembles a gateway: configuration, router, accounts, limits, application. Everything is closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import attrs
from anyio.abc import TaskGroup
from attrs import define, frozen

from mlo import Router
from mlo.api import Observer
from mlo.errors import ConfigError, MloError
from mlo.settings import Settings, section
from mlo_gateway.accounts.first_key import first_key
from mlo_gateway.accounts.keyring import Budgets
from mlo_gateway.accounts.opening import OpenAccounts, open_accounts
from mlo_gateway.anonymous import Anonymous
from mlo_gateway.app.application import GatewayApp, create_app
from mlo_gateway.config import GatewayConfig
from mlo_gateway.contracts import Authenticator, Gateway
from mlo_gateway.limits.admission import Admission
from mlo_gateway.limits.background import beside

from .certificates import check_certificate
from .config import ServeConfig
from .connections import Bounds
from .health import Checks, Exposition, Health, Verdict
from .limiting import Limiting, open_limiting
from .observing import LEDGER, METRICS, named, with_demo, with_observers
from .places import data_folder, database_url

__all__ = ["Overrides", "Parts", "Plan", "open_parts", "read_plan"]

_TICK = 0.01


@frozen(kw_only=True)
class Overrides:
    """What the command line says, and the configuration does not."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    auth: str | None = None

    def applied_to(self, config: GatewayConfig) -> GatewayConfig:
        """The configuration with the command line's last word."""
        given = {"host": self.host, "port": self.port, "workers": self.workers}
        serve = attrs.evolve(config.serve, **{name: value for name, value in given.items() if value is not None})
        return attrs.evolve(config, serve=serve, auth=self.auth or config.auth)


@frozen(kw_only=True)
class Plan:
    """The configuration, read and checked. ``demo`` says that the provider is made up."""

    settings: Settings
    config: GatewayConfig
    demo: bool


def read_plan(overrides: Overrides) -> Plan:
    """Read the configuration file that ``MLO_CONFIG`` and ``MLO_PROFILE`` name, and complete what it leaves out.

    Raises:
        ConfigError: when it is wrong, or asks for a gateway without keys that others can reach.
    """
    found = Router.from_file().settings
    config = overrides.applied_to(section(found, "gateway", GatewayConfig))
    if config.auth == "off" and not config.serve.is_local:
        hint = 'set host = "127.0.0.1", or auth = "keys"'
        reason = f"without keys anybody who reaches {config.serve.host} could use the gateway"
        raise ConfigError("gateway.auth", reason, hint=hint, source=found.source)
    config = attrs.evolve(config, serve=_with_paths(found, config.serve))
    check_certificate(config.serve)
    settings = with_observers(with_demo(found), ledger_options(found, config))
    return Plan(settings=settings, config=config, demo=not found.providers)


def _with_paths(settings: Settings, serve: ServeConfig) -> ServeConfig:
    """The same with files looked for beside the configuration file."""
    if serve.tls_cert is None or serve.tls_key is None:
        return serve
    base = Path.cwd() if settings.source is None else Path(settings.source).absolute().parent
    return attrs.evolve(serve, tls_cert=str(base / serve.tls_cert), tls_key=str(base / serve.tls_key))


def ledger_options(settings: Settings, config: GatewayConfig) -> dict[str, str]:
    """The options of the ledger where it is not configured."""
    # whatever begins like a reference is meant literally here
    url = database_url(settings, config).reveal()
    return {"url": f"literal:{url}", "journal": f"literal:{data_folder(settings, config) / 'journal'}"}


@define(eq=False)
class Parts:
    """A gateway that is open. ``app`` is what a server serves; the rest is there to be looked after.

    ``first_key`` is the key that was made just now, if one was: its only showing.
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
    app: Health

    _tasks: TaskGroup

    @property
    def authenticator(self) -> Authenticator:
        """Who tells who calls."""
        return _authenticator(self.accounts)

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
        ledger=await _observer(router, LEDGER),
        metrics=await _observer(router, METRICS),
    )


async def _observer(router: Router, plugin: str) -> Observer | None:
    name = named(router.settings, plugin)
    return None if name is None else await router.observer(name)


@asynccontextmanager
async def open_parts(plan: Plan, overrides: Overrides) -> AsyncIterator[Parts]:
    """Open everything.

    Raises:
        MloError: when something cannot be opened.
    """
    async with AsyncExitStack() as stack:
        # what it holds says who asked for what: nobody else's business
        await anyio.Path(data_folder(plan.settings, plan.config)).mkdir(mode=0o700, parents=True, exist_ok=True)
        router = await stack.enter_async_context(Router(plan.settings))
        limiting = await stack.enter_async_context(open_limiting(plan.config.limits))
        accounts = await _accounts(stack, plan, router, limiting)
        made = None if accounts is None else await first_key(accounts.accounts)
        tasks = await stack.enter_async_context(beside())
        gateway = await gateway_of(router, plan, accounts, limiting)
        data_plane = create_app(gateway)
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
            app=Health(admission, checks, metrics),
            tasks=tasks,
        )
        _add_checks(parts)
        yield parts


async def _accounts(stack: AsyncExitStack, plan: Plan, router: Router, limiting: Limiting) -> OpenAccounts | None:
    if plan.config.auth == "off":
        return None
    url = database_url(plan.settings, plan.config)
    budgets = cast("Budgets | None", await _observer(router, LEDGER))
    return await stack.enter_async_context(open_accounts(url, plan.config, budgets=budgets, signals=limiting.signals))


def _add_checks(parts: Parts) -> None:
    async def router() -> Verdict:
        return Verdict(ok=parts.router.is_open, state="open" if parts.router.is_open else "closed")

    async def limits() -> Verdict:
        # replicas that count alone still serve
        return Verdict(ok=True, state=parts.limiting.state)

    parts.checks.add("router", router)
    parts.checks.add("limits", limits)
    if (opened := parts.accounts) is not None:

        async def accounts() -> Verdict:
            # keys in memory go on opening while the database is away
            away = opened.ring.state.away_since is not None
            return Verdict(ok=True, state="database away: keys in memory go on working" if away else "reachable")

        parts.checks.add("accounts", accounts)
