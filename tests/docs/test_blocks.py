from __future__ import annotations

import pytest

from tests.docs.blocks import matches, sessions, transcript


def test_session_is_split_into_commands_with_their_output() -> None:
    assert sessions("$ one\nout\n\n$ two \\\n    three\n") == [("one", "out\n\n"), ("two three", "")]


def test_session_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="starts with"):
        sessions("out\n$ one\n")


def test_commands_share_one_shell() -> None:
    assert transcript(["X=1; false", 'echo "$X $?"', "echo oops >&2"]) == ["", "1 1\n", "oops\n"]


@pytest.mark.parametrize(
    ("expected", "printed", "result"),
    [
        ("a\nb", "a  \nb\n", True),
        ("a\nb", "a\n", False),
        ("took … ms", "took 12 ms\n", True),
        ("took … ms", "took 12\nms\n", False),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a.c", "abc", False),
        ("", "", True),
        ("", "noise", False),
    ],
    ids=["space", "missing-line", "within-line", "not-across-lines", "lines", "literal", "empty", "noise"],
)
def test_output_is_compared_with_wildcards(expected: str, printed: str, result: bool) -> None:
    assert matches(expected, printed) is result
