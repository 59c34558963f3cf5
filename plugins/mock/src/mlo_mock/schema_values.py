"""The smallest honest value that fits a JSON Schema. Deterministic; no randomness and no I/O.

Understood: ``type``, ``enum``, ``const``, ``properties``, ``required``, ``items``, ``prefixItems``, the bounds of
arrays, strings and numbers, ``multipleOf``, common ``format`` names, ``anyOf``/``oneOf`` (the first branch), ``allOf``
(merged) and local ``$ref``. What cannot be honoured is refused, never ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count, islice
from typing import Any, TypeAlias

__all__ = ["SchemaRefused", "value_for"]

Schema: TypeAlias = Mapping[str, Any]
Subschema: TypeAlias = Schema | bool

_REFUSED = frozenset({
    "contains", "dependentRequired", "dependentSchemas", "if", "not", "pattern", "patternProperties", "propertyNames",
})  # fmt: skip
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1M",
    "email": "user@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 32
_LARGEST = 10_000  # characters, items, properties, and values in all: a few bytes of schema can ask for gigabytes
_OPTIONAL_DEPTH = 3  # optional properties are left out below this depth, so that recursive schemas end


class SchemaRefused(ValueError):
    """No value can be made for the schema; the message says which keyword, where, and what to do instead."""


def value_for(schema: Schema) -> Any:
    """A value that fits ``schema``.

    Raises:
        SchemaRefused: when a keyword is not understood, or nothing finite fits.
    """
    return _Maker(schema).value(schema, "$", "text", 0)


def _refuse(path: str, why: str) -> SchemaRefused:
    return SchemaRefused(f"the mock cannot make a value for the JSON schema at {path}: {why}; give a fixed `answer`")


class _Maker:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = _LARGEST

    def value(self, schema: Subschema, path: str, name: str, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _refuse("$", f"it asks for more than {_LARGEST} values")
        if isinstance(schema, bool):
            if not schema:
                raise _refuse(path, "`false` allows nothing")
            return name
        if depth > _DEEPEST:
            raise _refuse(path, f"it is nested more than {_DEEPEST} deep, perhaps without an end")
        schema = self._flat(schema, path, 0)
        if unknown := sorted(_REFUSED & schema.keys()):
            raise _refuse(path, f"`{unknown[0]}` is not understood")
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return _first(schema["enum"], path, "enum")
        return self._by_type(_type(schema, path), schema, path, name, depth)

    def _flat(self, schema: Schema, path: str, hops: int) -> Schema:
        """``schema`` with its references followed and its combinations merged in."""
        if hops > _DEEPEST:
            raise _refuse(path, "`$ref` goes round in circles")
        flat: Schema = {key: value for key, value in schema.items() if key not in {"$ref", "allOf", "anyOf", "oneOf"}}
        branches = list(schema.get("allOf", ()))
        branches += [_first(schema[key], path, key) for key in ("anyOf", "oneOf") if key in schema]
        if "$ref" in schema:
            branches.append(self._resolve(schema["$ref"], path))
        for branch in branches:
            if isinstance(branch, bool):
                if not branch:
                    raise _refuse(path, "`false` allows nothing")
                continue
            flat = _merged(flat, self._flat(branch, path, hops + 1))
        return flat

    def _resolve(self, reference: str, path: str) -> Subschema:
        if not reference.startswith("#"):
            raise _refuse(path, f"`$ref` to another document ({reference!r})")
        found: Any = self._root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise _refuse(path, f"`$ref` {reference!r} leads nowhere") from error
        if not isinstance(found, Mapping | bool):
            raise _refuse(path, f"`$ref` {reference!r} does not lead to a schema")
        return found

    def _by_type(self, kind: str, schema: Schema, path: str, name: str, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, path, depth)
            case "array":
                return self._array(schema, path, name, depth)
            case "string":
                return _string(schema, path, name)
            case "integer" | "number":
                return _number(schema, path, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                raise _refuse(path, f"type {kind!r} is not understood")

    def _object(self, schema: Schema, path: str, depth: int) -> dict[str, Any]:
        properties: Schema = schema.get("properties", {})
        others: Subschema = schema.get("additionalProperties", True)
        least, most = _bounds(schema, path, "minProperties", "maxProperties")
        required = list(dict.fromkeys(schema.get("required", ())))
        optional = [key for key, inner in properties.items() if key not in required and inner is not False]
        if len(required) > most:
            raise _refuse(path, f"more properties are required than `maxProperties` {most} allows")
        room = most if depth < _OPTIONAL_DEPTH else least
        chosen = {*required, *optional[: int(max(0, min(room - len(required), len(optional))))]}
        wanted = [*(key for key in properties if key in chosen), *(key for key in required if key not in properties)]
        invented = (f"key{number}" for number in count(1))
        wanted += islice((key for key in invented if key not in {*properties, *wanted}), max(0, least - len(wanted)))
        return {key: self.value(properties.get(key, others), f"{path}.{key}", key, depth + 1) for key in wanted}

    def _array(self, schema: Schema, path: str, name: str, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", ())
        items = schema.get("items", True)
        least, most = _bounds(schema, path, "minItems", "maxItems")
        some = 0 if items is False or depth > _OPTIONAL_DEPTH else 1
        length = min(max(least, len(prefix) or some), most)
        places = [prefix[index] if index < len(prefix) else items for index in range(int(length))]
        values = [
            self.value(place, f"{path}[{index}]", name if not index else f"{name}{index + 1}", depth + 1)
            for index, place in enumerate(places)
        ]
        if schema.get("uniqueItems") and any(value in values[:index] for index, value in enumerate(values)):
            raise _refuse(path, "`uniqueItems` together with `minItems` above 1")
        return values


def _first(choices: Any, path: str, keyword: str) -> Any:
    if not choices:
        raise _refuse(path, f"`{keyword}` is empty")
    return choices[0]


def _merged(left: Schema, right: Schema) -> Schema:
    """Both schemas as one: properties and required names add up, of bounds the narrower holds, else ``right`` wins."""
    both: dict[str, Any] = {**left, **right}
    for key in left.keys() & right.keys():
        if key in {"properties", "$defs", "definitions"}:
            both[key] = {**left[key], **right[key]}
        elif key == "required":
            both[key] = list(dict.fromkeys([*left[key], *right[key]]))
        elif key.startswith(("min", "exclusiveMin")):
            both[key] = max(left[key], right[key])
        elif key.startswith(("max", "exclusiveMax")):
            both[key] = min(left[key], right[key])
    return both


_TYPE_HINTS = (
    ("object", ("properties", "required", "additionalProperties", "minProperties", "maxProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


def _type(schema: Schema, path: str) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = _first(kind, path, "type")
    if kind is not None:
        return str(kind)
    return next((hint for hint, keys in _TYPE_HINTS if any(key in schema for key in keys)), "string")


def _bounds(schema: Schema, path: str, low: str, high: str) -> tuple[int, float]:
    least, most = schema.get(low, 0), schema.get(high, math.inf)
    if least > most:
        raise _refuse(path, f"`{low}` {least} is above `{high}` {most}")
    if least > _LARGEST:
        raise _refuse(path, f"`{low}` {least} is above {_LARGEST}")
    return least, most


def _string(schema: Schema, path: str, name: str) -> str:
    least, most = _bounds(schema, path, "minLength", "maxLength")
    known = _FORMATS.get(schema.get("format", ""))
    if known is not None:
        if not least <= len(known) <= most:
            raise _refuse(path, f"`format` {schema['format']!r} together with these lengths")
        return known
    text = name.ljust(least, "x")
    return text if len(text) <= most else text[: int(most)]


def _number(schema: Schema, path: str, *, whole: bool) -> float | int:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    step = schema.get("multipleOf", 1 if whole else None)
    if whole and step != int(step):
        raise _refuse(path, f"an integer that is a multiple of {step}")
    for value in _candidates(max(low, above), min(high, below), step):
        if low <= value <= high and above < value < below:
            return int(value) if whole else value
    raise _refuse(path, "no number lies within the bounds")


def _candidates(floor: float, ceiling: float, step: float | None) -> list[float]:
    """A few numbers, the friendliest first, one of which fits if any does."""
    if step is not None:
        start = 0 if floor == -math.inf else math.ceil(floor / step)
        end = 0 if ceiling == math.inf else math.floor(ceiling / step)
        return [multiple * step for multiple in (1, 0, start, start + 1, end, end - 1)]
    if math.isfinite(floor) and math.isfinite(ceiling):
        return [1, 0, (floor + ceiling) / 2, floor, ceiling]
    finite = floor if math.isfinite(floor) else ceiling
    return [1, 0] if math.isinf(finite) else [1, 0, finite, finite + 1, finite - 1]
