"""JSON Schemas of tools in the subset that GigaChat accepts, and the way back for the arguments.

GigaChat rejects ``anyOf``/``oneOf``/``allOf``/``$ref``, enums that are not text, and objects without properties. They
are rewritten where an argument that fits the new schema can be turned into one that fits the old one:

=====================================  ================================================  ==========================
in the tool                            on the wire                                       in the answer's arguments
=====================================  ================================================  ==========================
``$ref``, ``allOf``                    written out, merged
``anyOf`` of X and null, type lists    X, not required                                   absent becomes ``null``
``anyOf`` of enums                     one enum
``enum`` or ``const`` of other values  their JSON as text                                the value again
no properties at all                   one optional placeholder                          the placeholder is removed
=====================================  ================================================  ==========================

Anything else is refused with the path of the place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from mlo.errors import Unsupported
from mlo.messages import ToolDef

__all__ = ["PLACEHOLDER", "Fitted", "fitted"]

PLACEHOLDER = "no_arguments"
_DROPPED = frozenset({"$defs", "definitions", "$schema", "$id", "$comment", "title", "additionalProperties", "default"})
_DEPTH = 32

Schema = Mapping[str, Any]


@frozen
class _Repair:
    """How to turn a value that fits the new schema into one that fits the old one; ``nulls`` are keys to add."""

    values: Mapping[str, Any] | None = None
    properties: Mapping[str, _Repair] = field(factory=dict)
    items: _Repair | None = None
    nulls: frozenset[str] = frozenset()
    emptied: bool = False

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.values or self.properties or self.items or self.nulls or self.emptied)

    def apply(self, value: Any) -> Any:
        """The repaired value; what does not have the expected shape stays as it is."""
        if self.values is not None:
            return self.values.get(value, value) if isinstance(value, str) else value
        if isinstance(value, list) and self.items is not None:
            return [self.items.apply(item) for item in value]
        return self._object(value) if isinstance(value, dict) else value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        if self.emptied:
            return {key: part for key, part in value.items() if key != PLACEHOLDER}
        repaired = {
            key: self.properties[key].apply(part) if key in self.properties else part for key, part in value.items()
        }
        return {**repaired, **{key: None for key in self.nulls if key not in repaired}}


_NOTHING = _Repair()


@frozen
class Fitted:
    """A tool's parameters as they go to the wire, and the way back."""

    parameters: Schema
    _repair: _Repair = field(repr=False)

    def restored(self, arguments: Any) -> Any:
        """Arguments that the model wrote for :attr:`parameters`, as the tool's own schema has them."""
        return self._repair.apply(arguments) if self._repair.needed else arguments


def fitted(tool: ToolDef) -> Fitted:
    """The parameters of ``tool`` for GigaChat.

    Raises:
        Unsupported: where rewriting would change the meaning; names the path.
    """
    schema = tool.parameters or {"type": "object", "properties": {}}
    new, repair = _Rewriter(schema).rewrite(schema, f"tools.{tool.name}.parameters", 0, top=True)
    return Fitted(new, repair)


class _Rewriter:
    def __init__(self, root: Schema) -> None:
        self._root = root

    def rewrite(self, schema: Any, where: str, depth: int, *, top: bool = False) -> tuple[dict[str, Any], _Repair]:
        if not isinstance(schema, Mapping):
            raise _refused(where, "a schema must be an object here")
        if depth > _DEPTH:
            raise _refused(where, "it contains itself, which cannot be written out")
        schema = self._merged(self._united(self._resolved(schema, where, depth), where, depth), where, depth)
        if "enum" in schema or "const" in schema:
            return _enumeration(schema, where)
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = self._one_type(kind, where)
        kept = {key: value for key, value in schema.items() if key not in _DROPPED}
        if kind is not None:
            kept["type"] = kind
        if kind == "object":
            return self._object(kept, schema, where, depth, top=top)
        if "items" in kept:
            if self._nullable(kept["items"], where, depth):
                raise _refused(f"{where}.items", "null among the items of a list")
            kept["items"], repair = self.rewrite(kept["items"], f"{where}.items", depth + 1)
            return kept, _Repair(items=repair) if repair.needed else _NOTHING
        return kept, _NOTHING

    def _object(
        self, kept: dict[str, Any], schema: Schema, where: str, depth: int, *, top: bool
    ) -> tuple[dict[str, Any], _Repair]:
        properties = schema.get("properties") or {}
        if not properties:
            return self._empty(kept, schema, where, top=top)
        new: dict[str, Any] = {}
        repairs: dict[str, _Repair] = {}
        optional: set[str] = set()
        for name, part in properties.items():
            place = f"{where}.properties.{name}"
            if self._nullable(part, place, depth):
                optional.add(name)
            new[name], repair = self.rewrite(self._without_null(part, place, depth), place, depth + 1)
            if repair.needed:
                repairs[name] = repair
        required = [name for name in schema.get("required", ()) if name not in optional]
        kept |= {"properties": new}
        kept.pop("required", None)
        if required:
            kept["required"] = required
        nulls = frozenset(optional & set(schema.get("required", ())))
        return kept, _Repair(properties=repairs, nulls=nulls)

    @staticmethod
    def _empty(kept: dict[str, Any], schema: Schema, where: str, *, top: bool) -> tuple[dict[str, Any], _Repair]:
        if not top or schema.get("additionalProperties") not in {None, False}:
            raise _refused(where, "an object of any content: GigaChat needs its properties listed")
        note = {"type": "string", "description": "Leave this out: the function takes no arguments."}
        return {**kept, "properties": {PLACEHOLDER: note}}, _Repair(emptied=True)

    def _resolved(self, schema: Schema, where: str, depth: int) -> Schema:
        seen: set[str] = set()
        while "$ref" in schema:
            reference = str(schema["$ref"])
            if reference in seen or depth > _DEPTH:
                raise _refused(where, f"{reference} refers to itself")
            seen.add(reference)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._target(reference, where), **beside}
        return schema

    def _target(self, reference: str, where: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not reference.startswith("#") or not isinstance(found, Mapping):
            raise _refused(where, f"{reference} is not in this schema")
        return found

    def _merged(self, schema: Schema, where: str, depth: int) -> Schema:
        if "allOf" not in schema:
            return schema
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for listed in schema["allOf"]:
            part = self._merged(self._resolved(listed, where, depth), where, depth + 1)
            for key, value in part.items():
                merged[key] = _joined(merged, key, value, where)
        return merged

    def _united(self, schema: Schema, where: str, depth: int) -> Schema:
        for word in ("anyOf", "oneOf"):
            if word in schema:
                choices = [self._resolved(choice, where, depth) for choice in schema[word] if _is_not_null(choice)]
                beside = {key: value for key, value in schema.items() if key != word}
                return self._united({**_union(choices, f"{where}.{word}"), **beside}, where, depth + 1)
        return schema

    def _nullable(self, schema: Any, where: str, depth: int) -> bool:
        if not isinstance(schema, Mapping):
            return False
        schema = self._resolved(schema, where, depth)
        kind = schema.get("type")
        if isinstance(kind, list) and "null" in kind:
            return True
        choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return any(not _is_not_null(choice) for choice in choices)

    def _without_null(self, schema: Any, where: str, depth: int) -> Any:
        if not self._nullable(schema, where, depth):
            return schema
        schema = dict(self._resolved(schema, where, depth))
        if isinstance(schema.get("type"), list):
            schema["type"] = [kind for kind in schema["type"] if kind != "null"]
        if isinstance(schema.get("enum"), list):
            schema["enum"] = [value for value in schema["enum"] if value is not None]
        return schema

    @staticmethod
    def _one_type(kinds: Sequence[str], where: str) -> str:
        if set(kinds) == {"integer", "number"}:
            return "number"
        if len(kinds) != 1:
            raise _refused(where, f"the types {', '.join(map(str, kinds))} at once")
        return kinds[0]


def _is_not_null(choice: object) -> bool:
    return not (isinstance(choice, Mapping) and choice.get("type") == "null")


def _union(choices: Sequence[Schema], where: str) -> Schema:
    if len(choices) == 1:
        return choices[0]
    values = [value for choice in choices for value in _values(choice)]
    if choices and all(_values(choice) for choice in choices):
        return {"enum": values}
    if choices and all(set(choice) == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices]}
    raise _refused(where, "alternatives: GigaChat takes one schema in one place")


def _values(schema: Schema) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _joined(merged: Schema, key: str, value: Any, where: str) -> Any:
    old = merged.get(key)
    if old is None or old == value:
        return value
    if key == "properties":
        return {**old, **value}
    if key == "required":
        return [*old, *(name for name in value if name not in old)]
    if key in {"title", "description"}:
        return old
    raise _refused(f"{where}.allOf", f"its parts disagree on {key!r}")


def _enumeration(schema: Schema, where: str) -> tuple[dict[str, Any], _Repair]:
    values = _values(schema)
    if not values:
        raise _refused(where, "an enum without values")
    kept = {key: value for key, value in schema.items() if key not in _DROPPED | {"const", "enum", "type"}}
    if all(isinstance(value, str) for value in values):
        return {**kept, "type": "string", "enum": list(values)}, _NOTHING
    texts = {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False): value for value in values}
    if len(texts) != len(values):
        raise _refused(where, "enum values that differ only in their type")
    return {**kept, "type": "string", "enum": list(texts)}, _Repair(values=texts)


def _refused(where: str, what: str) -> Unsupported:
    return Unsupported(f"{where}: GigaChat does not accept this schema: {what}")
