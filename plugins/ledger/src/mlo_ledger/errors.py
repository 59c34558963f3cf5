"""What can go wrong with the ledger's database."""

from __future__ import annotations

from mlo.errors import MloError

__all__ = ["DatabaseUnavailable", "SchemaMissing", "SchemaTooNew"]


class DatabaseUnavailable(MloError):
    """The database cannot be reached, or cannot do what is asked of it now: locked, full, read-only, going down."""


class SchemaMissing(MloError):
    """The database has no tables of ours, or older ones than the code needs."""


class SchemaTooNew(MloError):
    """The tables were made by a newer version of the code than this one."""
