"""Secrets that stand in a configuration as text: finding them, and showing a configuration without them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs

from ._refs import is_reference
from ._shapes import field_types, is_union
from .secret import Secret

__all__ = ["MASK", "literal_secrets", "masked"]

MASK = "****"

_SECRET_KEY = re.compile(r"(key|token|secret|password|passphrase|authorization|credentials?)$", re.IGNORECASE)
_NOT_SECRET = re.compile(
    r"max[_-]?(new[_-]?|output[_-]?|completion[_-]?)?token|client_key$|key[_-]?file", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")

Path = tuple[str | int, ...]


def literal_secrets(config_class: Any, options: Mapping[str, Any]) -> list[Path]:
    """Where the options hold a secret itself instead of a reference: by type, and else by the name of the key."""
    return [path for path, _ in _leaves(config_class, options, ()) if path]


def masked(config_class: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without literal secrets. Without a class (``None``), without any text that is not a reference."""
    shown = _masked_all(options) if config_class is None else _copy(options)
    if config_class is not None:
        for path, _ in _leaves(config_class, options, ()):
            _put(shown, path)
    result: dict[str, Any] = shown
    return result


def _leaves(kind: Any, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Texts that are secrets, with their places."""
    if isinstance(value, str):
        if not is_reference(value) and value and (_wants_secret(kind) or _named_secret(path)):
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(_kind_below(kind, str(key)), item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(_kind_below(kind, ""), item, (*path, index))


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if is_union(kind) else (kind,)


def _wants_secret(kind: Any) -> bool:
    return Secret in _members(kind)


def _named_secret(path: Path) -> bool:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return bool(_SECRET_KEY.search(key)) and not _NOT_SECRET.search(key)


def _kind_below(kind: Any, key: str) -> Any:
    """The type of what stands at a key (or in a list), if the type above tells it."""
    for member in _members(kind):
        if attrs.has(get_origin(member) or member):
            fields = field_types(member)
            if key in fields:
                return fields[key][1]
        elif get_args(member):
            return get_args(member)[-1 if key else 0]
    return Any


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item) for item in value]
    return _USERINFO.sub(MASK, value) if isinstance(value, str) else value


def _masked_all(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _masked_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_all(item) for item in value]
    return MASK if isinstance(value, str) and not is_reference(value) else value


def _put(tree: Any, path: Path) -> None:
    for part in path[:-1]:
        tree = tree[part]
    tree[path[-1]] = MASK
