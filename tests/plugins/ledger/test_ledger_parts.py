"""Parts of the ledger without a database: journal lines, calls that did not end, estimates, options."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo import ChatRequest
from mlo.errors import ConfigError
from mlo.models import Price
from mlo.records import AttemptFailed, AttemptStarted, CallStarted
from mlo.requests import EmbeddingRequest
from mlo_ledger.config import BudgetConfig
from mlo_ledger.entries import attempt_line, begin_line, end_line, failure_line, settlement_of, unfinished
from mlo_ledger.estimates import cost_bound, prompt_hash, shape_of
from mlo_ledger.events import AT, COLUMNS, Row, Settlement, attempt_fields, call_fields, cleaned, row_of
from mlo_ledger.lines import decoded, encoded
from mlo_ledger.opening import limits_of

CALL = call_fields(CallStarted(call_id="c-1", route="r", operation="chat", metadata={"project": "web"}), 1_000)
TRY = attempt_fields(AttemptStarted(call_id="c-1", attempt=1, target="a", provider="a", plugin="mock"))
HOLD = ("l-1", "project:web", "2026-11", "UTC", 1, 500)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(value=values)
def test_lines_say_what_was_written(value: Any) -> None:
    line = encoded(value)
    assert line.count(b"\n") == 1
    assert decoded(line) == value


@given(value=values, data=st.data())
def test_a_torn_or_changed_line_says_nothing(value: Any, data: st.DataObject) -> None:
    line = encoded(value)
    cut = data.draw(st.integers(0, len(line) - 1))
    assert decoded(line[:cut]) is None
    changed = bytearray(line)
    changed[cut] ^= data.draw(st.integers(1, 255))
    assert decoded(bytes(changed)) in (None, value)  # case of a checksum's digit does not matter


@given(text=st.text(max_size=400))
def test_text_is_made_storable(text: str) -> None:
    found = cleaned(text)
    assert found is not None
    assert "\0" not in found
    assert len(found.encode()) >= 0  # no lone surrogate is left
    assert len(found) <= 200


def test_rows_have_a_value_for_each_column() -> None:
    row = row_of(CALL, 1, TRY, status="ok")
    assert len(row) == len(COLUMNS)
    named = dict(zip(COLUMNS, row, strict=True))
    assert (named["id"], named["project"], named["plugin"], named["status"]) == ("c-1/1", "web", "mock", "ok")


def _said(*lines: bytes) -> list[Any]:
    return [decoded(line) for line in lines]


def _failed(number: int) -> Row:
    failed = AttemptFailed(call_id="c-1", attempt=number, target="a", elapsed=0.1, error=OSError())
    return row_of(CALL, number, TRY, status="error", ended=failed)


def test_an_attempt_that_did_not_end_is_indeterminate() -> None:
    lines = _said(
        begin_line(CALL, 1, TRY, nested=False, holds=[HOLD], held=500),
        failure_line("c-1", _failed(1), []),
        attempt_line("c-1", 2, TRY, nested=False),
    )
    (found,) = unfinished(lines, "owner")
    assert [row[AT["status"]] for row in found.rows] == ["error", "indeterminate"]
    final = dict(zip(COLUMNS, found.rows[-1], strict=True))
    assert (final["final"], final["requests"], final["held_nano"], final["attempts"]) == (1, 1, 500, 2)
    assert (final["cost_nano"], final["prompt_tokens"]) == (None, None)
    assert found.holds == (HOLD,)


def test_a_call_whose_attempts_all_ended_is_not_doubtful() -> None:
    lines = _said(begin_line(CALL, 1, TRY, nested=False, holds=[HOLD], held=500), failure_line("c-1", _failed(1), []))
    (found,) = unfinished(lines, "owner")
    assert found.rows[-1][AT["status"]] == "error"
    assert found.rows[-1][AT["held_nano"]] == 0
    assert found.holds == ((*HOLD[:5], 0),)


def test_a_call_that_ended_is_not_unfinished_in_whatever_order_files_say_so() -> None:
    begin = begin_line(CALL, 1, TRY, nested=False, holds=[HOLD], held=500)
    end = end_line(Settlement(rows=(row_of(CALL, 1, TRY, status="ok"),), holds=(HOLD,)))
    assert unfinished(_said(begin, end), "owner") == []
    assert unfinished(_said(begin, end, begin), "owner") == []
    settled = settlement_of(decoded(end))
    assert settled is not None
    assert settled.holds == (HOLD,)
    assert settlement_of(decoded(begin)) is None


@pytest.mark.parametrize(
    ("text", "language", "least", "most"),
    [
        ("Объясни, чем трио отличается от дуэта. " * 20, "ru", 180, 320),
        ("Explain how a trio differs from a duet. " * 20, "en", 180, 260),
        ("Explain слово trio словами " * 20, "mixed", 120, 220),
        ("日本語の文章です" * 20, "other", 90, 130),
    ],
)
def test_estimates_by_script(text: str, language: str, least: int, most: int) -> None:
    shape = shape_of(ChatRequest.of(text))
    assert shape.language == language
    assert least <= shape.tokens <= most


def test_estimates_of_embeddings_and_of_nothing() -> None:
    assert shape_of(EmbeddingRequest(texts=("раз", "два"))).characters == 6
    assert shape_of(ChatRequest.of("")).characters == 0


@given(text=st.text(max_size=100))
def test_hashes_need_the_key(text: str) -> None:
    request = ChatRequest.of(text)
    assert prompt_hash(request, b"one") == prompt_hash(request, b"one") != prompt_hash(request, b"two")


@given(
    prompt=st.integers(0, 10**6),
    completion=st.integers(0, 10**6),
    cached=st.integers(0, 10**6),
    rate=st.integers(0, 10**12),
)
def test_a_bound_is_never_below_the_cost(prompt: int, completion: int, cached: int, rate: int) -> None:
    price = Price(prompt=rate, completion=2 * rate, cached=rate // 3, request=7)
    cached = min(cached, prompt)
    cost = price.cost(prompt=prompt - cached, completion=completion, cached=cached).nano
    assert cost <= cost_bound(price, prompt, completion)


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        (BudgetConfig(requests=1), "exactly one of"),
        (BudgetConfig(project="a", key="b", requests=1), "exactly one of"),
        (BudgetConfig(project="a"), "limits nothing"),
        (BudgetConfig(project="a", roubles="many"), "no amount"),
        (BudgetConfig(project="a", roubles="0.0000000001"), "cannot be counted"),
        (BudgetConfig(project="a", roubles="-1"), "cannot be counted"),
        (BudgetConfig(project="a", roubles="NaN"), "cannot be counted"),
    ],
)
def test_budgets_that_make_no_sense(budget: BudgetConfig, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        limits_of([budget], "observers.books")
    assert caught.value.path.startswith("observers.books.budgets[0]")


def test_budgets_become_limits() -> None:
    (everything, one) = limits_of(
        [BudgetConfig(project="*", roubles="99.90"), BudgetConfig(key="k", requests=5, period="day")], "o"
    )
    assert (everything.scope, everything.nano, everything.period) == ("all", 99_900_000_000, "month")
    assert (one.scope, one.requests, one.nano, one.period) == ("key:k", 5, None, "day")
