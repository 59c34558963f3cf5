"""The things that accounts consist of, as values. Times are integer microseconds UTC, money is nano-roubles."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from mlo_gateway.contracts import Role

__all__ = [
    "OPERATOR",
    "ROLES",
    "SCOPES",
    "Actor",
    "ApiKey",
    "AuditEvent",
    "KeyLimits",
    "Member",
    "Organization",
    "Place",
    "Project",
    "Reach",
]

Reach: TypeAlias = Literal["gateway", "organization", "project"]

ROLES: tuple[Role, ...] = ("viewer", "developer", "owner")
"""From the least to the most powerful."""
SCOPES: tuple[Literal["admin", "inference"], ...] = ("admin", "inference")
"""What a key may be used for: the admin API, the models."""


@frozen(kw_only=True)
class Place:
    """Where something belongs: to a project, to an organization, or (both ``None``) to the gateway as a whole."""

    organization: str | None = None
    project: str | None = None


@frozen(kw_only=True)
class Actor:
    """Who acts, with which role, and how far it reaches: over the gateway, one organization or one project.

    ``name`` is what the audit log tells (``key:key-0ljf…``, ``cli:ivan``), ``address`` where the request came from.
    ``models`` are the patterns that the actor itself is bound to.
    """

    name: str
    role: Role
    reach: Reach
    organization: str = ""
    project: str = ""
    models: tuple[str, ...] | None = None
    address: str = ""


OPERATOR = Actor(name="operator", role="owner", reach="gateway")
"""Who runs commands on the database itself."""


@frozen(kw_only=True)
class Organization:
    """A customer, a company, a department: whatever owns projects."""

    name: str
    title: str
    created: int
    closed: int | None = None


@frozen(kw_only=True)
class Project:
    """What usage, plans and budgets are counted for."""

    name: str
    organization: str
    plan: str
    title: str
    created: int
    closed: int | None = None


@frozen(kw_only=True)
class Member:
    """Somebody with a role in an organization, or in one project of it. Their keys have at most that role."""

    id: str
    organization: str
    project: str | None
    name: str
    role: Role
    created: int
    removed: int | None = None


@frozen(kw_only=True)
class KeyLimits:
    """What one key may within its project's plan; ``budget`` is a month's, in nano-roubles. ``None``: no limit."""

    requests_minute: int | None = None
    tokens_minute: int | None = None
    concurrency: int | None = None
    requests_month: int | None = None
    budget: int | None = None


@frozen(kw_only=True)
class ApiKey:
    """A virtual key, without anything that it could be used by."""

    id: str
    prefix: str
    name: str
    organization: str
    project: str
    reach: Reach
    role: Role
    member: str | None
    scopes: tuple[str, ...]
    models: tuple[str, ...] | None
    limits: KeyLimits
    created: int
    expires: int | None
    revoked: int | None
    rotated_from: str | None
    last_used: int | None
    generation: int


@frozen(kw_only=True)
class AuditEvent:
    """Who did what to what, and where from. ``before`` and ``after`` hold no secrets; each digest covers the last."""

    seq: int
    at: int
    actor: str
    address: str
    action: str
    organization: str | None
    project: str | None
    target: str
    before: dict[str, Any] = field(factory=dict)
    after: dict[str, Any] = field(factory=dict)
    digest: str = ""
