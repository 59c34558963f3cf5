"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "v0001"
down_revision = None


def _ledger_meta() -> None:
    op.create_table(
        "ledger_meta",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )


def _price() -> None:
    op.create_table(
        "price",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("prompt", sa.BigInteger(), nullable=False),
        sa.Column("completion", sa.BigInteger(), nullable=False),
        sa.Column("cached", sa.BigInteger()),
        sa.Column("tool", sa.BigInteger()),
        sa.Column("reasoning", sa.BigInteger()),
        sa.Column("request", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("checked_on", sa.Text()),
        sa.Column("vat", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
    )
    op.create_index("price_model", "price", ["model", "provider", "valid_from"])


def _quota_lease() -> None:
    op.create_table(
        "quota_lease",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("nano", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.SmallInteger(), nullable=False),
    )
    op.create_index("quota_lease_owner", "quota_lease", ["owner"])
    op.create_index("quota_lease_window", "quota_lease", ["scope", "period", "zone"])


def _quota_window() -> None:
    op.create_table(
        "quota_window",
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.Column("period", sa.Text(), primary_key=True),
        sa.Column("zone", sa.Text(), primary_key=True),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("resets", sa.BigInteger(), nullable=False),
        sa.Column("limit_requests", sa.BigInteger()),
        sa.Column("limit_nano", sa.BigInteger()),
        sa.Column("overage", sa.Text(), nullable=False),
        sa.Column("used_requests", sa.BigInteger(), nullable=False),
        sa.Column("used_nano", sa.BigInteger(), nullable=False),
        sa.Column("doubtful_requests", sa.BigInteger(), nullable=False),
        sa.Column("doubtful_nano", sa.BigInteger(), nullable=False),
        sa.Column("reserved_requests", sa.BigInteger(), nullable=False),
        sa.Column("reserved_nano", sa.BigInteger(), nullable=False),
        sa.Column("recalled", sa.BigInteger(), nullable=False),
    )


def _usage_event() -> None:
    op.create_table(
        "usage_event",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("final", sa.SmallInteger(), nullable=False),
        sa.Column("nested", sa.SmallInteger(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text()),
        sa.Column("organization", sa.Text()),
        sa.Column("project", sa.Text()),
        sa.Column("key_id", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("trace_id", sa.Text()),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("target", sa.Text()),
        sa.Column("provider", sa.Text()),
        sa.Column("plugin", sa.Text()),
        sa.Column("model_asked", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("region", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("prompt_tokens", sa.BigInteger()),
        sa.Column("completion_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("tool_tokens", sa.BigInteger()),
        sa.Column("usage_source", sa.Text()),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("cost_nano", sa.BigInteger()),
        sa.Column("held_nano", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text()),
        sa.Column("price_id", sa.Text()),
        sa.Column("latency_us", sa.BigInteger()),
        sa.Column("ttfc_us", sa.BigInteger()),
        sa.Column("queued_us", sa.BigInteger()),
        sa.Column("attempts", sa.Integer()),
        sa.Column("decision", sa.Text()),
        sa.Column("features", sa.Text()),
    )
    op.create_index("usage_event_ts", "usage_event", ["ts"])


def _usage_hour() -> None:
    op.create_table(
        "usage_hour",
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("organization", sa.Text(), primary_key=True),
        sa.Column("project", sa.Text(), primary_key=True),
        sa.Column("key_id", sa.Text(), primary_key=True),
        sa.Column("provider", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("route", sa.Text(), primary_key=True),
        sa.Column("status", sa.Text(), primary_key=True),
        sa.Column("currency", sa.Text(), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("tool_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=False),
        sa.Column("held_nano", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("latency_us", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def upgrade() -> None:
    """Make them."""
    _ledger_meta()
    _price()
    _quota_lease()
    _quota_window()
    _usage_event()
    _usage_hour()


def downgrade() -> None:
    """Drop them, with all that is in them."""
    for table in ["ledger_meta", "price", "quota_lease", "quota_window", "usage_event", "usage_hour"]:
        op.drop_table(table)
