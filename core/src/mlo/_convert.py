"""From tables to attrs classes, strictly: what a type does not say is an error, and all errors come at once.

Nothing is coerced but an integer where a number is due: ``"false"`` is no boolean and ``"5"`` no integer. Error
messages name types and never repeat a value, because the value may be a secret in the wrong place.
"""

from __future__ import annotations

import math
import re
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn

from ._explain import near, one_line
from ._faults import Fault, Faults
from ._refs import Sources, resolved
from ._shapes import choices, describe, fits, is_union, kind_of, pick_class
from .errors import ConfigError
from .secret import Secret

__all__ = ["CONVERTER", "fault_hook", "open_table", "structure"]

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_sources: ContextVar[Sources] = ContextVar("mlo-config-sources")

_SEQUENCES: dict[object, Callable[[Iterable[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    abc.Sequence: tuple,
    abc.Set: frozenset,
    abc.Iterable: tuple,
}


def structure(config_class: type[T], table: object, sources: Sources) -> T:
    """The table as an instance of the class.

    Raises:
        Faults: everything that is wrong with it.
    """
    token = _sources.set(sources)
    try:
        return CONVERTER.structure(table, config_class)
    except (ValueError, TypeError, ClassValidationError, StructureHandlerNotFoundError) as error:
        faults = [_scrubbed(fault, sources) for fault in _faults_of(error)]
        raise Faults(*faults) from (None if sources.found else error)
    finally:
        _sources.reset(token)


def fault_hook(wanted: object, check: Callable[[Any], Any]) -> None:
    """Have values of a marker type (a ``NewType``) go through ``check``, which raises :class:`Faults`."""
    CONVERTER.register_structure_hook_func(lambda kind: kind is wanted, lambda value, _: check(value))


def open_table(config_class: type) -> None:
    """Have the keys that the class does not know collected in its field ``options``."""
    build = _builder(config_class)
    known = {attribute.name for attribute in attrs.fields(config_class)} - {"options"}

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _mismatch(config_class, value)
        table = {key: item for key, item in value.items() if key in known}
        return build({**table, "options": {key: item for key, item in value.items() if key not in known}}, config_class)

    CONVERTER.register_structure_hook(config_class, hook)


def _scrubbed(fault: Fault, sources: Sources) -> Fault:
    """The fault without values that came through references: a plugin's own validator may have quoted them."""
    reason = fault.reason
    for value in sorted(sources.found, key=len, reverse=True):
        if len(value) > 2:
            reason = reason.replace(value, "****")
    return attrs.evolve(fault, reason=reason)


def _faults_of(error: Exception) -> Iterator[Fault]:
    if isinstance(error, Faults):
        yield from error.faults
    elif isinstance(error, ClassValidationError):
        noted, others = error.group_exceptions()
        for inner, note in noted:
            name = note.name.lstrip("_")
            if isinstance(inner, KeyError) and inner.args == (name,):
                yield Fault((name,), "this key is required")
            else:
                yield from (fault.below(name) for fault in _faults_of(inner))
        for inner in others:
            yield from _faults_of(inner)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [attribute.alias or attribute.name for attribute in attrs.fields(error.cl)]
        yield from (Fault((str(key),), "unknown key", near(str(key), known)) for key in sorted(error.extra_fields))
    elif isinstance(error, StructureHandlerNotFoundError):
        yield Fault((), f"the plugin's configuration class asks for a type that TOML cannot give: {error.type_}")
    elif isinstance(error, ConfigError):
        yield Fault((), error.reason, error.hint)
    else:
        yield _from_validator(error)


def _from_validator(error: Exception) -> Fault:
    """What an attrs validator or converter said. attrs puts the attribute among the arguments of its own errors."""
    text = str(error.args[0]) if error.args else one_line(error)
    attribute = next((argument for argument in error.args[1:] if isinstance(argument, attrs.Attribute)), None)
    if attribute is not None:
        return Fault((attribute.name.lstrip("_"),), text)
    quoted = re.match(r"(['`])(\w+)\1 ", text)
    return Fault((quoted[2].lstrip("_"),) if quoted else (), text)


def _mismatch(wanted: Any, value: object) -> Faults:
    return Faults(Fault((), f"expected {describe(wanted)}, got {kind_of(value)}"))


def _exactly(wanted: type) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is not wanted:
            raise _mismatch(wanted, value)
        return value

    return hook


def _instance(wanted: type) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, wanted):
            raise _mismatch(wanted, value)
        return value

    return hook


def _text(value: Any, _: Any = str) -> str:
    if not isinstance(value, str):
        raise _mismatch(str, value)
    return resolved(value, _sources.get())


def _secret(value: Any, _: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    text = _text(value)
    if not text:
        raise Faults(Fault((), "a secret must not be empty"))
    _sources.get().found.add(text)
    return Secret(text)


def _path(value: Any, _: Any) -> Path:
    path = value if isinstance(value, Path) else Path(_text(value)).expanduser()
    base = _sources.get().base_dir
    return path if base is None else base / path


def _number(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(float, value)
    if not math.isfinite(value):
        raise Faults(Fault((), "expected a finite number"))
    return float(value)


def _decimal(value: Any, _: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise _mismatch(Decimal, value)
    try:
        number = Decimal(str(value))
    except ArithmeticError as error:
        raise Faults(Fault((), "expected a number in decimal notation")) from error
    if not number.is_finite():
        raise Faults(Fault((), "expected a finite number"))
    return number


def _choice(wanted: Any) -> Hook:
    """Literals and enums."""
    allowed = choices(wanted)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(wanted, type) and isinstance(value, wanted):
            return value
        for text, result in allowed:
            if type(text) is type(value) and text == value:
                return result
        names = [str(text) for text, _result in allowed]
        reason = f"expected one of {', '.join(names)}"
        raise Faults(Fault((), reason, near(value, names) if _is_near(value, names) else ""))

    return hook


def _is_near(value: object, names: Sequence[str]) -> bool:
    return isinstance(value, str) and near(value, names).startswith("did you mean")


def _sequence(wanted: Any) -> Hook:
    origin = get_origin(wanted) or wanted
    build = _SEQUENCES[origin]
    arguments = get_args(wanted)
    fixed = origin is tuple and arguments and arguments[-1] is not Ellipsis

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            raise _mismatch(wanted, value)
        if fixed and len(value) != len(arguments):
            raise Faults(Fault((), f"expected {len(arguments)} values, got {len(value)}"))
        kinds = arguments if fixed else (arguments[:1] or (Any,)) * len(value)
        return build(
            _gathered((index, item, kind) for index, (item, kind) in enumerate(zip(value, kinds, strict=True)))
        )

    return hook


def _mapping(wanted: Any) -> Hook:
    key_kind, value_kind = get_args(wanted) or (Any, Any)

    def hook(value: Any, _: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise _mismatch(wanted, value)
        keys = _gathered((str(key), key, _plain(key_kind)) for key in value)
        return dict(zip(keys, _gathered((str(key), item, value_kind) for key, item in value.items()), strict=True))

    return hook


def _plain(key_kind: Any) -> Any:
    return Any if key_kind is str else key_kind  # keys are names, never references


def _gathered(items: Iterable[tuple[str | int, Any, Any]]) -> list[Any]:
    """Each item as its kind; the faults of all of them together."""
    results, faults = [], []
    for place, item, kind in items:
        try:
            results.append(CONVERTER.structure(item, kind))
        except (ValueError, TypeError, ClassValidationError, StructureHandlerNotFoundError) as error:
            faults += [fault.below(place) for fault in _faults_of(error)]
    if faults:
        raise Faults(*faults)
    return results


def _union(wanted: Any) -> Hook:
    members = tuple(member for member in get_args(wanted) if member is not type(None))
    optional = len(members) < len(get_args(wanted))

    def hook(value: Any, _: Any) -> Any:
        if value is None and optional:
            return None
        if len(members) == 1:
            return CONVERTER.structure(value, members[0])
        fitting = [member for member in members if fits(member, value)]
        if not fitting:
            raise _mismatch(wanted, value)
        if isinstance(value, Mapping) and all(attrs.has(member) for member in fitting):
            return CONVERTER.structure(value, pick_class(fitting, value))
        return _first(fitting, value)

    return hook


def _first(members: Sequence[Any], value: Any) -> Any:
    """The value as the first member that takes it; if none does, the faults of the last one."""
    for member in members[:-1]:
        try:
            return CONVERTER.structure(value, member)
        except (Faults, ClassValidationError):
            continue
    return CONVERTER.structure(value, members[-1])


def _builder(wanted: Any) -> Hook:
    return make_dict_structure_fn(
        wanted,
        CONVERTER,
        _cattrs_forbid_extra_keys=True,
        _cattrs_use_alias=True,
        _cattrs_detailed_validation=True,
    )


def _class(wanted: Any) -> Hook:
    build = _builder(wanted)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, wanted):
            return value
        if not isinstance(value, Mapping):
            raise _mismatch(wanted, value)
        return build(value, wanted)

    return hook


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def _is_mapping(kind: Any) -> bool:
    return (get_origin(kind) or kind) in {dict, abc.Mapping, abc.MutableMapping}


def _is_sequence(kind: Any) -> bool:
    return isinstance(kind, abc.Hashable) and (get_origin(kind) or kind) in _SEQUENCES


def _or_choice(plain: Hook) -> Hook:
    """Tell enums apart: cattrs looks up builtins by class, before any predicate, and a StrEnum is a str."""

    def hook(value: Any, kind: Any) -> Any:
        return _choice(kind)(value, kind) if _is_choice(kind) else plain(value, kind)

    return hook


def _converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for builtin, plain in ((str, _text), (float, _number), (int, _exactly(int)), (bool, _exactly(bool))):
        converter.register_structure_hook(builtin, _or_choice(plain))
    converter.register_structure_hook(Enum, lambda value, kind: _choice(kind)(value, kind))
    for kind, own in ((Secret, _secret), (Path, _path), (Decimal, _decimal)):
        converter.register_structure_hook(kind, own)
    moments: dict[Any, Hook] = {moment: _instance(moment) for moment in (datetime, date, time)}
    converter.register_structure_hook_factory(_is_choice, _choice)
    converter.register_structure_hook_factory(_is_sequence, _sequence)
    converter.register_structure_hook_factory(_is_mapping, _mapping)
    converter.register_structure_hook_factory(is_union, _union)
    converter.register_structure_hook_factory(attrs.has, _class)
    converter.register_structure_hook_factory(lambda kind: _is_one_of(moments, kind), lambda kind: moments[kind])
    return converter


def _is_one_of(hooks: Mapping[Any, Hook], kind: Any) -> bool:
    return isinstance(kind, abc.Hashable) and kind in hooks


CONVERTER = _converter()
