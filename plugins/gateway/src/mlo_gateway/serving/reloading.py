"""A new configuration for a gateway that goes on serving: streams under way end as they began."""

from __future__ import annotations

import logging

import anyio
from attrs import evolve, frozen

from mlo.errors import MloError
from mlo_gateway.accounts.opening import catalogue_of
from mlo_gateway.data.names import Names

from .config import ServeConfig
from .parts import Parts, budgets_of, gateway_of
from .plan import Plan, read_plan

__all__ = ["ReloadReport", "Reloader"]

_LOG = logging.getLogger("mlo.gateway")
# what a socket or a connection to Redis was made from stays as it is until a restart
_FIXED = ("host", "port", "workers", "reuse_port", "trusted_proxies", "idle_timeout", "tls_cert", "tls_key")


@frozen(kw_only=True)
class ReloadReport:
    """What a reload came to: ``error`` is why the old configuration stays, ``ignored`` what needs a restart."""

    error: str = ""
    ignored: tuple[str, ...] = ()


class Reloader:
    """Reads the configuration again, one reload at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = anyio.Lock()
        self._last = ReloadReport()

    @property
    def last(self) -> ReloadReport:
        """What the latest reload came to."""
        return self._last

    async def reload(self) -> ReloadReport:
        """Let further requests use the configuration as it is now in the file. A wrong one changes nothing."""
        async with self._turn:
            try:
                plan = read_plan(self._parts.overrides)
                await self._use(plan)
            except (MloError, OSError) as error:
                _LOG.warning("the configuration stays as it was: %s", error)
                self._last = ReloadReport(error=str(error))
            else:
                ignored = _ignored(self._parts.plan, plan)
                for name in ignored:
                    _LOG.warning("%s takes effect after a restart", name)
                self._last = ReloadReport(ignored=ignored)
                self._parts.plan = plan
                _LOG.info("configuration reloaded")
            return self._last

    async def _use(self, plan: Plan) -> None:
        parts, config = self._parts, plan.config
        _check(plan)  # before anything has changed
        await parts.reload_router(plan.settings)
        if parts.accounts is not None:
            await parts.accounts.use(config, await budgets_of(parts.router))
        parts.limiting.limiter.reconfigure(config.limits)
        parts.data_plane.use(await gateway_of(parts.router, plan, parts.accounts, parts.limiting))
        parts.measure()
        parts.admission.use(config.admission)
        parts.bounds.config = _merged(parts.bounds.config, config.serve)


def _check(plan: Plan) -> None:
    """See that the data plane and the accounts can go by the plan.

    Raises:
        ConfigError: when they cannot.
    """
    Names(plan.settings.providers, {*plan.settings.routes, "default"}, plan.config.aliases)
    catalogue_of(plan.config)


def _merged(old: ServeConfig, new: ServeConfig) -> ServeConfig:
    return evolve(new, **{name: getattr(old, name) for name in _FIXED})


def _ignored(old: Plan, new: Plan) -> tuple[str, ...]:
    before, after = old.config, new.config
    names = [f"gateway.serve.{name}" for name in _FIXED if getattr(before.serve, name) != getattr(after.serve, name)]
    pairs = {
        "gateway.auth": (before.auth, after.auth),
        "gateway.database": (before.database, after.database),
        "gateway.folder": (before.folder, after.folder),
        "gateway.limits.redis": (before.limits.redis, after.limits.redis),
    }
    return (*names, *(name for name, (one, other) in pairs.items() if one != other))
