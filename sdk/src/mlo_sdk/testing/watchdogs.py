"""Notices input, output and waiting in code that should only think."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["noticing"]

_local = threading.local()
_installed = threading.Lock()
_hooked: list[bool] = []


def _hook(event: str, _arguments: tuple[Any, ...]) -> None:
    wanted = getattr(_local, "wanted", None)
    if wanted is not None and event.startswith(wanted):
        _local.seen.append(event)


@contextmanager
def noticing(*events: str) -> Iterator[list[str]]:
    """The audit events of this thread whose names begin with one of ``events``, while the block runs.

    An audit hook cannot be taken away again: one is left behind, which does nothing outside such blocks.
    """
    with _installed:
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked.append(True)
    seen: list[str] = []
    _local.seen, _local.wanted = seen, events
    profiler = sys.getprofile()
    if "time.sleep" in events:  # an audit event of its own only from Python 3.13 on
        sys.setprofile(lambda _frame, _event, what: seen.append("time.sleep") if what is time.sleep else None)
    try:
        yield seen
    finally:
        sys.setprofile(profiler)
        _local.wanted = None
