from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlo_mock.schema_values import SchemaRefused, value_for


def fits(schema: dict[str, Any]) -> Any:
    Draft202012Validator.check_schema(schema)
    value = value_for(schema)
    Draft202012Validator(schema).validate(value)
    return value


def test_a_nested_object_has_all_its_properties() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "integer"}}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert fits(schema) == {"name": "name", "tags": [1]}


SCHEMAS: dict[str, dict[str, Any]] = {
    "const": {"const": {"a": 1}},
    "enum": {"enum": ["б", "а"]},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "type list": {"type": ["null", "string"]},
    "min length": {"type": "string", "minLength": 40},
    "max length": {"type": "string", "maxLength": 2},
    "email": {"type": "string", "format": "email"},
    "date": {"type": "string", "format": "date-time"},
    "exclusive": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    "negative": {"type": "integer", "maximum": -3},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 100},
    "multiple below": {"type": "integer", "multipleOf": 7, "maximum": -100},
    "min items": {"type": "array", "minItems": 3, "items": {"type": "string"}},
    "unique": {"type": "array", "minItems": 3, "items": {"type": "string"}, "uniqueItems": True},
    "no items": {"type": "array", "maxItems": 0},
    "prefix": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "any items": {"type": "array"},
    "any of": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    "tighter": {"allOf": [{"type": "integer", "minimum": 3}, {"minimum": 8, "maximum": 20}, {"maximum": 9}]},
    "required only": {"type": "object", "required": ["x"]},
    "min properties": {"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}},
    "no type": {"properties": {"a": {"minimum": 5}}},
    "true": {"type": "object", "properties": {"a": True}},
    "ref": {"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}},
    "escaped ref": {"$defs": {"a/b~c": {"type": "null"}}, "$ref": "#/$defs/a~1b~0c"},
    "ref into a list": {"prefixItems": [{"type": "null"}, {"$ref": "#/prefixItems/0"}], "items": False},
    "recursive": {
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                    "next": {"$ref": "#/$defs/tree"},
                },
                "required": ["value", "children"],
            }
        },
        "$ref": "#/$defs/tree",
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_value_fits(name: str) -> None:
    assert fits(SCHEMAS[name]) is not NotImplemented


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "string", "pattern": "a"}, "`pattern` is not understood"),
        ({"not": {"type": "string"}}, "`not` is not understood"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, r"at \$\.a: `false` allows nothing"),
        ({"enum": []}, "`enum` is empty"),
        ({"anyOf": []}, "`anyOf` is empty"),
        ({"anyOf": [False]}, "`false` allows nothing"),
        ({"$ref": "other.json"}, "another document"),
        ({"$ref": "#/$defs/nowhere"}, "leads nowhere"),
        ({"title": "x", "$ref": "#/title"}, "does not lead to a schema"),
        ({"$ref": "#"}, "goes round in circles"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number lies within the bounds"),
        ({"type": "integer", "multipleOf": 0.5}, "an integer that is a multiple of 0.5"),
        ({"type": "string", "minLength": 5, "maxLength": 4}, "`minLength` 5 is above `maxLength` 4"),
        ({"type": "string", "format": "email", "maxLength": 4}, "`format` 'email' together with these lengths"),
        ({"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True}, "`uniqueItems`"),
        ({"type": "fancy"}, "type 'fancy' is not understood"),
        (
            {"$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}}, "$ref": "#/$defs/a"},
            "nested more than 32 deep",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(SchemaRefused, match=reason):
        value_for(schema)


NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={
        "minimum": st.integers(-50, 50),
        "maximum": st.integers(-50, 50),
        "exclusiveMinimum": st.integers(-50, 50),
        "exclusiveMaximum": st.integers(-50, 50),
        "multipleOf": st.integers(1, 9),
    },
)
STRINGS = st.fixed_dictionaries(
    {"type": st.just("string")}, optional={"minLength": st.integers(0, 9), "maxLength": st.integers(0, 9)}
)
LEAVES = NUMBERS | STRINGS | st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": [1, "а", None]}, {}])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["a", "b", "c"])
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "required": st.lists(names, unique=True, max_size=3),
            "minProperties": st.integers(0, 4),
            "additionalProperties": inner | st.booleans(),
        },
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": st.integers(0, 3),
            "maxItems": st.integers(0, 4),
        },
    )


SCHEMA = st.recursive(
    LEAVES,
    lambda inner: (
        objects(inner) | arrays(inner) | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)})
    ),
)


@given(SCHEMA)
def test_a_value_that_is_made_fits(schema: dict[str, Any]) -> None:
    try:
        value = value_for(schema)
    except SchemaRefused as refusal:
        assert "give a fixed `answer`" in str(refusal)
        return
    assert list(Draft202012Validator(schema).iter_errors(value)) == []
    assert value_for(schema) == value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**12},
        {"type": "array", "minItems": 10**12},
        {"type": "object", "minProperties": 10**12},
        {"type": "array", "minItems": 9_000, "items": {"type": "array", "minItems": 9_000}},
    ],
    ids=["string", "array", "object", "nested"],
)
def test_a_small_schema_cannot_ask_for_a_huge_value(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaRefused, match="10000"):
        value_for(schema)
