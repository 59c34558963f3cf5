"""What is logged, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import Attribute, field, frozen

__all__ = ["Level", "LogConfig", "RecordName", "RedactOptions"]

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

RecordName: TypeAlias = Literal[
    "call_started",
    "route_decided",
    "step_chosen",
    "attempt_started",
    "first_event",
    "event_seen",
    "attempt_failed",
    "attempt_finished",
    "call_finished",
    "breaker_changed",
    "config_reloaded",
]


def _share(_instance: object, attribute: Attribute[float], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{attribute.name}` must lie between 0 and 1, got {value!r}")


@frozen(kw_only=True)
class RedactOptions:
    """What is made unreadable beyond what looks like a credential.

    ``fields`` are masked whole: a name such as ``target`` wherever it stands, or a path such as ``error.message``.
    ``patterns`` are regular expressions; what they match in any text is masked.
    """

    fields: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@frozen(kw_only=True)
class LogConfig:
    """The options of a ``log`` observer.

    Lines go to the file at ``path``, else to standard error. ``level`` is the lowest one that is written; ``records``
    names the records to write instead, whatever their level. ``fields`` keeps only those fields of each line (the
    time, the level and the name always stay); ``add`` puts constant ones into every line. ``queue`` is how many lines
    may wait for a slow disk before further ones are dropped, and counted.

    ``sample`` is the share of calls whose lines are written; a call in which anything fails is always written, and
    always whole. ``redact`` masks more than credentials.

    Raises:
        ValueError: when ``sample`` is not a share.
    """

    path: str | None = None
    level: Level = "info"
    records: tuple[RecordName, ...] | None = None
    fields: tuple[str, ...] | None = None
    add: Mapping[str, str] = field(factory=dict)
    queue: int = 10_000
    sample: float = field(default=1.0, validator=_share)
    redact: RedactOptions = RedactOptions()
