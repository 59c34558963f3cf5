from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_emulators.schema_values import json_object, value_for

_LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda low, extra: {"type": "string", "minLength": low, "maxLength": low + extra},
        st.integers(0, 20),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, extra: {"type": "integer", "minimum": low, "maximum": low + extra},
        st.integers(-50, 50),
        st.integers(0, 9),
    ),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-50, 50)),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["null", "integer"]}),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=5), min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, st.integers()),
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda item, low: {"type": "array", "items": item, "minItems": low}, inner, st.integers(0, 3)),
        st.builds(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)},
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        ),
        st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=8,
)


@given(_SCHEMAS)
def test_a_value_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(value_for(schema), schema)


@given(_SCHEMAS)
def test_the_same_schema_gives_the_same_value(schema: dict[str, Any]) -> None:
    assert value_for(schema) == value_for(schema)


def test_references_are_followed() -> None:
    schema = {"$defs": {"City": {"type": "object", "properties": {"name": {"type": "string"}}}}, "$ref": "#/$defs/City"}
    assert value_for(schema, word="Пермь") == {"name": "Пермь"}


def test_a_schema_that_contains_itself_ends() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/N"}, "v": {"type": "integer"}},
        "required": ["v"],
    }
    schema = {"$defs": {"N": node}, "$ref": "#/$defs/N"}
    jsonschema.validate(value_for(schema), schema)


def test_all_of_is_merged() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]},
        ]
    }
    jsonschema.validate(value_for(schema), schema)


def test_formats_are_kept() -> None:
    assert value_for({"type": "string", "format": "date"}) == "2026-01-15"


@pytest.mark.parametrize("reference", ["#/$defs/None", "#/x/y"])
def test_a_reference_to_nowhere_is_an_error(reference: str) -> None:
    with pytest.raises(ValueError, match="the schema has no"):
        value_for({"$ref": reference})


def test_a_schema_without_an_end_is_an_error() -> None:
    schema = {
        "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "required": ["n"]}},
        "$ref": "#/$defs/N",
    }
    with pytest.raises(ValueError, match="without an end"):
        value_for(schema)


@pytest.mark.parametrize(
    ("said", "answered"),
    [("hi", '{"answer": "hi"}'), ("[1]", '{"answer": "[1]"}'), ('{"a": 1}', '{"a": 1}')],
    ids=["text", "list", "object"],
)
def test_json_mode_answers_with_an_object(said: str, answered: str) -> None:
    assert json_object(said) == answered
