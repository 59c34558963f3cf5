"""The garbage collector of a process that serves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["rare_collections", "spare_start"]

_ALLOCATIONS = 10_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage less often within the block: what a request leaves behind is nearly all freed by counting."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def spare_start() -> None:
    """Never look again at what is there now: modules, classes and configuration stay until the end."""
    gc.freeze()
