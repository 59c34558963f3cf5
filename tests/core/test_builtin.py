from __future__ import annotations

from typing import Any, cast

import pytest

from mlo._builtin import FirstAvailable, FirstAvailableConfig, mlo_strategies
from mlo.requests import ChatRequest
from mlo.routing import Target


def target(name: str) -> Target:
    return Target(name=name, provider=name, stats=cast("Any", None))


@pytest.mark.parametrize("names", [["a"], ["b", "a", "c"]], ids=["one", "three"])
def test_targets_are_proposed_in_order(names: list[str]) -> None:
    (spec,) = mlo_strategies()
    strategy = spec.build(FirstAvailableConfig())
    assert isinstance(strategy, FirstAvailable)
    request = ChatRequest(messages=())
    steps = list(strategy.route(request, [target(name) for name in names]))
    assert [[each.name for each in step.targets] for step in steps] == [[name] for name in names]
