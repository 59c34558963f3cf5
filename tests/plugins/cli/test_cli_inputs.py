from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlo import Image
from mlo_cli.inputs import image_of, lines_of, piped, prompt_of, schema_of
from mlo_cli.options import UsageProblem


def test_words_are_joined() -> None:
    assert prompt_of(["Why", "is", "it?"], io.StringIO()) == "Why is it?"


def test_piped_text_goes_below_the_words() -> None:
    assert prompt_of(["Summarise:"], io.StringIO("a\nb\n")) == "Summarise:\n\na\nb"


def test_piped_text_alone_is_the_prompt() -> None:
    assert prompt_of([], io.StringIO("Hello\n")) == "Hello"


def test_dash_is_replaced_by_the_piped_text() -> None:
    assert prompt_of(["before", "-", "after"], io.StringIO("middle")) == "before\n\nmiddle\n\nafter"


@pytest.mark.parametrize("words", [[], [""], ["  "], ["-"]])
def test_nothing_to_ask_is_a_problem(words: list[str]) -> None:
    with pytest.raises(UsageProblem, match="nothing to ask"):
        prompt_of(words, io.StringIO(" \n"))


def test_words_that_are_not_utf8_are_a_problem() -> None:
    with pytest.raises(UsageProblem, match="arguments: not UTF-8"):
        prompt_of([os.fsdecode(b"\xff")], io.StringIO())


def test_piped_bytes_that_are_not_utf8_are_a_problem(home: Path) -> None:
    (home / "latin1").write_bytes(b"caf\xe9")
    with (home / "latin1").open(encoding="utf-8") as stream, pytest.raises(UsageProblem, match="standard input"):
        prompt_of(["x"], stream)


def test_a_file_and_a_pipe_are_read(stdin: Callable[[str], None]) -> None:
    stdin("text")
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe, os.fdopen(writing, "w"), Path("fed-to-stdin").open() as file:
        assert piped(pipe)
        assert piped(file)


def test_the_null_device_is_not_read() -> None:
    with Path(os.devnull).open() as nothing:
        assert not piped(nothing)


def test_lines_that_are_empty_do_not_count() -> None:
    assert lines_of(io.StringIO("a\n\n b \nc\u2028d")) == ["a", "b", "c\u2028d"]


def test_picture_is_read_with_its_type(home: Path) -> None:
    (home / "x.jpg").write_bytes(b"\xff\xd8")
    assert image_of(home / "x.jpg") == Image(data=b"\xff\xd8", media_type="image/jpeg")


def test_picture_without_a_pictures_name_is_a_problem(home: Path) -> None:
    with pytest.raises(UsageProblem, match="not a picture"):
        image_of(home / "x.txt")


def test_schema_is_read(home: Path) -> None:
    (home / "s.json").write_text('{"type": "object"}')
    assert schema_of(home / "s.json") == {"type": "object"}


@pytest.mark.parametrize(("content", "reason"), [("{", "not JSON"), ("[]", "must be a JSON object")])
def test_bad_schema_is_a_problem(home: Path, content: str, reason: str) -> None:
    (home / "s.json").write_text(content)
    with pytest.raises(UsageProblem, match=reason):
        schema_of(home / "s.json")
