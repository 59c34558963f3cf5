"""What is logged, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

__all__ = ["Level", "LogConfig", "RecordName"]

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

RecordName: TypeAlias = Literal[
    "call_started",
    "route_decided",
    "attempt_started",
    "first_event",
    "event_seen",
    "attempt_failed",
    "attempt_finished",
    "call_finished",
    "breaker_changed",
    "config_reloaded",
]


@frozen(kw_only=True)
class LogConfig:
    """The options of a ``log`` observer.

    Lines go to the file at ``path``, else to standard error. ``level`` is the lowest one that is written; ``records``
    names the records to write instead, whatever their level. ``fields`` keeps only those fields of each line (the
    time, the level and the name always stay); ``add`` puts constant ones into every line. ``queue`` is how many lines
    may wait for a slow disk before further ones are dropped, and counted.
    """

    path: str | None = None
    level: Level = "info"
    records: tuple[RecordName, ...] | None = None
    fields: tuple[str, ...] | None = None
    add: Mapping[str, str] = field(factory=dict)
    queue: int = 10_000
