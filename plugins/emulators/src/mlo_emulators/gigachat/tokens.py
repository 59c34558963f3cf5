"""Counts of text tokens. They are emulated: plausible, the same every time, and not the vendor's.

A token is up to four letters or digits, or one other character that is not space.
"""

from __future__ import annotations

import re

__all__ = ["count_tokens", "first_tokens"]

_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")


def count_tokens(text: str) -> int:
    """Tokens of ``text``."""
    return sum(1 for _ in _TOKEN.finditer(text))


def first_tokens(text: str, limit: int) -> str:
    """The start of ``text`` that has at most ``limit`` tokens."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[: match.start()]
    return text
