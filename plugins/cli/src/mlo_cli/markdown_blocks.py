"""Splits growing Markdown into blocks that are complete and the one that may still change. Pure functions."""

from __future__ import annotations

from markdown_it import MarkdownIt

__all__ = ["split"]

_PARSER = MarkdownIt().enable("strikethrough").enable("table")  # what rich renders


def split(source: str) -> tuple[str, str]:
    """The complete blocks of ``source`` and its last block; together they are ``source`` again.

    Lines must end in a line feed alone. The last block is never complete: a list may get another item, a paragraph
    become a heading by its underline.
    """
    starts = [token.map[0] for token in _PARSER.parse(source) if token.level == 0 and token.map and token.nesting >= 0]
    if not starts or starts[-1] == 0:
        return "", source
    lines = source.split("\n")  # like the parser: other separators, such as U+2028, do not end a line
    return "\n".join(lines[: starts[-1]]) + "\n", "\n".join(lines[starts[-1] :])
