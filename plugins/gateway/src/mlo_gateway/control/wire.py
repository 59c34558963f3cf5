"""What the admin API takes and gives: shapes for validation and for the OpenAPI document."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from mlo_gateway.accounts.fields import MOST_PATTERNS, MOST_TITLE, NAME_PATTERN, TITLE_PATTERN

__all__ = [
    "AuditEventOut",
    "AuditOut",
    "ErrorFacts",
    "ErrorOut",
    "KeyChangeIn",
    "KeyId",
    "KeyIn",
    "KeyMadeOut",
    "KeyOut",
    "Limits",
    "MemberChangeIn",
    "MemberId",
    "MemberIn",
    "MemberOut",
    "Moment",
    "Name",
    "OrganizationIn",
    "OrganizationOut",
    "PageOut",
    "PlanIn",
    "PlanOut",
    "ProjectChangeIn",
    "ProjectIn",
    "ProjectOut",
    "ProviderOut",
    "ReloadOut",
    "RotateIn",
    "RotatedOut",
    "TitleIn",
    "UsageLine",
    "UsageOut",
    "WhoOut",
]

T = TypeVar("T")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MOST_PER_MINUTE = 100_000_000
_MOST_PER_MONTH = 10**15
_YEAR = 366 * 24 * 3600


def _moment(value: object) -> object:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("expected a time such as 2027-01-31T12:00:00Z")
    return datetime.fromisoformat(value.upper())


def _whole(value: object) -> object:
    # JSON knows one kind of number: 60.0 is the integer 60
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name: TypeAlias = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=63)]
Title: TypeAlias = Annotated[str, StringConstraints(pattern=TITLE_PATTERN, max_length=MOST_TITLE)]
Pattern: TypeAlias = Annotated[str, StringConstraints(pattern=TITLE_PATTERN, min_length=1, max_length=MOST_TITLE)]
Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_moment)]
PerMinute: TypeAlias = Annotated[int, Field(ge=1, le=_MOST_PER_MINUTE), BeforeValidator(_whole)]
PerMonth: TypeAlias = Annotated[int, Field(ge=1, le=_MOST_PER_MONTH), BeforeValidator(_whole)]
Amount: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$"),
    Field(description="Roubles as text, exact to nine decimals.", examples=["1990", "0.5"]),
]
RoleName: TypeAlias = Literal["owner", "developer", "viewer"]
ReachName: TypeAlias = Literal["gateway", "organization", "project"]
ScopeName: TypeAlias = Literal["admin", "inference"]
Models: TypeAlias = Annotated[
    list[Pattern],
    Field(min_length=1, max_length=MOST_PATTERNS, description="Glob patterns of model names; null allows all."),
]


KeyId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^key-[0-9a-z]{20}$")]
MemberId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^member-[0-9a-z]{20}$")]


class _In(BaseModel):
    # strict: "5" is no number and 1 is no truth; whoever sends them has made a mistake
    model_config = ConfigDict(extra="forbid", strict=True)


class ErrorFacts(BaseModel):
    """An error in OpenAI's shape. There may be further facts, such as ``retry_after``."""

    model_config = ConfigDict(extra="allow")

    message: str
    type: str
    param: str | None
    code: str


class ErrorOut(BaseModel):
    """An error."""

    error: ErrorFacts


class PageOut(BaseModel, Generic[T]):
    """A page of a list. ``next``, if there is one, is the ``after`` of the next page."""

    items: list[T]
    next: str | None


class OrganizationIn(_In):
    """A new organization."""

    name: Name
    title: Title = ""


class OrganizationOut(BaseModel):
    """An organization."""

    name: str
    title: str
    created_at: datetime
    closed_at: datetime | None


class TitleIn(_In):
    """Another title."""

    title: Title


class ProjectIn(_In):
    """A new project. Another plan than the default one takes an owner of the gateway."""

    name: Name
    organization: Name
    plan: Name | None = None
    title: Title = ""


class ProjectChangeIn(_In):
    """What is to be different about a project; what is left out stays."""

    title: Title | None = None
    plan: Name | None = None


class ProjectOut(BaseModel):
    """A project."""

    name: str
    organization: str
    plan: str
    title: str
    created_at: datetime
    closed_at: datetime | None


class MemberIn(_In):
    """Somebody who gets a role in an organization, or in one project of it."""

    organization: Name
    project: Name | None = None
    name: Pattern
    role: RoleName


class MemberChangeIn(_In):
    """Another role."""

    role: RoleName


class MemberOut(BaseModel):
    """Somebody with a role."""

    id: str
    organization: str
    project: str | None
    name: str
    role: RoleName
    created_at: datetime


class Limits(_In):
    """What one key may within its project's plan; null sets no limit."""

    requests_minute: PerMinute | None = None
    tokens_minute: PerMinute | None = None
    concurrency: PerMinute | None = None
    requests_month: PerMonth | None = None
    budget: Amount | None = None


class KeyIn(_In):
    """A new key. Nobody can give it more than they have themselves."""

    project: Name
    name: Title = ""
    role: RoleName = "developer"
    reach: ReachName = "project"
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=10)] = ["inference"]
    models: Models | None = None
    limits: Limits = Limits()
    expires_at: Moment | None = None
    member: MemberId | None = None


class KeyChangeIn(_In):
    """What is to be different about a key; what is left out stays, null takes a restriction away."""

    name: Title = ""
    models: Models | None = None
    limits: Limits = Limits()
    expires_at: Moment | None = None


class RotateIn(_In):
    """How to replace a key: the old one goes on for ``overlap`` seconds."""

    overlap: Annotated[int, Field(ge=0, le=_YEAR), BeforeValidator(_whole)] = 0
    expires_at: Moment | None = None


class KeyOut(BaseModel):
    """A key, without what it opens by. ``prefix`` is the beginning of its text."""

    id: str
    prefix: str
    name: str
    organization: str
    project: str
    reach: ReachName
    role: RoleName
    member: str | None
    scopes: list[ScopeName]
    models: list[str] | None
    limits: Limits
    status: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_from: str | None
    last_used_at: datetime | None


class KeyMadeOut(KeyOut):
    """A key that was just made. Its text, ``secret``, is told now and never again."""

    secret: str


class RotatedOut(BaseModel):
    """The new key with its text, and the old one."""

    new: KeyMadeOut
    old: KeyOut


class PlanIn(_In):
    """The terms of a plan; null sets no limit."""

    title: Title = ""
    price: Amount | None = None
    requests_month: PerMonth | None = None
    budget: Amount | None = None
    requests_minute: PerMinute | None = None
    tokens_minute: PerMinute | None = None
    concurrency: PerMinute | None = None
    overage: Literal["block", "warn"] = "block"
    time_zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+_/-]{1,64}$")] = "Europe/Moscow"


class PlanOut(PlanIn):
    """A plan. ``source`` says where its terms are written: in the package, the configuration or the database."""

    name: str
    source: Literal["package", "configuration", "database"]


class UsageLine(BaseModel):
    """Sums of one group, whose names are in ``group``.

    ``costs`` are exact amounts by currency, without those of ``unpriced`` attempts, which nobody knows. The tokens of
    ``estimated`` attempts were counted here, not by the vendor.
    """

    group: dict[str, str]
    calls: int
    failed: int
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    costs: dict[str, str]
    unpriced: int
    estimated: int
    indeterminate: int


class UsageOut(BaseModel):
    """Usage from ``begin`` to before ``end``, in whole hours."""

    begin: datetime
    end: datetime
    lines: list[UsageLine]
    total: UsageLine


class AuditEventOut(BaseModel):
    """An administrative act. ``before`` and ``after`` show what differs, without secrets."""

    seq: int
    at: datetime
    actor: str
    address: str
    action: str
    organization: str | None
    project: str | None
    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    digest: str


class AuditOut(BaseModel):
    """Whether the audit log is as it was written; ``broken_at`` is the first event that is not."""

    intact: bool
    events: int
    broken_at: int | None
    reason: str


class ProviderOut(BaseModel):
    """A provider instance of the configuration; ``health`` where it was asked for."""

    name: str
    plugin: str
    health: Literal["healthy", "unhealthy", "unknown"] | None
    detail: str


class ReloadOut(BaseModel):
    """What a reload came to: ``error`` is why the old configuration stays, ``ignored`` what needs a restart."""

    error: str
    ignored: list[str]


class WhoOut(BaseModel):
    """Whom the key of this request stands for."""

    key: str
    role: RoleName
    reach: ReachName
    organization: str
    project: str
    scopes: list[ScopeName]
    expires_at: datetime | None
