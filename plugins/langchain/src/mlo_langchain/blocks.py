"""LangChain's content blocks as parts of a message."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from mlo.errors import InvalidRequest
from mlo.messages import FileRef, Image, Part, Text

__all__ = ["parts_of", "reasoning_of"]

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w.+=-]+)*?;base64,(?P<data>.+)", re.DOTALL)
# what stands on the message itself, or is meant for another vendor's model
_ELSEWHERE = {"tool_call", "tool_call_chunk", "tool_use", "invalid_tool_call", "function_call"}
_THOUGHTS = {"reasoning", "thinking", "redacted_thinking"}


def parts_of(message: BaseMessage, where: str) -> str | tuple[Part, ...]:
    """The content: text where it is nothing but text.

    Raises:
        InvalidRequest: for a kind of block that has no counterpart here.
    """
    if isinstance(message.content, str):
        return message.content
    parts = tuple(_parts(message, where))
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return parts


def reasoning_of(message: BaseMessage) -> str | None:
    """What a model thought before it said this, as far as the message tells."""
    told = message.additional_kwargs.get("reasoning_content")
    if isinstance(told, str):
        return told or None
    if isinstance(message.content, str):
        return None
    blocks = [block for block in message.content if isinstance(block, dict) and block.get("type") in _THOUGHTS]
    return "".join(str(block.get("reasoning") or block.get("thinking") or "") for block in blocks) or None


def _parts(message: BaseMessage, where: str) -> Iterator[Part]:
    # not `content_blocks` of the class itself: an AIMessage adds its tool calls there
    blocks: Sequence[Mapping[str, Any]] = BaseMessage.content_blocks.fget(message)  # type: ignore[attr-defined]
    for index, block in enumerate(blocks):
        kind = block.get("type")
        value = block.get("value")
        if kind == "non_standard" and isinstance(value, Mapping):
            block, kind = value, value.get("type")  # noqa: PLW2901 - the block as it was written
        if kind in _ELSEWHERE or kind in _THOUGHTS:
            continue
        yield _part(block, str(kind), f"{where}.content[{index}]")


def _part(block: Mapping[str, Any], kind: str, where: str) -> Part:
    if kind == "text":
        return Text(str(block.get("text", "")))
    if file_id := block.get("file_id"):
        return FileRef(id=str(file_id), media_type=block.get("mime_type"))
    if kind == "text-plain" and block.get("text"):
        return Text(str(block["text"]))
    if kind == "image":
        return _image(block, where)
    if kind == "image_url":
        return _linked(block, where)
    raise InvalidRequest(
        f"{where}: a block of type {kind!r} cannot be sent; known are text, images (base64 or url), "
        "and files or images that were uploaded before (file_id)"
    )


def _linked(block: Mapping[str, Any], where: str) -> Image:
    """OpenAI's form of an image, which LangChain leaves alone where it does not recognise it."""
    link = block.get("image_url")
    if isinstance(link, Mapping):
        return _image({"url": link.get("url"), "detail": link.get("detail")}, where)
    return _image({"url": link}, where)


def _image(block: Mapping[str, Any], where: str) -> Image:
    extras = block.get("extras")
    detail = block.get("detail") or (extras.get("detail") if isinstance(extras, Mapping) else None)
    told = {"detail": detail} if detail in {"auto", "low", "high"} else {}
    data, url, media_type = block.get("base64"), block.get("url"), block.get("mime_type")
    if isinstance(url, str) and (found := _DATA_URL.fullmatch(url)):
        data, url, media_type = found["data"], None, found["type"] or media_type
    if data is not None:
        return Image(data=_bytes(data, where), media_type=media_type or "image/png", **told)
    if isinstance(url, str) and url:
        return Image(url=url, **told) if media_type is None else Image(url=url, media_type=media_type, **told)
    raise InvalidRequest(f"{where}: an image needs `base64`, `url` or `file_id`")


def _bytes(data: Any, where: str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidRequest(f"{where}: the image's base64 cannot be decoded: {error}") from error
