"""Runs migrations on the connection, and in the transaction, that :mod:`mlo_ledger.migrate` hands over."""

from __future__ import annotations

from alembic import context

_given = context.config.attributes
context.configure(
    connection=_given["connection"],
    version_table=_given["version_table"],
    render_as_batch=True,  # SQLite alters no column in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
