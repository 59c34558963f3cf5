"""The configuration as JSON Schema (draft 2020-12), for editors: the kernel's tables and every plugin's options."""

from __future__ import annotations

import enum
from collections import abc
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs

from . import _tables as tables
from ._discovery import AnyKind, Kind
from ._registry import PluginRegistry
from ._shapes import choices, field_types, is_union
from .api import Spec
from .errors import PluginError
from .secret import Secret

__all__ = ["DIALECT", "Schema", "document_schema", "options_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_REFERENCE = 'text, or a reference: "env:NAME" or "file:PATH"'
_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    object: {},
    str: {"type": "string"},
    Secret: {"type": "string", "description": f"a secret: {_REFERENCE}"},
    Path: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": ["number", "string"]},
    type(None): {"type": "null"},
    tables.Positive: {"type": "number", "exclusiveMinimum": 0},
    tables.NonNegative: {"type": "number", "minimum": 0},
    tables.Count: {"type": "integer", "minimum": 1},
    tables.Cap: {"type": "integer", "minimum": 0},
    tables.Amount: {"type": ["number", "string"]},
    tables.Currency: {"type": "string", "pattern": "^[A-Z]{3}$"},
    tables.Pattern: {"type": "string", "minLength": 1},
    tables.VersionPrefix: {"type": "string", "pattern": r"^\d[\w.+!-]*$"},
    tables.Word: {"type": "string", "minLength": 1},
    tables.ErrorName: {"enum": sorted(tables.FAILOVER)},
}
_LISTS = frozenset({list, tuple, set, frozenset, abc.Sequence, abc.Set, abc.Iterable})
_TABLES = frozenset({dict, abc.Mapping, abc.MutableMapping})


def options_schema(config_class: type) -> Schema:
    """The options of a plugin: the schema of its configuration class."""
    return _class(config_class)


def document_schema(registry: PluginRegistry) -> Schema:
    """The schema of ``mlo.toml`` with the plugins that are installed and allowed.

    A plugin that cannot be loaded takes any options.
    """
    providers = _components(registry, "providers", tables.ProviderTable)
    strategies = _components(registry, "strategies", tables.ComponentTable)
    auth = _components(registry, "auth", tables.ComponentTable)
    observers = _components(registry, "observers", tables.ComponentTable)
    route = _class(tables.RouteTable)
    route["properties"]["strategy"] = _or_name(registry, "strategies", "strategy")
    kinds = {"providers": "provider", "routes": "route", "observers": "observer"}
    named = {key: _named({"$ref": f"#/$defs/{definition}"}) for key, definition in kinds.items()}
    sections = _sections(registry)
    profile = _class(tables.ProfileTable)
    profile["properties"] = {**sections, **profile["properties"], **named}
    document = _class(tables.Document)
    document["properties"] = {
        **sections,
        **document["properties"],
        **named,
        "profiles": _named({"$ref": "#/$defs/profile"}),
    }
    definitions = {
        "auth": auth,
        "observer": observers,
        "profile": profile,
        "provider": providers,
        "route": route,
        "strategy": strategies,
    }
    for branch in providers.get("oneOf", ()):
        branch["properties"]["auth"] = _or_name(registry, "auth", "auth")
    return {"$schema": DIALECT, "title": "mlo.toml", **document, "$defs": definitions}


def _sections(registry: PluginRegistry) -> dict[str, Schema]:
    """The tables of commands; any keys for one that does not say which it takes, or cannot be loaded."""
    found: dict[str, Schema] = {}
    for name in _ids(registry, "commands"):
        try:
            config_class = registry.section(name)
        except PluginError:
            config_class = None
        found[name] = {"type": "object"} if config_class is None else _class(config_class)
    return found


def _components(registry: PluginRegistry, kind: Kind, table: type) -> Schema:
    """One branch for each plugin, told apart by ``use``."""
    branches = [_branch(registry, kind, plugin_id, table) for plugin_id in _ids(registry, kind)]
    return {"type": "object", "oneOf": branches} if branches else {"type": "object"}


def _ids(registry: PluginRegistry, kind: AnyKind) -> list[str]:
    return sorted({row.id for row in registry.candidates() if row.kind == kind and row.verdict == "available"})


def _branch(registry: PluginRegistry, kind: Kind, plugin_id: str, table: type) -> Schema:
    kernel = _class(table)
    del kernel["properties"]["options"]
    kernel["properties"]["use"] = {"const": plugin_id}
    spec = _spec(registry, kind, plugin_id)
    if spec is None:
        return {**kernel, "description": "cannot be loaded: see mlo plugins doctor", "additionalProperties": True}
    options = _class(spec.config)
    branch = {
        **kernel,
        "properties": {**options["properties"], **kernel["properties"]},
        "required": ["use", *options.get("required", ())],
    }
    description = spec.summary or options.get("description", "")
    return {**branch, "description": description} if description else branch


def _spec(registry: PluginRegistry, kind: Kind, plugin_id: str) -> Spec[Any] | None:
    try:
        return registry.spec(kind, plugin_id)
    except PluginError:
        return None


def _or_name(registry: PluginRegistry, kind: Kind, definition: str) -> Schema:
    ids = _ids(registry, kind)
    return {"anyOf": [{"enum": ids} if ids else {"type": "string"}, {"$ref": f"#/$defs/{definition}"}]}


def _named(schema: Schema) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": r"^[^\s:]+$"}, "additionalProperties": schema}


def _class(config_class: type, outer: tuple[type, ...] = ()) -> Schema:
    """``outer`` are the classes around this one: one that holds itself is any table from there on."""
    if config_class in outer:
        return {"type": "object"}
    fields = field_types(config_class)
    inside = (*outer, config_class)
    properties = {key: _field(attribute, kind, inside) for key, (attribute, kind) in fields.items()}
    required = [key for key, (attribute, _) in fields.items() if attribute.default is attrs.NOTHING]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    summary = _summary(config_class)
    return {**schema, "description": summary} if summary else schema


def _summary(config_class: type) -> str:
    """The first sentence of the docstring; attrs' own generated ones do not count."""
    text = (config_class.__doc__ or "").strip().partition("\n")[0]
    return "" if text.startswith("Method generated by attrs") else text


def _field(attribute: attrs.Attribute[Any], kind: Any, outer: tuple[type, ...]) -> Schema:
    schema = dict(_type(kind, outer))
    description = attribute.metadata.get("description")
    if description:
        schema["description"] = description
    if isinstance(attribute.default, bool | int | float | str):
        default = attribute.default
        schema["default"] = default.value if isinstance(default, enum.Enum) else default
    return schema


def _type(kind: Any, outer: tuple[type, ...]) -> Schema:
    plain = _PLAIN.get(kind) if isinstance(kind, abc.Hashable) else None
    if plain is not None:
        return dict(plain)
    if is_union(kind):
        return _union([member for member in get_args(kind) if member is not type(None)], outer)
    origin = get_origin(kind) or kind
    if origin is Literal or (isinstance(origin, type) and issubclass(origin, enum.Enum)):
        return {"enum": [text for text, _ in choices(kind)]}
    if origin in _LISTS:
        return _list(kind, outer)
    if origin in _TABLES:
        return {"type": "object", "additionalProperties": _type((get_args(kind) or (str, Any))[1], outer)}
    if attrs.has(origin):
        return _class(origin, outer)
    return {}


def _union(members: Iterable[Any], outer: tuple[type, ...]) -> Schema:
    """TOML has no null, so ``X | None`` is X, and a key that is not there."""
    schemas = [_type(member, outer) for member in members]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _list(kind: Any, outer: tuple[type, ...]) -> Schema:
    arguments = get_args(kind)
    if (get_origin(kind) or kind) is tuple and arguments and arguments[-1] is not Ellipsis:
        items = [_type(argument, outer) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    return {"type": "array", "items": _type(arguments[0] if arguments else Any, outer)}
