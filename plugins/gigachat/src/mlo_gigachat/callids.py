"""Ids of tool calls. GigaChat has none for a call, but one for the state of its functions, which should come back.

Here an id carries that state through the caller's hands and is unique all the same: ``giga_STATE_RANDOM``.
"""

from __future__ import annotations

import re
import secrets

__all__ = ["new_call_id", "state_of"]

_ID = re.compile(r"giga_(?P<state>[0-9A-Za-z-]+)_[0-9a-f]{12}")
_STATE = re.compile(r"[0-9A-Za-z-]+")


def new_call_id(state: str | None) -> str:
    """An id for a call that came with ``state`` (which is dropped if it does not look like one)."""
    tail = secrets.token_hex(6)
    return f"giga_{state}_{tail}" if state and _STATE.fullmatch(state) else f"call_{tail}"


def state_of(call_id: str | None) -> str | None:
    """The state inside an id; ``None`` for ids that are not ours."""
    match = _ID.fullmatch(call_id or "")
    return match["state"] if match else None
