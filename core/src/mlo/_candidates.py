"""Entry points as candidates: what is installed under an id, and what the policy says of it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from ._discovery import AnyKind, scan

__all__ = ["Candidate", "Verdict", "discover"]

Verdict: TypeAlias = Literal["available", "blocked", "incompatible", "conflict", "shadowed"]


@frozen(kw_only=True)
class Candidate:
    """One entry point of one distribution, and what the policy says of it.

    ``value`` is the module (or ``module:object``) behind the entry point, ``api`` the major version of the plugin API
    it was made for. ``dist`` and ``version`` are ``None`` where the metadata is damaged.
    """

    kind: AnyKind
    id: str
    value: str
    dist: str | None
    version: str | None
    api: int
    verdict: Verdict = "available"
    reason: str = ""

    @property
    def origin(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.dist or 'unknown distribution'} {self.version or '(no version)'}"


def discover() -> tuple[Candidate, ...]:
    """Everything installed.

    An entry point of a distribution that another copy hides is ``shadowed``; the policy has not spoken yet.
    """
    return tuple(
        Candidate(
            kind=row.kind,
            id=row.id,
            value=row.value,
            dist=row.dist,
            version=row.version,
            api=row.api,
            verdict="shadowed" if row.hidden_by else "available",
            reason=row.hidden_by,
        )
        for row in scan()
    )
