"""Prices as values: matching, exact costs, files, checks, merging. No database."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ConfigError
from mlo.models import Money, Price
from mlo.responses import Usage
from mlo_ledger.pricing import PriceBook, PriceRow, check_file, check_rows, cost_of, merge, parse_price_file
from mlo_ledger.pricing.amounts import UNITS, as_decimal, nano_per_million

RUBLE = 10**9
TODAY = date(2026, 11, 26)
FILE = """
provider = "gigachat"
currency = "RUB"
unit = "million tokens"
source = "tariffs"
checked_on = 2026-10-07
valid_from = 2026-02-01
vat = "included"

[models."GigaChat-2"]
aliases = ["GigaChat"]
prompt = 65
completion = 65.5
cached = 0
"""

amounts = st.integers(0, 10**13)
optional = st.none() | amounts
counts = st.none() | st.integers(0, 10**7)
prices = st.builds(
    Price, prompt=amounts, completion=amounts, cached=optional, tool=optional, reasoning=optional, request=amounts
)


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**6


def row(model: str, provider: str = "*", **fields: Any) -> PriceRow:
    price = fields.pop("price", Price(prompt=1, completion=1))
    return PriceRow(provider=provider, model=model, price=price, **fields)


def parsed(text: str, form: Literal["toml", "json"] = "toml") -> tuple[PriceRow, ...]:
    return parse_price_file(text, form=form, name="prices.toml").rows


# costs


@given(prices, counts, counts, counts, counts, counts)
def test_costs_agree_with_the_kernel(
    price: Price, prompt: int | None, completion: int | None, cached: int | None, tool: int | None, thought: int | None
) -> None:
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        tool_tokens=tool,
        reasoning_tokens=thought,
    )
    found = cost_of(price, prompt=prompt, completion=completion, cached=cached, tool=tool, reasoning=thought)
    assert (None if found is None else Money(found)) == usage.priced(price).cost


@given(prices, st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_costs_are_exact_to_half_a_nano(price: Price, prompt: int, completion: int, data: st.DataObject) -> None:
    cached = data.draw(st.integers(0, prompt))
    found = cost_of(price, prompt=prompt, completion=completion, cached=cached)
    assert found is not None
    kept = price.prompt if price.cached is None else price.cached
    exact = (prompt - cached) * price.prompt + cached * kept + completion * price.completion
    assert -500_000 < exact - (found - price.request) * 10**6 <= 500_000  # half up: a half is never rounded down


def test_embeddings_have_no_completion_and_chats_have() -> None:
    price = Price(prompt=14 * RUBLE, completion=0)
    assert cost_of(price, prompt=1000, completion=None, operation="embed") == 14_000_000
    assert cost_of(price, prompt=1000, completion=None) is None
    assert cost_of(price, prompt=None, completion=3) is None


# matching


def found(rows: list[PriceRow], model: str | None, *others: str | None, moment: int = 0) -> PriceRow | None:
    return PriceBook(rows).find(provider="main", plugin="gigachat", models=(model, *others), moment=moment)


@pytest.mark.parametrize(
    "best",
    [
        row("GigaChat-2-Max", "main"),
        row("*", "main"),
        row("GigaChat-2-Max", "gigachat"),
        row("GigaChat-2*", "gigachat"),
        row("GigaChat*", "gigachat"),
        row("GigaChat-2-Max", "giga*"),
        row("GigaChat-2-Max"),
        row("*"),
    ],
)
def test_the_row_that_says_it_most_exactly_applies(best: PriceRow) -> None:
    ladder = [
        row("GigaChat-2-Max", "main"),
        row("*", "main"),
        row("GigaChat-2-Max", "gigachat"),
        row("GigaChat-2*", "gigachat"),
        row("GigaChat*", "gigachat"),
        row("GigaChat-2-Max", "giga*"),
        row("GigaChat-2-Max"),
        row("*"),
    ]
    lower = ladder[ladder.index(best) :]
    assert found(lower[::-1], "GigaChat-2-Max") == best
    assert found(lower, "GigaChat-2-Max") == best


def test_a_model_may_go_by_two_names() -> None:
    asked, answered = row("latest"), row("m-2026-10")
    assert found([answered, asked], "latest", "m-2026-10") == asked
    assert found([answered], "latest", "m-2026-10") == answered
    assert found([row("m*"), answered], "latest", "m-2026-10") == answered
    assert found([answered], None, None) is None


def test_the_time_of_the_call_decides() -> None:
    old, new = row("m", valid_from=10, valid_to=20), row("m", valid_from=20)
    book = PriceBook([old, new])
    moments = {moment: book.find(provider="p", plugin="q", models=("m",), moment=moment) for moment in (9, 10, 19, 20)}
    assert moments == {9: None, 10: old, 19: old, 20: new}


def test_where_the_exact_row_has_ended_the_next_best_applies() -> None:
    assert found([row("m", valid_to=5), row("*")], "m", moment=7) == row("*")


@given(st.lists(st.tuples(st.sampled_from("abc*"), st.sampled_from("xyz*"), st.integers(0, 9)), max_size=12), st.data())
def test_the_order_of_rows_does_not_matter(keys: list[tuple[str, str, int]], data: st.DataObject) -> None:
    unique = {
        (provider, model): PriceRow(
            provider=provider, model=model, valid_from=begin, price=Price(prompt=1, completion=1)
        )
        for provider, model, begin in keys
    }
    rows = list(unique.values())
    shuffled = data.draw(st.permutations(rows))
    call: dict[str, Any] = {"provider": "a", "plugin": "b", "models": ("x", "y"), "moment": 5}
    assert PriceBook(rows).find(**call) == PriceBook(shuffled).find(**call)


def test_names_without_end_do_not_fill_the_memory() -> None:
    book = PriceBook([row("*")])
    for number in range(5000):
        assert book.find(provider="p", plugin="q", models=(f"m{number}",), moment=0) is not None
    assert len(book._found) <= 4096


# amounts


@given(st.integers(0, 2**63 - 1), st.sampled_from([1, 1000, 10**6, 10**9]))
def test_decimal_text_is_exact(nano: int, scale: int) -> None:
    assert Decimal(as_decimal(nano, scale)) * scale == nano


@given(st.integers(0, 9 * 10**9), st.sampled_from(sorted(UNITS)))
def test_amounts_survive_text(nano: int, unit: str) -> None:
    scale = RUBLE * UNITS[unit]
    text = str((Decimal(nano) / scale).normalize()) if nano else "0"
    assert nano_per_million(text, unit) == nano


@pytest.mark.parametrize(
    "value",
    [True, None, 1.5, "", "x", "NaN", "Infinity", "-1", -2, "1e-10", "0.00000000001", "1e999999", "1e-999999", 10**30],
)
def test_amounts_that_cannot_be_kept_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"negative|not an amount|more"):
        nano_per_million(value, "million tokens")


# files


def test_a_file_gives_a_row_for_every_name() -> None:
    rows = parsed(FILE)
    assert [(each.provider, each.model, each.vat) for each in rows] == [
        ("gigachat", "GigaChat-2", "included"),
        ("gigachat", "GigaChat", "included"),
    ]
    assert rows[0].price == Price(prompt=65 * RUBLE, completion=65_500_000_000, cached=0)
    assert (rows[0].price.source, rows[0].price.checked_on) == ("tariffs", "2026-10-07")
    assert rows[0].valid_from == at("2026-01-31T21:00")  # midnight in Moscow


def test_json_says_the_same() -> None:
    model = {"prompt": "65", "completion": 65.5, "cached": 0, "aliases": ["GigaChat"]}
    shared = {"provider": "gigachat", "currency": "RUB", "unit": "million tokens", "source": "tariffs"}
    days = {"checked_on": "2026-10-07", "valid_from": "2026-02-01", "vat": "included"}
    assert parsed(json.dumps({**shared, **days, "models": {"GigaChat-2": model}}), "json") == parsed(FILE)


def test_a_version_ends_where_the_next_begins() -> None:
    text = FILE.partition("[models")[0]
    for day, price in (("2026-02-01", 1), ("2026-06-01", 2), ("2026-09-01T12:00:00+00:00", 3)):
        text += f'[[models.m]]\nvalid_from = {day}\nprompt = {price}\ncompletion = 0\nunit = "thousand tokens"\n'
    rows = parsed(text)
    assert [each.price.prompt for each in rows] == [1000 * RUBLE, 2000 * RUBLE, 3000 * RUBLE]
    assert [each.valid_to for each in rows] == [at("2026-05-31T21:00"), at("2026-09-01T12:00"), None]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("= 65.5", "= -1", "models.GigaChat-2.completion: -1 is negative"),
        ("= 65.5", "= 0.0000000001", "would be rounded"),
        ("= 65.5", "= nan", "not an amount"),
        ("= 65.5", '= "many"', "not an amount"),
        ("completion = 65.5", "", "has no completion"),
        ('"RUB"', '"RUR"', "no code of ISO 4217"),
        ('"RUB"', '["RUB"]', "no code of ISO 4217"),
        ('"million tokens"', '"tokens"', "unknown unit"),
        ("checked_on = 2026-10-07", "", "has no checked_on"),
        ("checked_on = 2026-10-07", 'checked_on = "autumn"', "not a day"),
        ("valid_from = 2026-02-01", "valid_from = 2026-02-01\nvalid_to = 2026-01-01", "not after valid_from"),
        ("valid_from = 2026-02-01", 'valid_from = "soon"', "neither a day nor a time"),
        ("vat =", 'time_zone = "Moscow"\nvat =', "no time zone"),
        ("cached = 0", "cashed = 0", "cashed: there is no such key"),
        ('["GigaChat"]', '"GigaChat"', "not a list of names"),
        ('[models."GigaChat-2"]', "[model.x]", "needs a table of models"),
        ('"gigachat"', '""', "not a text"),
        ("cached = 0", "cached = 0\ncached = 1", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(old: str, new: str, said: str) -> None:
    assert old in FILE
    with pytest.raises(ConfigError) as caught:
        parsed(FILE.replace(old, new, 1))
    assert said in str(caught.value)
    assert "prices.toml" in str(caught.value)


def test_one_run_tells_of_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(FILE.replace("= 65\n", "= -1\n").replace("= 65.5", "= -2"))
    assert [each.path for each in caught.value.problems] == ["models.GigaChat-2.prompt", "models.GigaChat-2.completion"]


@pytest.mark.parametrize("text", ["", "[1]", '{"models": {}}', '{"a": 1, "a": 2}', "{", '{"models": {"m": 1}}'])
def test_json_that_is_no_price_file(text: str) -> None:
    with pytest.raises(ConfigError):
        parsed(text, "json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=5,
    ),
    st.sampled_from(
        [
            "currency",
            "unit",
            "source",
            "checked_on",
            "valid_from",
            "valid_to",
            "vat",
            "provider",
            "time_zone",
            "prompt",
            "completion",
            "cached",
            "request",
            "aliases",
        ]
    ),
)
def test_nonsense_in_a_file_is_a_typed_error(value: object, key: str) -> None:
    model = {
        "prompt": 1,
        "completion": 1,
        "currency": "RUB",
        "unit": "token",
        "source": "s",
        "checked_on": "2026-01-01",
    }
    text = json.dumps({"models": {"m": {"valid_from": "2026-01-01", **model, key: value}}})
    try:
        rows = parsed(text, "json")
    except ConfigError:
        return
    assert rows[0].model == "m"


# checks


def findings(text: str, today: date = TODAY) -> list[tuple[str, str]]:
    file = parse_price_file(text, form="toml", name="f")
    return [(each.level, each.message) for each in check_file(file, today=today, stale_after=180)]


VERSION = "[[models.m]]\nprompt = 1\ncompletion = 1\nvalid_from = {}\nvalid_to = {}\n"
HEAD = FILE.partition("[models")[0]


def test_a_sound_file_has_no_findings() -> None:
    assert findings(FILE) == []


@pytest.mark.parametrize(
    ("begin", "level", "said"),
    [
        ("2026-02-20", "error", "overlaps"),
        ("2026-02-01", "error", "two prices of m begin on"),
        ("2026-03-02", "warning", "m has no price from 2026-02-28 21:00 to 2026-03-01 21:00"),
    ],
)
def test_versions_must_meet(begin: str, level: str, said: str) -> None:
    text = HEAD + VERSION.format("2026-02-01", "2026-03-01") + VERSION.format(begin, "2026-12-01")
    (found_level, message), *rest = findings(text)
    assert (found_level, rest) == (level, [])
    assert said in message


def test_versions_that_meet_are_fine() -> None:
    text = HEAD + VERSION.format("2026-02-01", "2026-03-01") + VERSION.format("2026-03-01", "2026-12-01")
    assert findings(text) == []


def test_prices_grow_stale() -> None:
    (finding,) = findings(FILE.replace("aliases", "#"), date(2027, 6, 1))
    assert finding == ("warning", "last checked on 2026-10-07, 237 days ago")
    assert findings(FILE.replace("valid_from", "valid_to = 2027-01-01\nvalid_from"), date(2027, 6, 1)) == []


def test_a_check_in_the_future_and_swapped_numbers_are_doubtful() -> None:
    text = FILE.replace("aliases", "#").replace("2026-10-07", "2027-10-07").replace("cached = 0", "cached = 66")
    assert [message for _, message in findings(text)] == [
        "checked_on 2027-10-07 is in the future",
        "cached tokens cost more than others",
    ]


def test_stored_prices_without_a_source_are_told() -> None:
    (finding,) = check_rows([row("m", id="7")], today=TODAY, stale_after=180)
    assert (finding.level, finding.where) == ("info", "*/m (7)")


# merging


def test_a_new_version_ends_the_old_one() -> None:
    old, new = row("m", id="1"), row("m", valid_from=50, price=Price(prompt=2, completion=2))
    merged = merge([old], [new])
    assert merged.added == (new,)
    assert [(each.id, each.valid_to) for each in merged.closed] == [("1", 50)]
    assert (merged.refused, merged.confirmed) == ((), ())


def test_the_same_file_twice_changes_nothing() -> None:
    rows = parsed(FILE)
    merged = merge(
        [
            PriceRow(
                id=str(number), provider=each.provider, model=each.model, price=each.price, valid_from=each.valid_from
            )
            for number, each in enumerate(rows)
        ],
        rows,
    )
    assert (merged.added, merged.closed, merged.refused) == ((), (), ())
    assert len(merged.confirmed) == 2


@pytest.mark.parametrize(
    "new",
    [
        row("m", valid_from=10, price=Price(prompt=2, completion=2)),  # another price from the same moment
        row("m", valid_from=5, price=Price(prompt=2, completion=2)),  # from before, into it
        row("m", valid_from=15, price=Price(prompt=2, completion=2)),  # into a time that is over
    ],
)
def test_what_was_accounted_is_not_priced_anew(new: PriceRow) -> None:
    stored = row("m", id="1", valid_from=10, valid_to=20)
    merged = merge([stored], [new])
    assert merged.refused == ((stored, new),)


def test_history_may_be_filled_in_before() -> None:
    merged = merge([row("m", id="1", valid_from=10)], [row("m", valid_from=5, valid_to=10)])
    assert (len(merged.added), merged.refused, merged.closed) == (1, (), ())


versions = st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(1, 10), st.integers(1, 3)), max_size=5)


@given(st.lists(versions, max_size=4))
def test_no_import_makes_two_prices_valid_at_once(imports: list[list[tuple[int, int | None, int]]]) -> None:
    stored: list[PriceRow] = []
    for number, file in enumerate(imports):
        new = [
            row(
                "m",
                valid_from=begin,
                valid_to=None if length is None else begin + length,
                price=Price(prompt=cost, completion=cost),
            )
            for begin, length, cost in file
        ]
        clash = any(one.overlaps(two) for place, one in enumerate(new) for two in new[place + 1 :])
        merged = merge(stored, new)
        if clash or merged.refused:
            continue
        ends = {each.id: each for each in merged.closed}
        before = {each.id: each for each in stored}
        assert all(before[name].price == each.price and before[name].valid_to is None for name, each in ends.items())
        stored = [ends.get(each.id, each) for each in stored]
        stored += [
            row(
                each.model, valid_from=each.valid_from, valid_to=each.valid_to, price=each.price, id=f"{number}.{place}"
            )
            for place, each in enumerate(merged.added)
        ]
        assert not any(one.overlaps(two) for place, one in enumerate(stored) for two in stored[place + 1 :])
