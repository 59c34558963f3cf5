"""Acts on plans that are kept in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import delete, select, update

from .acting import Acting, Looking
from .config import PlanConfig
from .ending import touch_keys
from .errors import conflict, missing
from .fields import checked_name, checked_title
from .plans import Plan, packaged_plans, terms_from
from .records import Place
from .schema import api_key, plan, project

__all__ = ["drop_plan", "find_plan", "set_plan"]

_KIND = "plan"


def find_plan(look: Looking, name: str) -> Plan:
    """The plan called ``name``.

    Raises:
        ActRefused: ``missing``.
    """
    if name not in look.plans:
        raise missing(_KIND, name)
    return look.plans[name]


def set_plan(act: Acting, name: str, terms: PlanConfig) -> Plan:
    """Write down a plan: a new one, or other terms of one that the configuration does not fix.

    Raises:
        ActRefused: ``invalid``, ``denied`` or ``conflict``.
    """
    act.demand("plans", Place(), kind=_KIND, name=name)
    checked_name("name", name)
    checked_title("title", terms.title)
    before = act.plans.get(name)
    _demand_free(name, before)
    kept = {"terms": terms_from(terms), "changed": act.now}
    if not act.connection.execute(update(plan).where(plan.c.name == name).values(kept)).rowcount:
        act.connection.execute(plan.insert().values(name=name, **kept))
    _touch(act, name)
    act.record("plan.set", name, Place(), before=_facts(before), after=attrs.asdict(terms))
    return Plan(name=name, terms=terms, source="database")


def drop_plan(act: Acting, name: str) -> None:
    """Forget the terms in the database. A plan of the package gets its own back; another one must not be in use.

    Raises:
        ActRefused: ``missing``, ``denied`` or ``conflict``.
    """
    act.demand("plans", Place(), kind=_KIND, name=name)
    before = find_plan(act, name)
    _demand_free(name, before)
    if before.source != "database":
        raise conflict(f"the plan {name!r} comes with the gateway")
    users = select(project.c.name).where(project.c.plan == name, project.c.closed.is_(None)).limit(1)
    if name not in packaged_plans():
        user = act.connection.execute(users).scalar_one_or_none()
        if user is not None or name == act.default_plan:
            whose = f"the project {user!r}" if user is not None else "new projects"
            raise conflict(f"the plan {name!r} is still that of {whose}")
    act.connection.execute(delete(plan).where(plan.c.name == name))
    _touch(act, name)
    act.record("plan.drop", name, Place(), before=_facts(before), after={})


def _demand_free(name: str, found: Plan | None) -> None:
    if found is not None and found.source == "configuration":
        raise conflict(f"the plan {name!r} is set by the configuration, in [gateway.plans.{name}]")


def _touch(act: Acting, name: str) -> None:
    touch_keys(act, api_key.c.project.in_(select(project.c.name).where(project.c.plan == name)))


def _facts(found: Plan | None) -> Mapping[str, Any]:
    return {} if found is None else attrs.asdict(found.terms)
