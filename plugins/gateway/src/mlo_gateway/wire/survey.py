"""What routing and limits need to know of a chat before anybody reads it all: its size, and what it takes to answer.

A target that speaks the client's wire gets the bytes as they are, and checks them itself. So only the outline is
looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlo.models import Capability

from .fields import Json, invalid, missing

__all__ = ["Survey", "survey_of"]

_CHAT = frozenset({Capability.CHAT})
_PARTS = {"image_url": Capability.VISION, "file": Capability.FILES}
_FORMATS = {"json_object": Capability.JSON_OBJECT, "json_schema": Capability.JSON_SCHEMA}


@frozen(kw_only=True)
class Survey:
    """``messages`` and ``attachments`` are numbers, ``characters`` the length of all text."""

    messages: int
    characters: int
    attachments: int
    needs: frozenset[Capability]


def survey_of(body: Json) -> Survey:
    """The outline of a request for a chat completion.

    Raises:
        GatewayError: 400, when there are no messages, or one of them is none.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise missing("messages") if messages is None else invalid("messages", "expected an array of messages.")
    characters = attachments = 0
    needs: set[Capability] = set()
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise invalid(f"messages[{index}]", "expected an object.", "invalid_type")
        content = message.get("content")
        if isinstance(content, str):
            characters += len(content)
        elif isinstance(content, list):
            length, attached = _parts(content, needs)
            characters, attachments = characters + length, attachments + attached
    if body.get("tools"):
        needs.add(Capability.TOOLS)
    form = body.get("response_format")
    wanted = _FORMATS.get(str(form.get("type"))) if isinstance(form, dict) else None
    if wanted is not None:
        needs.add(wanted)
    return Survey(
        messages=len(messages),
        characters=characters,
        attachments=attachments,
        needs=_CHAT | needs if needs else _CHAT,
    )


def _parts(content: list[Any], needs: set[Capability]) -> tuple[int, int]:
    characters = attachments = 0
    for part in content:
        if not isinstance(part, Mapping):
            continue
        text = part.get("text")
        if isinstance(text, str):
            characters += len(text)
        need = _PARTS.get(str(part.get("type")))
        if need is not None:
            needs.add(need)
            attachments += 1
    return characters, attachments
