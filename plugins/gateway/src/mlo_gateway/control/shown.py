"""Values of accounts as the admin API shows them, and what it takes as values. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
from pydantic import BaseModel

from mlo_gateway.accounts.config import PlanConfig
from mlo_gateway.accounts.paging import Page
from mlo_gateway.accounts.plans import Plan, budget_of
from mlo_gateway.accounts.records import ApiKey, AuditEvent, KeyLimits, Member, Organization, Project
from mlo_ledger.pricing.amounts import as_decimal
from mlo_ledger.reports.usage import Line, Report

from .wire import (
    AuditEventOut,
    KeyOut,
    Limits,
    MemberOut,
    OrganizationOut,
    PageOut,
    PlanIn,
    PlanOut,
    ProjectOut,
    UsageLine,
    UsageOut,
)

__all__ = [
    "event_out",
    "key_facts",
    "key_out",
    "limits_in",
    "member_out",
    "micros",
    "moment",
    "organization_out",
    "page_out",
    "plan_out",
    "project_out",
    "terms_of",
    "usage_out",
]

T = TypeVar("T")
Out = TypeVar("Out", bound=BaseModel)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(at: int | None) -> Any:
    """Microseconds since 1970 as a time."""
    return None if at is None else _EPOCH + at * _MICROSECOND


def micros(at: datetime | None) -> int | None:
    """A time as microseconds since 1970."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def page_out(page: Page[T], shown: Any) -> PageOut[Any]:
    """A page of things, each shown by the function."""
    return PageOut(items=[shown(item) for item in page.items], next=page.next)


def organization_out(found: Organization) -> OrganizationOut:
    """An organization."""
    return OrganizationOut(
        name=found.name, title=found.title, created_at=moment(found.created), closed_at=moment(found.closed)
    )


def project_out(found: Project) -> ProjectOut:
    """A project."""
    return ProjectOut(
        name=found.name,
        organization=found.organization,
        plan=found.plan,
        title=found.title,
        created_at=moment(found.created),
        closed_at=moment(found.closed),
    )


def member_out(found: Member) -> MemberOut:
    """A member."""
    return MemberOut(
        id=found.id,
        organization=found.organization,
        project=found.project,
        name=found.name,
        role=found.role,
        created_at=moment(found.created),
    )


def key_facts(found: ApiKey, now: int) -> dict[str, Any]:
    """The fields of a key."""
    limits = attrs.asdict(found.limits) | {
        "budget": None if found.limits.budget is None else as_decimal(found.limits.budget)
    }
    expired = found.expires is not None and found.expires <= now
    return {
        "id": found.id,
        "prefix": found.prefix,
        "name": found.name,
        "organization": found.organization,
        "project": found.project,
        "reach": found.reach,
        "role": found.role,
        "member": found.member,
        "scopes": list(found.scopes),
        "models": None if found.models is None else list(found.models),
        "limits": Limits(**limits),
        "status": "revoked" if found.revoked is not None else "expired" if expired else "active",
        "created_at": moment(found.created),
        "expires_at": moment(found.expires),
        "revoked_at": moment(found.revoked),
        "rotated_from": found.rotated_from,
        "last_used_at": moment(found.last_used),
    }


def key_out(found: ApiKey, now: int) -> KeyOut:
    """A key."""
    return KeyOut(**key_facts(found, now))


def limits_in(limits: Limits) -> KeyLimits:
    """A key's limits."""
    return KeyLimits(**limits.model_dump() | {"budget": budget_of(limits.budget)})


def plan_out(found: Plan) -> PlanOut:
    """A plan."""
    return PlanOut(name=found.name, source=found.source, **attrs.asdict(found.terms))


def terms_of(plan: PlanIn) -> PlanConfig:
    """The terms of a plan.

    Raises:
        ValueError: when there is no such time zone.
    """
    return PlanConfig(**plan.model_dump())


def event_out(found: AuditEvent) -> AuditEventOut:
    """An audit event."""
    return AuditEventOut(**attrs.asdict(found) | {"at": moment(found.at)})


def usage_out(report: Report) -> UsageOut:
    """A report of usage."""
    zone = report.period.zone
    return UsageOut(
        begin=datetime.fromtimestamp(report.period.begin, zone),
        end=datetime.fromtimestamp(report.period.end, zone),
        lines=[_line(line, report.by) for line in report.lines],
        total=_line(report.total, ()),
    )


def _line(line: Line, by: tuple[str, ...]) -> UsageLine:
    return UsageLine(
        group=dict(zip(by, line.keys, strict=True)) if by else {},
        calls=line.calls,
        failed=line.failed,
        attempts=line.attempts,
        prompt_tokens=line.prompt_tokens,
        completion_tokens=line.completion_tokens,
        cached_tokens=line.cached_tokens,
        reasoning_tokens=line.reasoning_tokens,
        costs={currency: as_decimal(nano) for currency, nano in line.costs.items()},
        unpriced=line.unpriced,
        estimated=line.estimated,
        indeterminate=line.indeterminate,
    )
