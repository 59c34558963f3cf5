"""What a type looks like from outside: which values have its shape, and how to name it to a person."""

from __future__ import annotations

import types
from collections import abc
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from ._faults import Fault, Faults
from .secret import Secret

__all__ = ["choices", "describe", "field_types", "fits", "is_union", "kind_of", "pick_class"]

_NAMES: dict[object, str] = {
    str: "text",
    Secret: "text",
    Path: "text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    Decimal: "a number",
}

_ACCEPTED: dict[object, tuple[type, ...]] = {
    str: (str,),
    Secret: (str, Secret),
    Path: (str, Path),
    int: (int,),
    float: (int, float),
    Decimal: (int, float, str),
}

_TABLES = (dict, abc.Mapping, abc.MutableMapping)
_LISTS = (list, tuple, set, frozenset, abc.Sequence, abc.Set, abc.Iterable)


def is_union(kind: Any) -> bool:
    """Whether the type is ``X | Y``."""
    return get_origin(kind) in {Union, types.UnionType}


def choices(kind: Any) -> list[tuple[Any, Any]]:
    """What may be written, and the value that it stands for, of a literal or an enum."""
    if get_origin(kind) is Literal:
        return [(value, value) for value in get_args(kind)]
    return [(member.value, member) for member in kind]


def kind_of(value: object) -> str:
    """What a value is, without the value."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "text", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")


def describe(kind: Any) -> str:
    """What a type wants, in words."""
    if is_union(kind):
        return " or ".join(dict.fromkeys(describe(one) for one in get_args(kind) if one is not type(None)))
    origin = get_origin(kind) or kind
    if origin is Literal or (isinstance(origin, type) and issubclass(origin, Enum)):
        return f"one of {', '.join(str(text) for text, _ in choices(kind))}"
    if origin in _TABLES or attrs.has(origin):
        return "a table"
    if origin in _LISTS:
        return "a list"
    return _NAMES.get(origin, f"a {getattr(origin, '__name__', origin)}")


def fits(kind: Any, value: object) -> bool:
    """Whether the value has the shape of the type; what is inside is not looked at."""
    origin = get_origin(kind) or kind
    if origin is Literal or (isinstance(origin, type) and issubclass(origin, Enum)):
        return any(type(text) is type(value) and text == value for text, _ in choices(kind))
    if attrs.has(origin):
        return isinstance(value, Mapping | origin)
    if origin in _TABLES:
        return isinstance(value, Mapping)
    if origin in _LISTS:
        return isinstance(value, list | tuple | set | frozenset)
    if isinstance(value, bool):
        return origin in {bool, Any, object}
    accepted = _ACCEPTED.get(origin)
    if accepted is not None:
        return isinstance(value, accepted)
    return isinstance(value, origin) if isinstance(origin, type) else True


def field_types(config_class: type) -> dict[str, tuple[Any, Any]]:
    """The keys of an attrs class: its attribute and its type, by the name that a table uses."""
    hints = get_type_hints(config_class)
    return {
        attribute.alias or attribute.name: (attribute, hints.get(attribute.name, Any))
        for attribute in attrs.fields(config_class)
        if attribute.init
    }


def pick_class(classes: Sequence[type], table: Mapping[Any, Any]) -> type:
    """The class whose keys the table has. A literal key (``kind = "constant"``) decides before the others.

    Raises:
        Faults: none fits.
    """
    by_literal = [one for one in classes if _literals_agree(one, table)]
    if len(by_literal) == 1:
        return by_literal[0]
    for one in by_literal:
        keys = field_types(one)
        required = {key for key, (attribute, _) in keys.items() if attribute.default is attrs.NOTHING}
        if required <= set(table) <= set(keys):
            return one
    forms = "; ".join(f"{{{', '.join(field_types(one))}}}" for one in classes)
    raise Faults(Fault((), "the keys of this table fit none of its forms", f"forms: {forms}"))


def _literals_agree(config_class: type, table: Mapping[Any, Any]) -> bool:
    return all(
        table.get(key, attribute.default) in get_args(kind)
        for key, (attribute, kind) in field_types(config_class).items()
        if get_origin(kind) is Literal
    )
