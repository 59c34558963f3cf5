"""A value that must not be shown."""

from __future__ import annotations

import hmac

__all__ = ["Secret"]


class Secret:
    """Text whose ``repr``, ``str`` and format are masked; :meth:`reveal` gives the text itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text. Call it where the value goes to the wire, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        msg = "a Secret is not pickled: give the reference (env:NAME or file:PATH) instead"
        raise TypeError(msg)
