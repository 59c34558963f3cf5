"""Tool schemas on their way to GigaChat, and the arguments on their way back."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import Unsupported
from mlo.messages import ToolDef
from mlo_emulators.gigachat import Options
from mlo_emulators.gigachat.prompt import Function, Turn
from mlo_emulators.gigachat.rules import check_functions
from mlo_emulators.schema_values import value_for
from mlo_gigachat.schemas import PLACEHOLDER, Fitted, fitted


def fit(properties: dict[str, Any], **more: Any) -> Fitted:
    schema = {"type": "object", "properties": properties, "required": sorted(properties), **more}
    return fitted(ToolDef(name="f", parameters=schema))


def rewritten(part: dict[str, Any], **more: Any) -> Any:
    return fit({"x": part}, **more).parameters["properties"]["x"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "string", "description": "d"}, {"type": "string", "description": "d"}),
        ({"anyOf": [{"type": "string"}]}, {"type": "string"}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "d"},
            {"type": "integer", "description": "d"},
        ),
        ({"type": ["string", "null"]}, {"type": "string"}),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"type": "number"}),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "string", "enum": ["1", "2"]}),
        ({"const": True}, {"type": "string", "enum": ["true"]}),
        ({"enum": ["a", None]}, {"type": "string", "enum": ["a", "null"]}),
        ({"type": "array", "items": {"enum": [1]}}, {"type": "array", "items": {"type": "string", "enum": ["1"]}}),
        ({"allOf": [{"type": "string"}, {"description": "d"}]}, {"type": "string", "description": "d"}),
        ({"type": "string", "title": "X", "default": "a"}, {"type": "string"}),
    ],
)
def test_a_schema_is_rewritten(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert rewritten(before) == after


def test_references_are_written_out() -> None:
    city = {"type": "object", "properties": {"name": {"type": "string"}}, "title": "City"}
    assert rewritten({"$ref": "#/$defs/City"}, **{"$defs": {"City": city}}) == {
        "type": "object",
        "properties": {"name": {"type": "string"}},
    }


def test_definitions_do_not_go_to_the_wire() -> None:
    assert "$defs" not in fit({"x": {"type": "string"}}, **{"$defs": {}}).parameters


@pytest.mark.parametrize(
    ("part", "path", "said"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "object", "properties": {}}]}, "properties.x.anyOf", "alternatives"),
        ({"type": ["string", "integer"]}, "properties.x", "types string, integer"),
        ({"type": "object"}, "properties.x", "any content"),
        ({"type": "array", "items": {"type": "object"}}, "properties.x.items", "any content"),
        ({"type": "array", "items": {"type": ["integer", "null"]}}, "properties.x.items", "null among"),
        ({"$ref": "#/$defs/Missing"}, "properties.x", "not in this schema"),
        ({"$ref": "https://example.com/s"}, "properties.x", "not in this schema"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "properties.x.allOf", "disagree"),
        ({"enum": [1, "1"]}, "properties.x", "differ only in their type"),
        ({"enum": []}, "properties.x", "without values"),
        (True, "properties.x", "must be an object"),
    ],
)
def test_what_cannot_be_rewritten_is_refused_with_its_path(part: Any, path: str, said: str) -> None:
    with pytest.raises(Unsupported) as caught:
        rewritten(part)
    assert f"tools.f.parameters.{path}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_schema_that_contains_itself_is_refused() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}
    with pytest.raises(Unsupported, match="contains itself"):
        rewritten({"$ref": "#/$defs/N"}, **{"$defs": {"N": node}})


def test_a_reference_to_itself_is_refused() -> None:
    with pytest.raises(Unsupported, match="refers to itself"):
        rewritten({"$ref": "#/$defs/N"}, **{"$defs": {"N": {"$ref": "#/$defs/N"}}})


@pytest.mark.parametrize("parameters", [{}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_function_without_arguments_gets_a_placeholder_that_vanishes(parameters: dict[str, Any]) -> None:
    found = fitted(ToolDef(name="now", parameters=parameters))
    assert list(found.parameters["properties"]) == [PLACEHOLDER]
    assert found.restored({PLACEHOLDER: "x"}) == {}


def test_values_come_back_as_they_were() -> None:
    found = fit({"n": {"enum": [1, 2]}, "l": {"type": "array", "items": {"enum": [True, False]}}})
    assert found.restored({"n": "2", "l": ["false", "true"]}) == {"n": 2, "l": [False, True]}


def test_a_null_that_was_required_comes_back() -> None:
    found = fit({"a": {"type": ["string", "null"]}, "b": {"anyOf": [{"enum": [1]}, {"type": "null"}]}})
    assert "required" not in found.parameters
    assert found.restored({}) == {"a": None, "b": None}
    assert found.restored({"a": "x", "b": "1"}) == {"a": "x", "b": 1}


@pytest.mark.parametrize("odd", ["text", 5, None, {"x": 7}, {"x": ["unknown"]}])
def test_arguments_of_an_unexpected_shape_are_left_alone(odd: Any) -> None:
    assert fit({"x": {"enum": [1, 2]}}).restored(odd) == odd


_LEAVES = st.one_of(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer"},
            {"type": "boolean"},
            {"enum": [1, 2]},
            {"const": 1.5},
            {"type": ["integer", "null"]},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            {"oneOf": [{"enum": ["a"]}, {"const": 3}]},
            {"$ref": "#/$defs/Leaf"},
        ]
    )
)
_PARTS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item}, inner.filter(lambda part: "null" not in str(part))),
        st.builds(
            lambda parts, extra: {"type": "object", "properties": parts, "required": sorted(parts)[extra:]},
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1),
            st.integers(0, 2),
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["one", "two"]), _PARTS), st.booleans())
def test_arguments_for_the_rewritten_schema_fit_the_original_one(parts: dict[str, Any], sparse: bool) -> None:
    original = {
        "type": "object",
        "properties": parts,
        "required": sorted(parts),
        "$defs": {"Leaf": {"enum": [7, 8]}},
    }
    found = fitted(ToolDef(name="f", parameters=original))
    check_functions([Function(name="f", parameters=found.parameters)], [Turn(role="user")], Options())
    arguments = value_for(found.parameters)
    if sparse:
        arguments = {key: arguments[key] for key in found.parameters.get("required", ())}
    jsonschema.validate(arguments, found.parameters)
    jsonschema.validate(found.restored(arguments), original)
