from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo._candidates import Candidate
from mlo._policy import judge, matches, narrowed, pattern_fault, unmet, version_matches
from mlo.settings import PluginPolicy
from tests.core.samples import candidate

IDS = st.sampled_from(["giga", "giga-lite", "mock", "yandex"])
PATTERNS = st.sampled_from(
    ["*", "giga", "giga*", "mock", "?ock", "providers:*", "auth:giga", "dist:mlo-*", "dist:MLO_giga", "[gm]*", "none"]
)
LISTS = st.lists(PATTERNS, max_size=4).map(tuple)
CANDIDATES = st.lists(
    st.builds(
        candidate,
        IDS,
        kind=st.sampled_from(["providers", "auth"]),
        dist=st.sampled_from(["mlo-giga", "mlo-mock", "other"]),
        api=st.sampled_from([1, 1, 1, 2]),
    ),
    max_size=8,
    unique=True,
)
POLICIES = st.builds(PluginPolicy, allow=st.none() | LISTS, deny=LISTS)


def verdict(row: Candidate, policy: PluginPolicy) -> tuple[str, str]:
    (judged,) = judge([row], policy)
    return judged.verdict, judged.reason


def usable(rows: Sequence[Candidate], policy: PluginPolicy) -> set[tuple[str, str, str | None]]:
    """What is not blocked; conflicts are another matter."""
    return {(row.kind, row.id, row.dist) for row in judge(rows, policy) if row.verdict in {"available", "conflict"}}


@given(CANDIDATES, POLICIES)
def test_deny_beats_allow(rows: list[Candidate], policy: PluginPolicy) -> None:
    denied = [row for row in rows if any(matches(pattern, row) for pattern in policy.deny)]
    assert usable(rows, policy).isdisjoint((row.kind, row.id, row.dist) for row in denied)


@given(CANDIDATES, POLICIES, LISTS, LISTS)
def test_narrowing_never_widens(
    rows: list[Candidate], policy: PluginPolicy, allow: tuple[str, ...], deny: tuple[str, ...]
) -> None:
    assert usable(rows, narrowed(policy, allow=allow, deny=deny)) <= usable(rows, policy)


@given(CANDIDATES, POLICIES, LISTS, LISTS)
def test_narrowing_twice_is_narrowing_by_both(
    rows: list[Candidate], policy: PluginPolicy, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    both = narrowed(narrowed(policy, allow=first), allow=second)
    expected = usable(rows, narrowed(policy, allow=first)) & usable(rows, narrowed(policy, allow=second))
    assert usable(rows, both) == expected


@given(CANDIDATES, POLICIES)
def test_nobody_wins_by_order(rows: list[Candidate], policy: PluginPolicy) -> None:
    def verdicts(judged: Sequence[Candidate]) -> set[tuple[str, str, str | None, str]]:
        return {(row.kind, row.id, row.dist, row.verdict) for row in judged}

    assert verdicts(judge(rows, policy)) == verdicts(judge(rows[::-1], policy))


@given(CANDIDATES, POLICIES)
def test_an_id_is_available_once_at_most(rows: list[Candidate], policy: PluginPolicy) -> None:
    ids = [(row.kind, row.id) for row in judge(rows, policy) if row.verdict == "available"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("giga", True),
        ("gig?", True),
        ("GIGA", False),
        ("providers:giga", True),
        ("auth:giga", False),
        ("dist:mlo-giga", True),
        ("dist:MLO_Giga", True),
        ("dist:mlo-*", True),
        ("dist:giga", False),
    ],
)
def test_patterns(pattern: str, matched: bool) -> None:
    assert matches(pattern, candidate("giga", dist="mlo-giga")) is matched


def test_a_nameless_distribution_can_be_denied() -> None:
    assert matches("dist:*", candidate(dist=None))


def test_an_empty_allow_list_allows_nothing() -> None:
    assert verdict(candidate(), PluginPolicy(allow=())) == ("blocked", "not listed in plugins.allow")


def test_reasons_name_the_key_of_the_profile() -> None:
    policy = PluginPolicy(deny=("ex*",), path="profiles.prod.plugins")
    assert verdict(candidate(), policy)[1].startswith("denied by 'ex*' in profiles.prod.plugins.deny")


def test_reasons_name_the_variables() -> None:
    assert verdict(candidate(), narrowed(PluginPolicy(), allow=["a"])) == (
        "blocked",
        "not listed in MLO_PLUGINS_ALLOW",
    )
    assert verdict(candidate(), narrowed(PluginPolicy(), deny=["*"]))[1].endswith("in MLO_PLUGINS_DENY")


def test_another_api_is_incompatible() -> None:
    state, reason = verdict(candidate(api=2), PluginPolicy())
    assert state == "incompatible"
    assert "plugin API 2" in reason


def test_shadowed_rows_stay_so() -> None:
    row = Candidate(kind="auth", id="x", value="m", dist="d", version="1", api=1, verdict="shadowed", reason="because")
    assert verdict(row, PluginPolicy(deny=("*",))) == ("shadowed", "because")


def test_two_offers_are_a_conflict_for_both() -> None:
    rows = judge([candidate(dist="one"), candidate(dist="two")], PluginPolicy())
    assert [row.verdict for row in rows] == ["conflict", "conflict"]
    assert "one 1.0, two 1.0" in rows[0].reason
    assert "plugins.prefer" in rows[0].reason


@pytest.mark.parametrize("key", ["example", "providers:example"])
def test_prefer_resolves_a_conflict(key: str) -> None:
    rows = judge([candidate(dist="One"), candidate(dist="two")], PluginPolicy(prefer={key: "one"}))
    assert [row.verdict for row in rows] == ["available", "shadowed"]


def test_denying_one_resolves_a_conflict() -> None:
    rows = judge([candidate(dist="one"), candidate(dist="two")], PluginPolicy(deny=("dist:one",)))
    assert [row.verdict for row in rows] == ["blocked", "available"]


def test_preferring_who_does_not_offer_resolves_nothing() -> None:
    rows = judge([candidate(dist="one"), candidate(dist="two")], PluginPolicy(prefer={"example": "three"}))
    assert {row.verdict for row in rows} == {"conflict"}
    assert "three, which does not offer it" in rows[0].reason


def test_one_distribution_that_offers_twice_is_a_conflict() -> None:
    twice = [candidate(), Candidate(kind="providers", id="example", value="m", dist="mlo-example", version="1", api=1)]
    rows = judge(twice, PluginPolicy(prefer={"example": "mlo-example"}))
    assert {row.verdict for row in rows} == {"conflict"}
    assert "more than once" in rows[0].reason


@pytest.mark.parametrize("key", ["require", "pin"])
def test_a_wrong_version_is_blocked(key: str) -> None:
    state, reason = verdict(candidate(version="1.5"), PluginPolicy(**{key: {"MLO_Example": "1.4"}}))  # type: ignore[arg-type]
    assert state == "blocked"
    assert f"plugins.{key}" in reason


@pytest.mark.parametrize(
    ("version", "prefix", "matched"),
    [
        ("1.4", "1.4", True),
        ("1.4.2", "1.4", True),
        ("1.4rc1", "1.4", True),
        ("1.4.2", "1.4.", True),
        ("1.40", "1.4", False),
        ("11.4", "1", False),
        ("1", "1.4", False),
        (None, "1", False),
    ],
)
def test_version_prefixes(version: str | None, prefix: str, matched: bool) -> None:
    assert version_matches(version, prefix) is matched


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("", "an empty pattern"),
        ("  ", "an empty pattern"),
        ("dist:", "an empty pattern"),
        (" x", "spaces"),
        ("provider:x", "unknown scope 'provider'"),
        ("dist:x", ""),
        ("commands:*", ""),
    ],
)
def test_pattern_faults(pattern: str, fault: str) -> None:
    found = pattern_fault(pattern)
    assert fault in found
    assert bool(found) is bool(fault)


def test_unmet_demands_are_all_listed() -> None:
    versions = {"a": "1.0", "c": "2.0"}
    policy = PluginPolicy(require={"a": "1", "b": "1", "c": "1"}, pin={"c": "3", "d": "1"})
    faults = unmet(policy, versions.get)
    assert len(faults) == 3
    assert "b 1 is required (plugins.require) but not installed" in faults
