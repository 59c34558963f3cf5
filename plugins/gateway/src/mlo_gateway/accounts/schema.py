"""The tables of accounts, the same on SQLite and PostgreSQL. All times are integer microseconds UTC.

``gateway_state`` has one row. Every administrative act begins by raising its ``change``: the row's lock makes acts
follow one another, also between replicas, so that what an act has read still holds when it writes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = ["api_key", "audit_event", "gateway_state", "member", "metadata", "organization", "plan", "project"]

metadata = MetaData()

_NAME = 63
_TITLE = 200
_ID = 32

gateway_state = Table(
    "gateway_state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="gateway_state_one_row"), primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("audit_seq", BigInteger, nullable=False),
    Column("audit_head", String(64), nullable=False),
)

organization = Table(
    "organization",
    metadata,
    Column("name", String(_NAME), primary_key=True),
    Column("title", String(_TITLE), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("closed", BigInteger),
)

project = Table(
    "project",
    metadata,
    Column("name", String(_NAME), primary_key=True),
    Column("organization", String(_NAME), ForeignKey("organization.name"), nullable=False),
    Column("plan", String(_NAME), nullable=False),
    Column("title", String(_TITLE), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Index("project_organization", "organization"),
)

plan = Table(
    "plan",
    metadata,
    Column("name", String(_NAME), primary_key=True),
    Column("terms", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

member = Table(
    "member",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("organization", String(_NAME), ForeignKey("organization.name"), nullable=False),
    Column("project", String(_NAME), ForeignKey("project.name")),
    Column("name", String(_TITLE), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("removed", BigInteger),
    Index("member_organization", "organization"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    Column("name", String(_TITLE), nullable=False),
    Column("project", String(_NAME), ForeignKey("project.name"), nullable=False),
    Column("reach", String(16), nullable=False),
    Column("role", String(16), nullable=False),
    Column("member", String(_ID), ForeignKey("member.id")),
    Column("scopes", Text, nullable=False),
    Column("models", Text),
    Column("requests_minute", BigInteger),
    Column("tokens_minute", BigInteger),
    Column("concurrency", BigInteger),
    Column("requests_month", BigInteger),
    Column("budget", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("rotated_from", String(_ID), ForeignKey("api_key.id"), unique=True),
    Column("last_used", BigInteger),
    Column("generation", BigInteger, nullable=False),
    Index("api_key_project", "project"),
    Index("api_key_generation", "generation"),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(_TITLE), nullable=False),
    Column("address", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("organization", String(_NAME)),
    Column("project", String(_NAME)),
    Column("target", String(_TITLE), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("audit_event_organization", "organization", "seq"),
    Index("audit_event_project", "project", "seq"),
)
