"""Journals whose owners are gone: what they hold comes into the database, exactly once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from sqlalchemy.exc import ProgrammingError

from .database import Database
from .entries import settlement_of, unfinished
from .errors import DatabaseUnavailable
from .events import Settlement
from .journal import owners_gone, read_journal, remove_journal
from .leasing import forget_owner
from .retention import without_deleted
from .settling import settle

__all__ = ["recover"]

_log = logging.getLogger("mlo")
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
    refused = sum(_settled(database, batch) for batch in _batches(chain(ended, open_ones)))
    database.write_now(lambda connection: forget_owner(connection, owner))
    remove_journal(folder, owner, keep_files=bool(refused))
    return len(open_ones)


def _settled(database: Database, batch: list[Settlement]) -> int:
    """Write a batch down; how many the database refuses, which do not hold up the others."""
    try:
        database.write_now(lambda connection: settle(connection, without_deleted(connection, batch)))
    except ProgrammingError as error:
        raise DatabaseUnavailable(f"the database has other tables than this code: {error}") from error
    except database.rejections:
        if len(batch) > 1:
            return sum(_settled(database, [each]) for each in batch)
        _log.exception("the ledger's database refuses call %s; it stays in its file", batch[0].rows[0][0])
        return 1
    return 0


def _batches(settlements: Iterator[Settlement]) -> Iterator[list[Settlement]]:
    while batch := list(islice(settlements, _BATCH)):
        yield batch
