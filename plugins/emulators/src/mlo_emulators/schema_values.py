"""A value that fits a JSON Schema, always the same one: what an emulated model answers when it has to follow a schema.

Known: type (also a list), properties, required, items, prefixItems, minItems, enum, const, default, anyOf, oneOf,
allOf (merged), $ref into the same document, minLength, maxLength, minimum, maximum and their exclusive forms,
multipleOf, and the formats date, date-time, time, email, uri, uuid.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["json_object", "value_for"]

_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "email": "user@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_DEPTH = 12  # a schema may refer to itself

Schema = Mapping[str, Any]


def value_for(schema: Schema, *, word: str = "пример") -> Any:
    """A value that fits ``schema``. Free strings are ``word``.

    Raises:
        ValueError: for a ``$ref`` that leads nowhere or a schema that never ends.
    """
    return _Sampler(schema, word).value(schema, 0)


class _Sampler:
    def __init__(self, root: Schema, word: str) -> None:
        self._root, self._word = root, word

    def value(self, schema: Any, depth: int) -> Any:
        if schema is True or schema == {}:
            return self._word
        if depth > _DEPTH:
            raise ValueError("the schema refers to itself without an end")
        schema = self._resolved(schema)
        for fixed in ("const", "default"):
            if fixed in schema:
                return schema[fixed]
        if schema.get("enum"):
            return schema["enum"][0]
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                return self.value(self._easiest(schema[choice]), depth + 1)
        return self._typed(_type_of(schema), schema, depth)

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            schema = {**self._target(schema["$ref"]), **{key: schema[key] for key in schema if key != "$ref"}}
            return self._resolved(schema)
        merged = dict(schema)
        for part in merged.pop("allOf", ()):
            resolved = self._resolved(part)
            properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
            required = [*merged.get("required", []), *resolved.get("required", [])]
            merged |= resolved
            if properties:
                merged |= {"properties": properties, "required": required}
        return merged

    def _target(self, reference: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if not isinstance(found, Mapping) or step not in found:
                raise ValueError(f"the schema has no {reference!r}")
            found = found[step]
        return found if isinstance(found, Mapping) else {}

    @staticmethod
    def _easiest(choices: Sequence[Any]) -> Any:
        simple = [choice for choice in choices if isinstance(choice, Mapping) and "$ref" not in choice]
        return next((choice for choice in simple if choice.get("type") != "null"), choices[0])

    def _typed(self, kind: str, schema: Schema, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer" | "number":
                return _number(kind, schema)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = set(schema.get("required", properties))
        deep = depth > _DEPTH // 2  # optional parts are what makes recursive schemas endless
        return {name: self.value(part, depth + 1) for name, part in properties.items() if name in required or not deep}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        first = [self.value(part, depth + 1) for part in schema.get("prefixItems", ())]
        shortest = schema.get("minItems", 0 if depth > _DEPTH // 2 or first else 1)
        items = schema.get("items", {})
        return first + [self.value(items, depth + 1) for _ in range(shortest - len(first))]

    def _string(self, schema: Schema) -> str:
        text = _FORMATS.get(schema.get("format", ""), self._word)
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
        if len(text) < shortest:
            text = (text or "я") * math.ceil(shortest / max(len(text), 1))
            text = text[:shortest]
        return text if longest is None else text[:longest]


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _number(kind: str, schema: Schema) -> float:
    step = schema.get("multipleOf", 1 if kind == "integer" else 0.5)
    lowest = schema.get("minimum", -math.inf)
    if "exclusiveMinimum" in schema:
        lowest = max(lowest, schema["exclusiveMinimum"] + step)
    highest = schema.get("maximum", math.inf)
    if "exclusiveMaximum" in schema:
        highest = min(highest, schema["exclusiveMaximum"] - step)
    value = min(max(step, lowest), highest)
    rounded = math.ceil(value / step) * step
    value = rounded if rounded <= highest else value
    return int(value) if kind == "integer" else float(value)


def json_object(said: str) -> str:
    """What a model in JSON mode answers instead of ``said``: an object around it, unless it is one already."""
    try:
        is_object = isinstance(json.loads(said), dict)
    except ValueError:
        is_object = False
    return said if is_object else json.dumps({"answer": said}, ensure_ascii=False)
