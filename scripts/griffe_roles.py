"""Lets docstrings with reStructuredText in them be rendered as Markdown: roles become code, `::` opens a code block."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?P<kind>class|func|meth|data|mod|exc|attr):`(?P<short>~)?(?P<target>[\w.]+)`")
_LITERAL = re.compile(r"(?P<text>\S?)::[ \t]*$", re.MULTILINE)


def as_markdown(text: str) -> str:
    """The text with roles as inline code, and without the marks before literal blocks."""

    def code(match: re.Match[str]) -> str:
        target = match["target"]
        return f"`{target.rpartition('.')[2] if match['short'] else target}`"

    def colon(match: re.Match[str]) -> str:
        return f"{match['text']}:" if match["text"] else ""

    return _LITERAL.sub(colon, _ROLE.sub(code, text))


class Roles(griffe.Extension):
    """Rewrites the docstring of every object as it is collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
