"""Ledgers with known contents, for tests of reports and commands: rows by hand, stored by the ledger's own writer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from mlo.models import Price
from mlo_ledger.database import Database
from mlo_ledger.events import COLUMNS, Settlement
from mlo_ledger.pricing import PriceRow, cost_of, price_id
from mlo_ledger.reports.stored_prices import import_prices
from mlo_ledger.settling import settle

RUBLE = 10**9
PRICE = PriceRow(
    provider="gigachat",
    model="GigaChat-2",
    valid_from=0,
    price=Price(prompt=65 * RUBLE, completion=130 * RUBLE, cached=0, source="tariffs", checked_on="2026-10-07"),
)
_numbers = count(1)
_DEFAULTS: Mapping[str, Any] = {
    "attempt": 1,
    "final": 1,
    "nested": 0,
    "depth": 0,
    "route": "default",
    "operation": "chat",
    "target": "main",
    "provider": "main",
    "plugin": "gigachat",
    "model_asked": "GigaChat-2",
    "status": "ok",
    "usage_source": "vendor",
    "requests": 1,
    "held_nano": 0,
    "attempts": 1,
}


def at(text: str) -> int:
    """Microseconds since 1970 of a time in Moscow."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Moscow")).timestamp()) * 1_000_000


def event(time: str, *, prompt: int | None = None, completion: int | None = None, **fields: Any) -> list[Any]:
    """An event whose tokens cost what PRICE says; unless `cost_nano` or `price_id` are given, or they are unknown."""
    number = next(_numbers)
    found = {**_DEFAULTS, "id": f"call-{number}/1", "call_id": f"call-{number}", "writer": "w", "seq": number}
    found |= {"ts": at(time), "prompt_tokens": prompt, "completion_tokens": completion}
    cost = cost_of(PRICE.price, prompt=prompt, completion=completion, cached=fields.get("cached_tokens"))
    if cost is not None:
        found |= {"cost_nano": cost, "currency": "RUB", "price_id": price_id(PRICE)}
    found |= fields
    return [found.get(column) for column in COLUMNS]


def write(database: Database, *rows: list[Any]) -> None:
    """Settle events, and import PRICE."""

    def work(connection: Connection) -> None:
        import_prices(connection, [PRICE])
        settle(connection, [Settlement(rows=(row,)) for row in rows])

    database.write_now(work)


def month_of_calls() -> list[list[Any]]:
    """Some calls of November 2026."""
    return [
        event("2026-11-01T00:10", prompt=1000, completion=500, project="shop", organization="o"),
        event("2026-11-01T23:59", prompt=2000, completion=100, cached_tokens=1000, project="shop", organization="o"),
        event("2026-11-02T00:00", prompt=10, completion=1, project="bot", key_id="k1", usage_source="estimated"),
        event("2026-11-02T12:00", project="bot", key_id="k1", usage_source=None),
        event("2026-11-02T12:30", project="bot", key_id="k2", status="error", usage_source=None, error="ServerFault"),
        event("2026-11-03T09:00", project="bot", status="indeterminate", usage_source=None),
        event(
            "2026-11-03T10:00", prompt=5, completion=5, provider="own", price_id="vendor", cost_nano=7, currency="USD"
        ),
    ]
