"""What ends keys, one or many, and what makes replicas read them again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, update

from .acting import Acting
from .schema import api_key

__all__ = ["end_keys", "touch_keys"]


def end_keys(act: Acting, which: ColumnElement[bool]) -> int:
    """Revoke those of the keys that are not revoked yet; how many they were."""
    ended = act.connection.execute(
        update(api_key).where(which, api_key.c.revoked.is_(None)).values(revoked=act.now, generation=act.change)
    )
    return ended.rowcount


def touch_keys(act: Acting, which: ColumnElement[bool]) -> None:
    """Have the keys read again, since something that they depend on has changed."""
    act.connection.execute(update(api_key).where(which, api_key.c.revoked.is_(None)).values(generation=act.change))
