"""Was the prompt cut? The server does it with HTTP 200, and ``prompt_eval_count`` is the only trace.

Recorded behaviour: up to 0.12.5 a long prompt is cut to the whole window (the count equals ``num_ctx``), later to half
of it and two tokens more; from 0.12.6 on ``truncate`` and ``shift`` set to false make the server refuse instead. Whole
messages may be dropped too, so a small count is no proof of a short prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from mlo.messages import Message

__all__ = ["PromptTruncated", "Verdict", "estimated_tokens", "fewest_tokens", "verdict"]

Verdict: TypeAlias = Literal["whole", "suspected", "cut"]

_WORD = re.compile(r"\w+")
_ASCII_PER_TOKEN = 4.5
_OTHER_PER_TOKEN = 2.5
_HALF_SLACK = 4
_CLEARLY = 1.3


class PromptTruncated(UserWarning):
    """The server cut the front of a prompt off, and answered what was left."""


def fewest_tokens(messages: Sequence[Message]) -> int:
    """A lower bound: no tokenizer in use joins two words into one token."""
    return sum(len(_WORD.findall(message.text)) for message in messages)


def estimated_tokens(messages: Sequence[Message]) -> int:
    """A guess, within a third for running text: 4.5 ASCII or 2.5 other characters a token, spaces aside."""
    total = 0.0
    for message in messages:
        text = message.text
        spaces = sum(map(str.isspace, text))
        narrow = len(text.encode("ascii", "ignore")) - spaces
        total += max(0, narrow) / _ASCII_PER_TOKEN + (len(text) - spaces - narrow) / _OTHER_PER_TOKEN
    return int(total)


def verdict(messages: Sequence[Message], counted: int | None, num_ctx: int | None) -> Verdict:
    """What the server's own number of prompt tokens says about the prompt.

    ``cut`` when it stands at a limit at which servers cut and the prompt is longer; ``suspected`` when it is smaller
    than the prompt can be (messages were dropped, or a server of the first 0.30 versions left cached tokens out of its
    count); ``whole`` otherwise, and where there is no count.
    """
    if counted is None or (num_ctx is not None and _is_short(messages, num_ctx)):
        return "whole"
    if num_ctx is not None:
        half = num_ctx // 2
        at_a_limit = counted >= num_ctx or half <= counted <= half + _HALF_SLACK
        if at_a_limit and estimated_tokens(messages) > counted * _CLEARLY:
            return "cut"
    return "suspected" if fewest_tokens(messages) > counted else "whole"


def _is_short(messages: Sequence[Message], num_ctx: int) -> bool:
    """Far too short to be cut, judged by length alone: the usual case, and the cheap one."""
    return sum(len(message.text) for message in messages) < num_ctx // 4
