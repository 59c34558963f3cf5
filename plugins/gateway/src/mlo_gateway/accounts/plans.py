"""Which plans there are: those of the package, of the database and of the configuration; the latter win."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

import attrs
from attrs import field, frozen

from mlo_ledger.pricing.amounts import plain

from .config import PlanConfig

__all__ = ["Catalogue", "Plan", "PlanSource", "budget_of", "packaged_plans", "terms_from", "terms_in"]

PlanSource: TypeAlias = Literal["package", "database", "configuration"]


@frozen(kw_only=True)
class Plan:
    """A plan: its terms, and where they are written down."""

    name: str
    terms: PlanConfig
    source: PlanSource


@frozen(kw_only=True)
class Catalogue:
    """The plans of the package and the configuration; those of the database come in by :meth:`with_stored`.

    ``default`` is the plan of projects for which nobody chose one.
    """

    default: str = "enterprise"
    configured: Mapping[str, PlanConfig] = field(factory=dict)
    stored: Mapping[str, PlanConfig] = field(factory=dict)

    def with_stored(self, stored: Mapping[str, PlanConfig]) -> Catalogue:
        """The same with these plans of the database."""
        return attrs.evolve(self, stored=stored)

    def plans(self) -> dict[str, Plan]:
        """All plans by name, sorted."""
        sources: tuple[tuple[PlanSource, Mapping[str, PlanConfig]], ...] = (
            ("package", packaged_plans()),
            ("database", self.stored),
            ("configuration", self.configured),
        )
        found = {
            name: Plan(name=name, terms=terms, source=source)
            for source, each in sources
            for name, terms in each.items()
        }
        return dict(sorted(found.items()))

    def get(self, name: str) -> Plan | None:
        """The plan called ``name``."""
        if name in self.configured:
            return Plan(name=name, terms=self.configured[name], source="configuration")
        if name in self.stored:
            return Plan(name=name, terms=self.stored[name], source="database")
        terms = packaged_plans().get(name)
        return None if terms is None else Plan(name=name, terms=terms, source="package")


@cache
def packaged_plans() -> Mapping[str, PlanConfig]:
    """The plans that come with this package."""
    document = tomllib.loads(files(__package__).joinpath("plans.toml").read_text(encoding="utf-8"))
    return {name: PlanConfig(**table) for name, table in document["plans"].items()}


def budget_of(amount: str | None) -> int | None:
    """An amount of roubles, as text, in nano-roubles."""
    return None if amount is None else plain(amount)


def terms_in(text: str) -> PlanConfig:
    """The terms that :func:`terms_from` wrote."""
    return PlanConfig(**json.loads(text))


def terms_from(terms: PlanConfig) -> str:
    """The terms as JSON."""
    return json.dumps(attrs.asdict(terms), ensure_ascii=False, sort_keys=True)
