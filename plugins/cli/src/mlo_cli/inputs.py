"""What goes into a request: words of the command line, standard input, pictures, a schema."""

from __future__ import annotations

import json
import mimetypes
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from mlo import Image

from .options import UsageProblem
from .texts import text

__all__ = ["DASH", "checked", "image_of", "lines_of", "piped", "prompt_of", "schema_of"]

DASH = "-"


def checked(value: str, where: str) -> str:
    """``value``, if it is text at all.

    Raises:
        UsageProblem: when it holds bytes that are not UTF-8 (Python carries those along as lone surrogates).
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageProblem(text("usage.not_utf8", where=where)) from error
    return value


def piped(stream: IO[str]) -> bool:
    """Whether somebody feeds ``stream``: a pipe or a file, not a terminal and not the null device."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # no descriptor below it: a program runs the command and put the text there
        return not stream.isatty()
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def prompt_of(words: Sequence[str], stream: IO[str] | None = None) -> str:
    """The prompt: the words, and standard input in place of ``-``, or below the words when something is piped in.

    Raises:
        UsageProblem: when there is nothing to ask, or it is not text.
    """
    stream = sys.stdin if stream is None else stream
    said = checked(" ".join(words), text("usage.arguments")).strip()
    if DASH in words:
        before, after = words[: words.index(DASH)], words[words.index(DASH) + 1 :]
        parts = [" ".join(before), _read(stream), " ".join(after)]
    elif piped(stream):
        parts = [said, _read(stream)]
    else:
        parts = [said]
    prompt = "\n\n".join(part for part in (part.strip() for part in parts) if part)
    if not prompt:
        raise UsageProblem(text("usage.no_prompt"))
    return prompt


def lines_of(stream: IO[str]) -> list[str]:
    """The lines of ``stream`` that are not empty.

    Raises:
        UsageProblem: when it is not UTF-8 text.
    """
    return [line.strip() for line in _read(stream).split("\n") if line.strip()]


def _read(stream: IO[str]) -> str:
    try:
        return checked(stream.read(), text("usage.stdin"))
    except UnicodeDecodeError as error:
        raise UsageProblem(text("usage.not_utf8", where=text("usage.stdin"))) from error


def image_of(path: Path) -> Image:
    """A picture from a file; its kind is told by the name.

    Raises:
        UsageProblem: when the name is not that of a picture.
    """
    media_type, _ = mimetypes.guess_type(path.name)
    if media_type is None or not media_type.startswith("image/"):
        raise UsageProblem(text("usage.not_image", path=path))
    return Image(data=path.read_bytes(), media_type=media_type)


def schema_of(path: Path) -> Mapping[str, Any]:
    """A JSON Schema from a file.

    Raises:
        UsageProblem: when the file does not hold a JSON object.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageProblem(text("usage.not_json", path=path, reason=error)) from error
    if not isinstance(schema, dict):
        raise UsageProblem(text("usage.not_object", path=path))
    return schema
