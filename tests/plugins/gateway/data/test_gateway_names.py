from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ConfigError
from mlo_gateway.contracts import GatewayError, Principal
from mlo_gateway.data.names import Destination, Names

ANYBODY = Principal(key_id="k")
NAMES = Names(["giga", "local"], ["default", "fast", "local"], {"gpt": "giga/Max", "quick": "fast", "giga-2": "giga"})


def some(*patterns: str) -> Principal:
    return Principal(key_id="k", models=patterns)


@pytest.mark.parametrize(
    ("name", "route", "target"),
    [
        ("giga", None, "giga"),
        ("giga/GigaChat-2-Max", None, "giga:GigaChat-2-Max"),
        ("local/org/model:7b", None, "local:org/model:7b"),
        ("fast", "fast", None),
        ("default", "default", None),
        ("local", None, "local"),  # an instance goes before a route
        ("gpt", None, "giga:Max"),
        ("quick", "fast", None),
    ],
)
def test_a_name_leads_somewhere(name: str, route: str | None, target: str | None) -> None:
    assert NAMES.destination(name, ANYBODY) == Destination(name=name, route=route, target=target)


@pytest.mark.parametrize("name", ["", "nobody", "giga/", "/giga", "nobody/giga", "giga:Max", "fast/m", "Giga", "gpt/x"])
def test_other_names_lead_nowhere(name: str) -> None:
    with pytest.raises(GatewayError) as caught:
        NAMES.destination(name, ANYBODY)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_a_route_that_an_instance_hides_can_be_named() -> None:
    assert NAMES.destination("route:local", ANYBODY).route == "local"


def test_what_a_key_may_not_use_looks_like_what_is_not_there() -> None:
    def told(name: str, principal: Principal) -> tuple[object, ...]:
        with pytest.raises(GatewayError) as caught:
            NAMES.destination(name, principal)
        error = caught.value
        return error.status, error.code, error.type, error.param, error.message.replace(name, "NAME"), error.details

    assert told("giga", some("local")) == told("nobody", ANYBODY)
    assert told("giga", some()) == told("nobody", some("giga"))


def test_patterns_are_for_names_as_they_are_written() -> None:
    assert NAMES.destination("gpt", some("gpt")).target == "giga:Max"
    with pytest.raises(GatewayError):
        NAMES.destination("giga/Max", some("gpt"))
    assert NAMES.destination("giga/Max", some("giga/*")).target == "giga:Max"
    with pytest.raises(GatewayError):
        NAMES.destination("giga", some("giga/*"))


def test_the_list_is_what_the_key_may_use() -> None:
    assert list(NAMES.listed(ANYBODY)) == ["default", "fast", "local", "giga", "gpt", "quick", "giga-2"]
    assert list(NAMES.listed(some("g*"))) == ["giga", "gpt", "giga-2"]


def test_an_alias_that_leads_nowhere_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigError, match=r"gateway\.aliases\.gpt.*'gigga'"):
        Names(["giga"], [], {"gpt": "gigga"})


def test_aliases_are_not_followed_twice() -> None:
    with pytest.raises(ConfigError):
        Names(["giga"], [], {"a": "giga", "b": "a"})


@given(st.text(max_size=20), st.lists(st.text("abg*?[]/", max_size=4), max_size=3))
def test_no_name_gets_past_the_patterns(name: str, patterns: list[str]) -> None:
    from fnmatch import fnmatchcase

    try:
        NAMES.destination(name, some(*patterns))
    except GatewayError:
        return
    assert any(fnmatchcase(name, pattern) for pattern in patterns)
