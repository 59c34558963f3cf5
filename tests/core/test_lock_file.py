"""The lock as text, and what counts as a difference."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mlo._lock import LockedDistribution, LockFault, differences, parsed, rendered

_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_LOCKS = st.dictionaries(
    _TEXT,
    st.builds(
        LockedDistribution,
        version=_TEXT,
        plugins=st.lists(_TEXT, max_size=3).map(tuple),
        files=st.dictionaries(_TEXT, _TEXT, max_size=4),
    ),
    max_size=3,
)
ONE = LockedDistribution(version="1.0", plugins=("providers:a",), files={"a.py": "sha256:1", "b.py": "sha256:2"})


@given(_LOCKS)
def test_what_is_written_is_read_again(lock: dict[str, LockedDistribution]) -> None:
    assert parsed(rendered(lock)) == lock


@given(_LOCKS, _LOCKS)
def test_only_equal_installations_have_no_difference(
    one: dict[str, LockedDistribution], other: dict[str, LockedDistribution]
) -> None:
    assert differences(one, one) == ()
    comparable = {name: evolve(each, plugins=tuple(sorted({*each.plugins}))) for name, each in one.items()}
    others = {name: evolve(each, plugins=tuple(sorted({*each.plugins}))) for name, each in other.items()}
    assert bool(differences(comparable, others)) == (comparable != others)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "mlo-a 1.0 is locked, but gives no active plugin"),
        ({"mlo-a": evolve(ONE, version="1.1")}, "mlo-a is 1.1, locked is 1.0"),
        ({"mlo-a": evolve(ONE, plugins=("providers:a", "auth:b"))}, "mlo-a gives auth:b, which is not locked"),
        ({"mlo-a": evolve(ONE, plugins=())}, "mlo-a does not give providers:a, which is locked"),
        ({"mlo-a": evolve(ONE, files={**ONE.files, "a.py": "sha256:3"})}, "mlo-a 1.0: a.py has changed"),
        ({"mlo-a": evolve(ONE, files={**ONE.files, "c.py": "sha256:3"})}, "mlo-a 1.0: c.py was added"),
        ({"mlo-a": evolve(ONE, files={"a.py": "sha256:1"})}, "mlo-a 1.0: b.py is gone"),
    ],
    ids=["gone", "version", "more-plugins", "fewer-plugins", "changed", "added", "removed"],
)
def test_a_difference_is_a_sentence(found: dict[str, LockedDistribution], said: str) -> None:
    assert differences({"mlo-a": ONE}, found) == (said,)


def test_what_was_never_locked_is_named() -> None:
    assert differences({}, {"mlo-a": ONE}) == ("mlo-a 1.0 gives providers:a, but is not locked",)


def test_many_changed_files_are_counted() -> None:
    many = evolve(ONE, files={f"{number}.py": "sha256:0" for number in range(9)})
    assert differences({"mlo-a": many}, {"mlo-a": evolve(many, files={})})[-1] == "mlo-a 1.0: 4 more files differ"


@pytest.mark.parametrize(
    "text",
    [
        "no TOML",
        "",
        "format = 2",
        "format = 1",
        "format = 1\ndistributions = 3",
        "format = 1\n[distributions.a]\nb = 1",
    ],
    ids=["text", "empty", "another-format", "nothing", "a-number", "no-version"],
)
def test_what_is_no_lock_is_refused(text: str) -> None:
    with pytest.raises(LockFault):
        parsed(text)
