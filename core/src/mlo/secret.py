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

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # the environment gives bytes that are no text as lone surrogates
        mine, theirs = (text.encode(errors="surrogatepass") for text in (self._value, other.reveal()))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str | tuple[object, ...]:
        msg = "a Secret is not pickled: give the reference (env:NAME or file:PATH) instead"
        raise TypeError(msg)
