"""Keys as rows of the database, and back."""

from __future__ import annotations

import json
from typing import Any

import attrs
from sqlalchemy import Row, select

from .records import ApiKey, KeyLimits
from .schema import api_key, project

__all__ = ["KEYS", "key_in", "row_of"]

_LIMITS = tuple(attribute.name for attribute in attrs.fields(KeyLimits))
_DERIVED = ("organization", "limits")

KEYS = select(*(column for column in api_key.c if column.name != "digest"), project.c.organization).join(
    project, project.c.name == api_key.c.project
)
"""Keys with their organizations, without what they are found by."""


def key_in(row: Row[Any]) -> ApiKey:
    """The key that a row of :data:`KEYS` holds; further columns do not matter."""
    facts = {name: value for name, value in row._mapping.items() if name in _COLUMNS}  # noqa: SLF001
    limits = KeyLimits(**{name: row._mapping[name] for name in _LIMITS})  # noqa: SLF001
    models = facts.pop("models")
    return ApiKey(
        **facts | {"scopes": tuple(facts["scopes"].split())},
        models=None if models is None else tuple(json.loads(models)),
        limits=limits,
    )


def row_of(key: ApiKey, digest: bytes | None = None) -> dict[str, Any]:
    """The columns of a key; with ``digest`` those of a new one, else those that an act changes."""
    row = {name: getattr(key, name) for name in _COLUMNS if name not in _DERIVED}
    row |= {name: getattr(key.limits, name) for name in _LIMITS}
    row |= {
        "scopes": " ".join(key.scopes),
        "models": None if key.models is None else json.dumps(key.models, ensure_ascii=False),
    }
    if digest is not None:
        return row | {"digest": digest}
    del row["last_used"]  # may have been noted since the key was read
    return row


_COLUMNS = tuple(attribute.name for attribute in attrs.fields(ApiKey) if attribute.name != "limits")
