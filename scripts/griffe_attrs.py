"""Gives attrs classes the `__init__` that attrs makes for them, so that griffe compares what callers may write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import griffe

_DECORATORS = {"attrs.define", "attrs.frozen", "attrs.mutable"}
_MAYBE_KEYWORD = griffe.ParameterKind.positional_or_keyword
_ONLY_KEYWORD = griffe.ParameterKind.keyword_only


class Attrs(griffe.Extension):
    """Works on whole packages: the bases of a class must be known."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Add the methods that the source does not show."""
        for class_ in _classes(pkg):
            if "__init__" not in class_.members and _decorator(class_) is not None:
                class_.set_member("__init__", _init(class_))


def _classes(parent: griffe.Module | griffe.Class) -> Iterator[griffe.Class]:
    for member in list(parent.members.values()):
        if isinstance(member, griffe.Class):
            yield member
        if isinstance(member, (griffe.Module, griffe.Class)):
            yield from _classes(member)


def _decorator(class_: griffe.Class) -> griffe.Expr | None:
    values = (decorator.value for decorator in class_.decorators)
    return next((it for it in values if isinstance(it, griffe.Expr) and it.canonical_path in _DECORATORS), None)


def _arguments(expression: object) -> Mapping[str, str | griffe.Expr]:
    """The keyword arguments of a call; empty if it is none."""
    if not isinstance(expression, griffe.ExprCall):
        return {}
    return {it.name: it.value for it in expression.arguments if isinstance(it, griffe.ExprKeyword)}


def _init(class_: griffe.Class) -> griffe.Function:
    found: dict[str, griffe.Parameter] = {}
    for owner in (*reversed(class_.mro()), class_):
        found |= {parameter.name: parameter for parameter in _parameters(owner)}
    in_order = sorted(found.values(), key=lambda parameter: parameter.kind is _ONLY_KEYWORD)
    parameters = griffe.Parameters(griffe.Parameter("self", kind=_MAYBE_KEYWORD), *in_order)
    return griffe.Function("__init__", lineno=class_.lineno, parent=class_, parameters=parameters, returns="None")


def _parameters(class_: griffe.Class) -> Iterator[griffe.Parameter]:
    decorator = _decorator(class_)
    if decorator is None:
        return
    keyword_only = str(_arguments(decorator).get("kw_only", ""))
    for member in class_.members.values():
        if not isinstance(member, griffe.Attribute) or not _is_field(member):
            continue
        options = _options(member)
        if str(options.get("init", "")) == "False":
            continue
        kind = _ONLY_KEYWORD if str(options.get("kw_only", keyword_only)) == "True" else _MAYBE_KEYWORD
        name = str(options.get("alias", member.name.lstrip("_"))).strip("'\"")
        default = options.get("default", options.get("factory"))
        yield griffe.Parameter(name, annotation=member.annotation, kind=kind, default=default)


def _is_field(member: griffe.Attribute) -> bool:
    """Whether it is annotated in the class body, and not as a `ClassVar`."""
    return member.annotation is not None and "instance-attribute" in member.labels and "property" not in member.labels


def _options(member: griffe.Attribute) -> Mapping[str, str | griffe.Expr]:
    """What the right-hand side says: arguments of `field()`, or a plain default."""
    value = member.value
    if isinstance(value, griffe.ExprCall) and value.canonical_path == "attrs.field":
        return _arguments(value)
    return {} if value is None else {"default": value}
