"""What a call costs: exact integers, kinds of tokens apart."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo import Usage
from mlo.models import Money, Price

NANO = st.integers(0, 10**13)
TOKENS = st.integers(0, 10**7)
MILLION = 10**6
PRICE = Price(prompt=200 * 10**9, completion=400 * 10**9)  # roubles per million tokens


def test_prompt_and_completion() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=500).priced(PRICE)
    assert usage.cost == Money(400_000_000, "RUB")


@pytest.mark.parametrize(
    ("price", "cost"),
    [
        (PRICE, 200_000 * 100 + 400_000 * 50),
        (Price(prompt=PRICE.prompt, completion=PRICE.completion, cached=0), 200_000 * 60 + 400_000 * 50),
        (Price(prompt=PRICE.prompt, completion=PRICE.completion, tool=10**9), 200_000 * 90 + 1_000 * 10 + 400_000 * 50),
        (
            Price(prompt=PRICE.prompt, completion=PRICE.completion, reasoning=10**9),
            200_000 * 100 + 400_000 * 30 + 1_000 * 20,
        ),
        (Price(prompt=0, completion=0, request=77), 77),
        (
            Price(prompt=PRICE.prompt, completion=0, cached=10**9, tool=0, reasoning=0, request=5),
            200_000 * 50 + 1_000 * 40 + 5,
        ),
    ],
)
def test_kinds_of_tokens_have_prices_of_their_own(price: Price, cost: int) -> None:
    usage = Usage(prompt_tokens=100, completion_tokens=50, cached_tokens=40, tool_tokens=10, reasoning_tokens=20)
    assert usage.priced(price).cost == Money(cost, "RUB")


@given(
    numbers=st.tuples(NANO, NANO),
    own=st.tuples(*[st.none() | NANO] * 3),
    request=NANO,
    counts=st.tuples(*[TOKENS] * 5),
)
def test_costs_are_exact(
    numbers: tuple[int, int],
    own: tuple[int | None, int | None, int | None],
    request: int,
    counts: tuple[int, int, int, int, int],
) -> None:
    prompt, completion, cached, tool, reasoning = counts
    price = Price(
        prompt=numbers[0], completion=numbers[1], cached=own[0], tool=own[1], reasoning=own[2], request=request
    )
    usage = Usage(
        prompt_tokens=prompt + cached + tool,
        completion_tokens=completion + reasoning,
        cached_tokens=cached,
        tool_tokens=tool,
        reasoning_tokens=reasoning,
    )
    rates = [numbers[0], numbers[1], *(rate if rate is not None else numbers[i > 1] for i, rate in enumerate(own))]
    exact = sum(Fraction(count * rate, MILLION) for count, rate in zip(counts, rates, strict=True)) + request
    found = usage.priced(price).cost
    assert found is not None
    assert isinstance(found.nano, int)
    assert Fraction(-1, 2) < found.nano - exact <= Fraction(1, 2)


@pytest.mark.parametrize("usage", [Usage(), Usage(prompt_tokens=5), Usage(completion_tokens=5, cost=Money(7))])
def test_a_count_that_is_unknown_makes_the_cost_unknown(usage: Usage) -> None:
    assert usage.priced(PRICE).cost is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt_tokens=5, completion_tokens=0, cached_tokens=9),
        Usage(prompt_tokens=5, completion_tokens=0, cached_tokens=3, tool_tokens=4),
        Usage(prompt_tokens=0, completion_tokens=5, reasoning_tokens=9),
    ],
)
def test_nonsensical_counts_never_make_a_negative_share(usage: Usage) -> None:
    only_main = Price(prompt=MILLION, completion=MILLION, cached=0, tool=0, reasoning=0)
    assert usage.priced(only_main).cost == Money(0)


def test_where_a_price_is_from_makes_no_other_price() -> None:
    one = Price(prompt=1, completion=2, source="list", checked_on="2026-01-01")
    assert one == Price(prompt=1, completion=2)
    assert (one.source, one.checked_on) == ("list", "2026-01-01")
