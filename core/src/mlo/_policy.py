"""Who may load: verdicts on candidates from their metadata alone. Pure functions.

Deny beats allow, and whatever narrows a policy never widens it. Nobody wins a conflict by order of installation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import evolve

from ._candidates import Candidate, Verdict
from ._discovery import KINDS, normalized

if TYPE_CHECKING:
    from .settings import PluginPolicy

__all__ = ["SUPPORTED_APIS", "judge", "matches", "narrowed", "pattern_fault", "place", "unmet", "version_matches"]

SUPPORTED_APIS = frozenset({1})
"""Majors of the plugin API that this kernel reads."""


def judge(candidates: Iterable[Candidate], policy: PluginPolicy) -> tuple[Candidate, ...]:
    """The candidates with verdicts: ``shadowed`` ones stay so, the others are gated, and then compete for their id."""
    gated = [_gate(candidate, policy) for candidate in candidates]
    rivals: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in gated:
        if candidate.verdict == "available":
            rivals.setdefault((candidate.kind, candidate.id), []).append(candidate)
    return tuple(
        _compete(candidate, rivals[candidate.kind, candidate.id], policy)
        if candidate.verdict == "available"
        else candidate
        for candidate in gated
    )


def narrowed(policy: PluginPolicy, *, allow: Sequence[str] = (), deny: Sequence[str] = ()) -> PluginPolicy:
    """The policy with a further allow-list that must match as well, and further denials."""
    also = policy.allow_also + ((tuple(allow),) if allow else ())
    return evolve(policy, allow_also=also, deny_also=(*policy.deny_also, *deny))


def matches(pattern: str, candidate: Candidate) -> bool:
    """Whether a glob on ``id``, ``kind:id`` or ``dist:NAME`` speaks of the candidate."""
    scope, colon, rest = pattern.partition(":")
    if not colon:
        return fnmatchcase(candidate.id, pattern)
    if scope == "dist":
        return fnmatchcase(normalized(candidate.dist or ""), normalized(rest))
    return scope == candidate.kind and fnmatchcase(candidate.id, rest)


def pattern_fault(pattern: str) -> str:
    """What is wrong with a pattern; empty if nothing is."""
    scope, colon, rest = pattern.partition(":")
    if not pattern.strip() or (colon and not rest):
        return "an empty pattern"
    if pattern != pattern.strip():
        return "a pattern with spaces around it"
    if colon and scope not in {*KINDS, "dist"}:
        return f"unknown scope {scope!r} in the pattern {pattern!r}: one of {', '.join(KINDS)}, dist"
    return ""


def version_matches(version: str | None, prefix: str) -> bool:
    """Whether ``1.4`` covers the version: 1.4, 1.4.2 and 1.4rc1 yes, 1.40 no."""
    if version is None or not version.startswith(prefix):
        return False
    return prefix[-1:] == "." or not version[len(prefix) : len(prefix) + 1].isdigit()


def place(policy: PluginPolicy, key: str) -> str:
    """Where a key of the policy stands, for messages."""
    return f"{policy.path}.{key}" + (", or what the profile extends" if policy.path.startswith("profiles.") else "")


def unmet(policy: PluginPolicy, version_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """The demands of ``require`` and ``pin`` that the installation does not meet, a sentence each."""
    faults = []
    for dist, prefix in policy.require.items():
        version = version_of(dist)
        if version is None:
            faults.append(f"{dist} {prefix} is required ({policy.path}.require) but not installed")
        elif not version_matches(version, prefix):
            faults.append(f"{dist} {prefix} is required ({policy.path}.require) but {version} is installed")
    for dist, prefix in policy.pin.items():
        version = version_of(dist)
        if version is not None and not version_matches(version, prefix):
            faults.append(f"{dist} is pinned to {prefix} ({policy.path}.pin) but {version} is installed")
    return tuple(faults)


def _gate(candidate: Candidate, policy: PluginPolicy) -> Candidate:
    if candidate.verdict == "shadowed":
        return candidate
    if candidate.api not in SUPPORTED_APIS:
        known = ", ".join(str(api) for api in sorted(SUPPORTED_APIS))
        return _verdict(candidate, "incompatible", f"made for plugin API {candidate.api}, this kernel reads {known}")
    reason = _denied(candidate, policy) or _not_allowed(candidate, policy) or _wrong_version(candidate, policy)
    return _verdict(candidate, "blocked", reason) if reason else candidate


def _denied(candidate: Candidate, policy: PluginPolicy) -> str:
    for patterns, where in ((policy.deny, place(policy, "deny")), (policy.deny_also, "MLO_PLUGINS_DENY")):
        for pattern in patterns:
            if matches(pattern, candidate):
                return f"denied by {pattern!r} in {where}"
    return ""


def _not_allowed(candidate: Candidate, policy: PluginPolicy) -> str:
    if policy.allow is not None and not any(matches(pattern, candidate) for pattern in policy.allow):
        return f"not listed in {place(policy, 'allow')}"
    for allow in policy.allow_also:
        if not any(matches(pattern, candidate) for pattern in allow):
            return "not listed in MLO_PLUGINS_ALLOW"
    return ""


def _wrong_version(candidate: Candidate, policy: PluginPolicy) -> str:
    for key, demands in (("require", policy.require), ("pin", policy.pin)):
        prefix = _by_dist(demands, candidate.dist)
        if prefix is not None and not version_matches(candidate.version, prefix):
            return f"version {candidate.version} does not match {prefix!r} in {place(policy, key)}"
    return ""


def _by_dist(demands: Mapping[str, str], dist: str | None) -> str | None:
    if dist is None:
        return None
    return next((value for name, value in demands.items() if normalized(name) == normalized(dist)), None)


def _compete(candidate: Candidate, rivals: Sequence[Candidate], policy: PluginPolicy) -> Candidate:
    if len(rivals) == 1:
        return candidate
    key = f"{policy.path}.prefer"
    preferred = policy.prefer.get(f"{candidate.kind}:{candidate.id}", policy.prefer.get(candidate.id))
    offers = ", ".join(sorted({rival.origin for rival in rivals}))
    if preferred is None:
        return _verdict(candidate, "conflict", f"offered by {offers}: name one in {key}")
    winners = [rival for rival in rivals if rival.dist and normalized(rival.dist) == normalized(preferred)]
    if len(winners) != 1:
        what = "offers it more than once" if winners else "does not offer it"
        return _verdict(candidate, "conflict", f"offered by {offers}; {key} names {preferred}, which {what}")
    if candidate is winners[0]:
        return candidate
    return _verdict(candidate, "shadowed", f"{key} gives this id to {winners[0].origin}")


def _verdict(candidate: Candidate, verdict: Verdict, reason: str) -> Candidate:
    return evolve(candidate, verdict=verdict, reason=reason)
