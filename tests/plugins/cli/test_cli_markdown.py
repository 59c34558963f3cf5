from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mlo.events import Event, Finished, ReasoningDelta, TextDelta
from mlo_cli import live
from mlo_cli.live import Block, LiveDisplay, Tail
from mlo_cli.markdown_blocks import split

DOCUMENT = """\
# Title

First paragraph
of two lines.

- one
- two

  nested

1. first
2. second

```python
print(1)

print(2)
```

> quoted

| a | b |
|---|---|
| 1 | 2 |

### End
Last words.
"""


def terminal(height: int = 20) -> Console:
    return Console(
        file=io.StringIO(),
        width=60,
        height=height,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
        _environ={"TERM": "xterm"},  # the machine's may be `dumb`
    )


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawn(renderable: object, height: int = 20) -> str:
    console = terminal(height)
    console.print(renderable, end="")
    return printed(console)


@given(st.text(alphabet="ab#-*>`| 1.\n\u2028"))
def test_split_loses_nothing(source: str) -> None:
    complete, tail = split(source)
    assert complete + tail == source


@given(st.integers(0, len(DOCUMENT)))
def test_complete_blocks_never_change_later(end: int) -> None:
    complete, _ = split(DOCUMENT[:end])
    assert split(DOCUMENT)[0].startswith(complete)
    assert drawn(Block(DOCUMENT)).startswith(drawn(Block(complete)).rstrip("\n"))


def test_list_is_one_block_while_it_may_grow() -> None:
    assert split("- one\n\n- two\n") == ("", "- one\n\n- two\n")


def test_fence_is_one_block_while_it_is_open() -> None:
    assert split("Look:\n\n```\na\n\nb") == ("Look:\n\n", "```\na\n\nb")


def test_block_has_no_blank_lines_around_it() -> None:
    assert drawn(Block("- one\n- two")) == " • one\n • two\n"


def test_links_show_their_address() -> None:
    assert "https://example.org" in drawn(Block("[here](https://example.org)"))


def test_tail_fits_the_screen() -> None:
    lines = drawn(Tail("\n".join(map(str, range(50)))), height=10).splitlines()
    assert lines == [str(number) for number in range(41, 50)]


def show(events: list[Event], console: Console) -> None:
    display = LiveDisplay("waiting…", console)
    with display:
        for event in events:
            display.show(event)


def visible(output: str) -> str:
    """What is left on the screen: every frame that was erased is dropped."""
    assert "\x1b[" in output
    return output.rsplit("\x1b[2K", maxsplit=1)[-1]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_streamed_document_ends_up_whole(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SPLIT_EVERY", 0.0)
    console = terminal()
    pieces = [DOCUMENT[start : start + size] for start in range(0, len(DOCUMENT), size)]
    permanent: list[str] = []
    original = LiveDisplay._print

    def record(self: LiveDisplay, source: str) -> None:
        permanent.append(source)
        original(self, source)

    monkeypatch.setattr(LiveDisplay, "_print", record)
    show([*map(TextDelta, pieces), Finished()], console)
    assert "".join(permanent) == DOCUMENT
    assert "Last words." in printed(console)


def test_blocks_are_separated_by_one_blank_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SPLIT_EVERY", 0.0)
    console = terminal()
    show([TextDelta("One.\n\n"), TextDelta("Two.\n\n"), TextDelta("Three.")], console)
    assert visible(printed(console)).replace("\x1b[?25h", "").strip().endswith("Three.")
    assert "One.\n" in printed(console)
    assert "\nTwo.\n" in printed(console)


def test_control_characters_do_not_reach_the_terminal() -> None:
    console = terminal()
    show([TextDelta("\x1b]0;gotcha\x07 hello")], console)
    assert "\x1b]0;" not in printed(console)
    assert "hello" in printed(console)


def test_thoughts_are_shown_while_waiting() -> None:
    display = LiveDisplay("waiting…", terminal())
    display.show(ReasoningDelta("Let me\nsee"))
    assert "Let me see" in drawn(display._frame())


def test_interrupted_answer_keeps_its_beginning() -> None:
    console = terminal()

    def interrupted() -> None:
        display = LiveDisplay("waiting…", console)
        with display:
            display.show(TextDelta("The begin"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert visible(printed(console)).endswith("The begin\n")
