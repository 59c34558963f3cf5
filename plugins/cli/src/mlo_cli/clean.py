"""Text from elsewhere made fit for a terminal: without it, an answer could move the cursor or retitle the window."""

from __future__ import annotations

__all__ = ["printable"]

_KEPT = {"\n", "\t"}
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT}
_CONTROLS[ord("\r")] = ""


def printable(text: str) -> str:
    """``text`` with control characters replaced; line ends and tabs stay, carriage returns go."""
    return text.translate(_CONTROLS)
