"""What copies and pickles of models take along: settings; never an open router."""

from __future__ import annotations

from typing import Any

__all__ = ["memo_with", "state_without_home"]


def state_without_home(state: dict[Any, Any]) -> dict[Any, Any]:
    """The state of a Pydantic object for ``pickle``, without the loop and the connections behind it.

    Raises:
        TypeError: when it is over a router object, which exists in this process only.
    """
    if state["__dict__"].get("router") is not None:
        raise TypeError("what is over a Router object cannot be pickled: give it a `config_file` instead of `router`")
    private = state.get("__pydantic_private__") or {}
    return {**state, "__pydantic_private__": {**private, "_home": None}}


def memo_with(memo: dict[int, Any] | None, *shared: object) -> dict[int, Any]:
    """The memo of a deep copy by which the copy takes ``shared`` as they are: a router is not copied but shared."""
    told = {} if memo is None else memo
    told.update((id(each), each) for each in shared)
    return told
