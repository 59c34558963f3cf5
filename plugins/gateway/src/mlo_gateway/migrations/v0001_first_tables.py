"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "v0001"
down_revision = None


def _gateway_state() -> None:
    table = op.create_table(
        "gateway_state",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1", name="gateway_state_one_row"), primary_key=True),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("audit_seq", sa.BigInteger(), nullable=False),
        sa.Column("audit_head", sa.String(64), nullable=False),
    )
    op.bulk_insert(table, [{"id": 1, "change": 0, "audit_seq": 0, "audit_head": "0" * 64}])


def _organization() -> None:
    op.create_table(
        "organization",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger()),
    )


def _project() -> None:
    op.create_table(
        "project",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("organization", sa.String(63), sa.ForeignKey("organization.name"), nullable=False),
        sa.Column("plan", sa.String(63), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger()),
    )
    op.create_index("project_organization", "project", ["organization"])


def _plan() -> None:
    op.create_table(
        "plan",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
    )


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("organization", sa.String(63), sa.ForeignKey("organization.name"), nullable=False),
        sa.Column("project", sa.String(63), sa.ForeignKey("project.name")),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger()),
    )
    op.create_index("member_organization", "member", ["organization"])


def _api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("project", sa.String(63), sa.ForeignKey("project.name"), nullable=False),
        sa.Column("reach", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("member", sa.String(32), sa.ForeignKey("member.id")),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("models", sa.Text()),
        sa.Column("requests_minute", sa.BigInteger()),
        sa.Column("tokens_minute", sa.BigInteger()),
        sa.Column("concurrency", sa.BigInteger()),
        sa.Column("requests_month", sa.BigInteger()),
        sa.Column("budget", sa.BigInteger()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        sa.Column("rotated_from", sa.String(32), sa.ForeignKey("api_key.id"), unique=True),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.create_index("api_key_project", "api_key", ["project"])
    op.create_index("api_key_generation", "api_key", ["generation"])


def _audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("organization", sa.String(63)),
        sa.Column("project", sa.String(63)),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("audit_event_organization", "audit_event", ["organization", "seq"])
    op.create_index("audit_event_project", "audit_event", ["project", "seq"])


def upgrade() -> None:
    """Make them."""
    _gateway_state()
    _organization()
    _project()
    _plan()
    _member()
    _api_key()
    _audit_event()


def downgrade() -> None:
    """Drop them, with all that is in them."""
    for table in ["audit_event", "api_key", "member", "plan", "project", "organization", "gateway_state"]:
        op.drop_table(table)
