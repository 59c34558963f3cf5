from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo._config import check_routes
from mlo._routes import parse_target, route_faults
from mlo.errors import ConfigError
from mlo.settings import ProviderSettings, RouteSettings, Settings

PROVIDERS = {"giga": ProviderSettings(use="mock"), "local": ProviderSettings(use="mock")}


def refused(**routes: list[str]) -> str:
    settings = Settings(
        providers=PROVIDERS, routes={name: RouteSettings(targets=tuple(targets)) for name, targets in routes.items()}
    )
    with pytest.raises(ConfigError) as caught:
        check_routes(settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("target", "instance", "model"),
    [
        ("giga", "giga", None),
        ("giga:GigaChat-2", "giga", "GigaChat-2"),
        ("yandex:yandexgpt-lite/latest", "yandex", "yandexgpt-lite/latest"),
        ("local:qwen2.5:7b", "local", "qwen2.5:7b"),
    ],
)
def test_targets_are_an_instance_and_perhaps_a_model(target: str, instance: str, model: str | None) -> None:
    assert parse_target(target) == (instance, model)


def test_sound_routes_pass() -> None:
    routes = {"a": RouteSettings(targets=("giga:x:y/z", "route:b")), "b": RouteSettings(targets=("local",))}
    check_routes(Settings(providers=PROVIDERS, routes=routes))
    assert route_faults(PROVIDERS, routes) == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gigga", "routes.a.targets[0]: unknown provider instance 'gigga' (did you mean 'giga'?)"),
        ("xyz:m", "unknown provider instance 'xyz' (known: giga, local)"),
        ("giga:", "names no model after the colon"),
        ("route:b", "unknown route 'b' (known: a)"),
        ("", "unknown provider instance ''"),
    ],
)
def test_targets_that_lead_nowhere(target: str, message: str) -> None:
    assert message in refused(a=[target])


def test_a_route_needs_targets() -> None:
    assert refused(a=[]) == "routes.a.targets: a route needs at least one target"


def test_a_target_stands_once_in_a_route() -> None:
    assert "routes.a.targets[1]: the target 'giga' is listed twice" in refused(a=["giga", "giga"])


@pytest.mark.parametrize(
    ("routes", "circle"),
    [
        ({"a": ["route:a"]}, "route:a -> route:a"),
        ({"a": ["giga", "route:b"], "b": ["route:a"]}, "route:a -> route:b -> route:a"),
        ({"x": ["route:a"], "a": ["route:b"], "b": ["route:a"]}, "route:a -> route:b -> route:a"),
    ],
)
def test_circles_are_shown(routes: dict[str, list[str]], circle: str) -> None:
    assert f"routes lead in a circle: {circle}" in refused(**routes)


def test_each_circle_is_told_once() -> None:
    assert "2 problems" in refused(a=["route:b"], b=["route:a"], c=["route:c"], d=["route:a"])


def test_two_ways_to_one_route_are_no_circle() -> None:
    routes = {
        "top": RouteSettings(targets=("route:a", "route:b")),
        "a": RouteSettings(targets=("route:end",)),
        "b": RouteSettings(targets=("route:end",)),
        "end": RouteSettings(targets=("giga",)),
    }
    assert route_faults(PROVIDERS, routes) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10, unique=True))
def test_a_circle_is_found_exactly_when_there_is_one(edges: list[tuple[int, int]]) -> None:
    names = {number: [f"route:{end}" for start, end in edges if start == number] for number in range(6)}
    routes = {str(number): RouteSettings(targets=("giga", *targets)) for number, targets in names.items()}
    reach = {number: {end for start, end in edges if start == number} for number in range(6)}
    for _ in range(6):
        reach = {start: ends | {far for end in ends for far in reach[end]} for start, ends in reach.items()}
    assert bool(route_faults(PROVIDERS, routes)) == any(start in ends for start, ends in reach.items())
