from __future__ import annotations

import random
from typing import Literal

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from mlo_emulators.faults import BadSetting, Latency, configure, describe, setting


@frozen(kw_only=True)
class Options:
    trickle: float = setting(0.0, "seconds between pieces", bare=0.5)
    tokens: int | None = setting(None, "how many")
    form: Literal["s", "ms"] = setting("ms", "unit")
    status: Literal[413, 422] = setting(413, "status")
    strict: bool = setting(default=False, help="strict")
    models: tuple[str, ...] = setting((), "models")
    latency: Latency = setting(Latency(), "delay")


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("trickle=0.25", "trickle", 0.25),
        ("trickle", "trickle", 0.5),
        ("tokens=7", "tokens", 7),
        ("tokens=none", "tokens", None),
        ("form=s", "form", "s"),
        ("status=422", "status", 422),
        ("strict", "strict", True),
        ("strict=no", "strict", False),
        ("models=a, b", "models", ("a", "b")),
        ("latency=uniform:0.1,0.2", "latency", Latency("uniform", 0.1, 0.2)),
        ("latency=3", "latency", Latency("constant", 3.0)),
    ],
)
def test_a_pair_sets_its_field(pair: str, name: str, value: object) -> None:
    assert getattr(configure(Options(), [pair]), name) == value


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("trickl=1", "did you mean trickle"),
        ("tokens=many", "expected int|none"),
        ("tokens", "needs a value"),
        ("form=h", "expected s|ms"),
        ("strict=perhaps", "expected bool"),
        ("latency=uniform:1", "expected constant:S"),
        ("latency=gauss:1,2", "expected constant:S"),
        ("latency=constant:-1", "expected constant:S"),
    ],
)
def test_a_wrong_pair_says_what_would_fit(pair: str, said: str) -> None:
    with pytest.raises(BadSetting) as caught:
        configure(Options(), [pair])
    assert said in str(caught.value)


def test_options_describe_themselves() -> None:
    shown = {option.name: option for option in describe(Options)}
    assert next(iter(shown)) == "trickle"
    assert shown["form"].type == "s|ms"
    assert shown["tokens"].default == "none"
    assert shown["latency"].default == "constant:0"
    assert all(option.help for option in shown.values())


@given(st.floats(0, 10), st.floats(0, 10), st.sampled_from(["constant", "uniform", "lognormal"]), st.integers())
def test_latencies_are_never_negative_and_follow_the_seed(
    first: float, second: float, kind: Literal["constant", "uniform", "lognormal"], seed: int
) -> None:
    latency = Latency(kind, first, second)
    drawn = latency.sample(random.Random(seed))
    assert drawn >= 0
    assert drawn == latency.sample(random.Random(seed))


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_text_of_a_latency_reads_back(low: float, high: float) -> None:
    text = str(Latency("uniform", low, high))
    assert str(Latency.parse(text)) == text
