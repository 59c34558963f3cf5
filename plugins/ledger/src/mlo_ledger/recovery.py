"""Journals whose owners are gone: what they hold comes into the database, exactly once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from .database import Database
from .entries import settlement_of, unfinished
from .events import Settlement
from .journal import owners_gone, read_journal, remove_journal
from .leasing import forget_owner
from .settling import settle

__all__ = ["recover"]

_BATCH = 500


def recover(database: Database, folder: Path) -> int:
    """Take over all journals in ``folder`` whose owners live no more; how many calls had begun and not ended.

    It may be interrupted at any moment and begun again: nothing counts twice.

    Raises:
        DatabaseUnavailable: when the database does not serve; the journals stay.
    """
    count = 0
    for owner, lock in owners_gone(folder):
        try:
            count += _recovered(database, folder, owner)
        finally:
            os.close(lock)
    return count


def _recovered(database: Database, folder: Path, owner: str) -> int:
    open_ones = unfinished(read_journal(folder, owner), owner)
    ended = (found for said in read_journal(folder, owner) if (found := settlement_of(said)) is not None)
    for batch in _batches(chain(ended, open_ones)):
        database.write_now(lambda connection, batch=batch: settle(connection, batch))  # type: ignore[misc]  # bound now
    database.write_now(lambda connection: forget_owner(connection, owner))
    remove_journal(folder, owner)
    return len(open_ones)


def _batches(settlements: Iterator[Settlement]) -> Iterator[list[Settlement]]:
    while batch := list(islice(settlements, _BATCH)):
        yield batch
