"""What ``mlo-ledger`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from mlo.api import DoctorContext, Environment, Finding, Observer, ObserverSpec
from mlo.hookspecs import hookimpl

from .config import LedgerConfig

__all__ = ["mlo_api", "mlo_doctor", "mlo_observers"]

mlo_api = (1, 0)


def _open(config: LedgerConfig, environment: Environment) -> AbstractAsyncContextManager[Observer]:
    from .opening import open_ledger  # noqa: PLC0415 - loading a plugin must not import SQLAlchemy

    return open_ledger(config, environment)


@hookimpl
def mlo_observers() -> Iterable[ObserverSpec[LedgerConfig]]:
    """The observer ``ledger``."""
    summary = "Accounts for every call in roubles, and holds budgets"
    yield ObserverSpec(name="ledger", config=LedgerConfig, summary=summary, open=_open)


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Journals left behind, a database that is not there, prices that nobody knows."""
    from .doctor import findings_of  # noqa: PLC0415 - as above

    for instance in context.instances:
        if isinstance(instance.config, LedgerConfig):
            yield from findings_of(instance.config, instance.path)
