"""Whatever stands where something else should stand, the error is typed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest

from mlo.errors import ProtocolViolated
from mlo_ollama.inventory import model_info, needs_details
from mlo_ollama.pulling import progress_of
from mlo_ollama.reading import Reading, objects_in, response_of, vectors_in

Place: TypeAlias = tuple[str | int, ...]
NONSENSE: tuple[Any, ...] = (None, 0, 1.5, float("inf"), True, "", "x", [], [1], ["x"], [[]], [{}], {}, {"x": 1})
CALL = {"id": "c", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
LAST = {
    "model": "m",
    "message": {"role": "assistant", "content": "a", "thinking": "t", "tool_calls": [CALL]},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 3,
    "eval_count": 2,
    "logprobs": [{"token": "a"}],
}
FIRST = {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False}
LISTED = {"name": "m", "model": "m", "details": {"family": "f", "context_length": 5}, "capabilities": ["tools"]}
SHOWN = {"model_info": {"general.architecture": "a", "a.context_length": 5}, "details": {}, "capabilities": ["tools"]}


def in_a_stream(found: Mapping[str, Any]) -> None:
    reading = Reading()
    reading.events(FIRST)
    reading.events(found)


def in_lists(found: Mapping[str, Any]) -> None:
    needs_details(found)
    model_info(found, SHOWN, provider="p", hosted=False, loaded=frozenset())
    model_info({"model": "m"}, found, provider="p", hosted=False, loaded=frozenset())


READERS: dict[str, tuple[Callable[[Mapping[str, Any]], object], dict[str, Any]]] = {
    "last chunk": (in_a_stream, LAST),
    "chunk": (in_a_stream, FIRST),
    "whole": (response_of, LAST),
    "listed": (in_lists, LISTED),
    "shown": (in_lists, SHOWN),
    "pull": (progress_of, {"status": "s", "digest": "d", "total": 5, "completed": 3}),
    "vectors": (lambda found: vectors_in(found, 1), {"embeddings": [[0.5]]}),
    "models": (lambda found: objects_in(found, "models"), {"models": [{"model": "m"}]}),
}


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield (*above, name)
        yield from places(item, (*above, name))


def with_nonsense(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in places(sample):
        for nonsense in NONSENSE:
            changed = copy.deepcopy(sample)
            *way, last = place
            inner: Any = changed
            for step in way:
                inner = inner[step]
            inner[last] = nonsense
            yield changed


@pytest.mark.parametrize(("read", "sample"), READERS.values(), ids=list(READERS))
def test_nonsense_is_a_typed_error(read: Callable[[Mapping[str, Any]], object], sample: dict[str, Any]) -> None:
    read(sample)
    outcomes = set()
    for changed in with_nonsense(sample):
        try:
            outcomes.add(type(read(changed)))
        except ProtocolViolated as error:
            outcomes.add(type(error))
    assert outcomes
