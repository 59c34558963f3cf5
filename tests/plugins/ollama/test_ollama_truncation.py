from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.messages import Message
from mlo_ollama.truncation import estimated_tokens, fewest_tokens, verdict

LONG = (Message.user("слово " * 3000),)
SHORT = (Message.user("слово"),)


@pytest.mark.parametrize(
    ("counted", "expected"),
    [(4096, "cut"), (2050, "cut"), (2048, "cut"), (300, "suspected"), (9000, "whole"), (None, "whole")],
    ids=["whole-window", "half-window", "half-exactly", "messages-dropped", "fits", "unknown"],
)
def test_verdicts_on_a_long_prompt(counted: int | None, expected: str) -> None:
    assert verdict(LONG, counted, 4096) == expected


@pytest.mark.parametrize("counted", [1, 20, 2050, 4096], ids=str)
def test_a_short_prompt_cannot_be_cut(counted: int) -> None:
    assert verdict(SHORT, counted, 4096) == "whole"


def test_without_a_window_only_the_words_can_tell() -> None:
    assert verdict(LONG, 100, None) == "suspected"
    assert verdict(LONG, 4096, None) == "whole"


@given(st.lists(st.text(alphabet="абвгд xyz\n", max_size=200), max_size=5), st.integers(min_value=16, max_value=5000))
def test_a_count_above_the_estimate_never_condemns(texts: list[str], num_ctx: int) -> None:
    messages = tuple(map(Message.user, texts))
    counted = max(estimated_tokens(messages), fewest_tokens(messages))
    assert verdict(messages, counted, num_ctx) == "whole"


def test_estimates() -> None:
    assert estimated_tokens((Message.user("word " * 9),)) == 8
    assert estimated_tokens((Message.user("слово" * 10),)) == 20
