"""The options of the ledger, as ``mlo.toml`` has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import Attribute, field, frozen, validators

from mlo.secret import Secret

from .limits import Overage

__all__ = ["BudgetConfig", "LedgerConfig"]

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")
_AT_LEAST_0 = validators.ge(0)
_AT_LEAST_1 = validators.ge(1)


def _check_zone(_budget: BudgetConfig, attribute: Attribute[str], value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"{attribute.name}: there is no time zone {value!r}, take one such as Europe/Moscow"
        raise ValueError(msg) from error


@frozen(kw_only=True)
class BudgetConfig:
    """What one project, key or organization, or all calls together, may use.

    Exactly one of ``project``, ``key``, ``organization`` names it; ``*`` stands for all calls together. ``requests``
    and ``roubles`` are per ``period``; ``roubles`` is text such as ``"199.90"``, so that it stays exact.
    """

    project: str | None = None
    key: str | None = None
    organization: str | None = None
    requests: int | None = field(default=None, validator=validators.optional(_AT_LEAST_0))
    roubles: str | None = None
    period: Literal["month", "day"] = "month"
    time_zone: str = field(default="Europe/Moscow", validator=_check_zone)
    overage: Overage = "block"


def _budgets(budgets: Iterable[BudgetConfig]) -> tuple[BudgetConfig, ...]:
    return tuple(budgets)


@frozen(kw_only=True)
class LedgerConfig:
    """The options of a ``ledger`` observer.

    ``url`` is the database: ``sqlite:///ledger.db`` or ``postgresql://user@host/name``, its ``password`` a reference.
    ``journal`` is a folder on a disk of this machine, where every call is written down before the database has it; the
    default is ``FILE.journal`` beside a SQLite file, else ``ledger-journal``.

    ``policy``: ``strict`` refuses calls that cannot be accounted for: when the journal cannot be written, or
    ``strict_grace`` seconds after the database has gone. ``best-effort`` lets them go on and writes them down later, as
    far as ``journal_limit`` bytes reach; what is lost beyond is counted.

    ``estimate`` counts tokens by the length of texts where a vendor reports none; else they stay unknown.
    ``default_completion`` is how many tokens of an answer a budget reserves when the request names no ``max_tokens``.
    ``features``: what is kept of prompts: nothing, ``counts`` (tokens, language), or also a keyed ``hash``, for which
    ``features_key`` is needed. ``keep_days`` is how long single events are kept; sums by hour stay for ever.
    ``migrate`` makes and updates the tables on opening.
    """

    url: str = field(default="sqlite:///ledger.db", repr=False)
    password: Secret | None = None
    journal: str | None = None
    policy: Literal["strict", "best-effort"] = "best-effort"
    strict_grace: float = field(default=30.0, validator=validators.ge(0.0))
    journal_limit: int = field(default=1_000_000_000, validator=_AT_LEAST_1)
    budgets: tuple[BudgetConfig, ...] = field(default=(), converter=_budgets)
    estimate: bool = True
    default_completion: int = field(default=1_000, validator=_AT_LEAST_0)
    features: Literal["off", "counts", "hash"] = "off"
    features_key: Secret | None = None
    keep_days: int | None = field(default=None, validator=validators.optional(_AT_LEAST_1))
    migrate: bool = True

    @property
    def folder(self) -> Path:
        """The folder of the journal."""
        if self.journal is not None:
            return Path(self.journal)
        file = _SQLITE.match(self.url)
        return Path("ledger-journal" if file is None else f"{file[1]}.journal")
