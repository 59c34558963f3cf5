"""Kinds of documentation blocks that run, besides plain ```python ones.

```toml title="mlo.toml"     the text is written to that file; works for any language
```console                   lines after `$ ` run in one shell; what they print, errors included, must be what the
                             page shows: a line of `…` stands for any lines, `…` within a line for any text

All blocks of one page run in order, in one temporary folder. `<!-- skip: next -->` leaves the next block out.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer, RawFencedCodeBlockLexer

_TIMEOUT = 15  # seconds for one block
_END = "\x1e"  # the record separator, which no command prints


class FileBlockParser:
    """Writes blocks that have a title to the file of that name."""

    _lexer = RawFencedCodeBlockLexer(re.compile(r'\w+ title="(?P<name>[\w./-]+)"$\n', re.MULTILINE))

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self._lexer(document):
            region.parsed = (region.lexemes["name"], region.lexemes["source"])
            region.evaluator = self._write
            yield region

    @staticmethod
    def _write(example: Example) -> None:
        name, text = example.parsed
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class ConsoleBlockParser:
    """Runs the commands of a console session and compares what they print."""

    _lexer = FencedCodeBlockLexer("console")

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self._lexer(document):
            region.parsed = sessions(region.lexemes["source"])
            region.evaluator = self._run
            yield region

    @staticmethod
    def _run(example: Example) -> str | None:
        printed = transcript([command for command, _ in example.parsed])
        for (command, expected), text in zip(example.parsed, printed, strict=True):
            if not matches(expected, text):
                return f"$ {command}\nexpected:\n{expected}\nprinted:\n{text}"
        return None


def transcript(commands: Sequence[str]) -> list[str]:
    """What each of the commands prints when they run one after another in one shell, without a terminal."""
    # `$?` of a command is what the next one sees, as on a terminal
    script = "".join(f"{command}\n__status=$?; printf '{_END}'; (exit $__status)\n" for command in commands)
    done = subprocess.run(
        ("sh", "-c", script),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
    )
    return done.stdout.split(_END)[:-1]


def sessions(text: str) -> list[tuple[str, str]]:
    """Split a console block into commands, each with the output shown below it."""
    first, *blocks = re.split(r"^\$ ", text, flags=re.MULTILINE)
    if first.strip():
        message = f"a console block starts with `$ `, not with {first!r}"
        raise ValueError(message)
    pairs = []
    for block in blocks:
        command, _, expected = re.sub(r"\\\n>? *", "", block).partition("\n")
        pairs.append((command, expected))
    return pairs


def matches(expected: str, printed: str) -> bool:
    """Compare line by line, without trailing space; `…` in the expected text stands for anything."""
    lines = [re.escape(line.rstrip()) for line in expected.strip().splitlines()]
    pattern = "\n".join("(?s:.*)" if line == "…" else line.replace("…", ".*") for line in lines)
    text = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, text) is not None
