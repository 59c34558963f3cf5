"""Files for GigaChat: their limits, and the form in which they are uploaded. Limits are the documented ones."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from attrs import frozen

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import Image, Message
from mlo.requests import ChatRequest

__all__ = ["LIMITS", "Upload", "check_attachments", "check_size", "form", "upload_of"]

_MEGABYTE = 10**6
LIMITS: Mapping[str, int] = {"image": 15 * _MEGABYTE, "audio": 35 * _MEGABYTE, "text": 40 * _MEGABYTE}
"""Largest file of a kind, in bytes."""

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_PER_REQUEST = 10
_BYTES_PER_REQUEST = 80 * _MEGABYTE
_EXTENSIONS = {"image/jpeg": "jpg", "image/svg+xml": "svg", "text/plain": "txt"}


@frozen(kw_only=True)
class Upload:
    """A file to send."""

    content: bytes
    media_type: str
    name: str


def upload_of(image: Image, where: str) -> Upload:
    """The file that a picture is.

    Raises:
        Unsupported: for a picture given by the address of a server: nobody asked to fetch it.
        InvalidRequest: for a broken ``data:`` URL or media type, or a picture that is too large.
    """
    content, media_type = image.data, image.media_type
    if content is None:
        url = image.url or ""
        if not url.startswith("data:"):
            raise Unsupported(f"{where}: GigaChat takes the bytes of a picture, not its address")
        content, media_type = _decoded(url, where)
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidRequest(f"{where}: {media_type[:40]!r} is no media type, such as image/png")
    name = f"image.{_EXTENSIONS.get(media_type, media_type.partition('/')[2] or 'bin')}"
    upload = Upload(content=content, media_type=media_type, name=name)
    check_size(upload, where)
    return upload


def _decoded(url: str, where: str) -> tuple[bytes, str]:
    head, comma, body = url.removeprefix("data:").partition(",")
    media_type, *parameters = head.split(";")
    try:
        raw = base64.b64decode(body, validate=True) if "base64" in parameters else unquote_to_bytes(body)
    except binascii.Error as error:
        raise InvalidRequest(f"{where}: the data URL of the picture is not valid base64") from error
    if not comma:
        raise InvalidRequest(f"{where}: the data URL of the picture has no data")
    return raw, media_type or "image/png"


def check_size(upload: Upload, where: str) -> None:
    """Refuse a file that the server would refuse.

    Raises:
        InvalidRequest: for an empty or too large file.
    """
    family = upload.media_type.partition("/")[0]
    limit = LIMITS.get(family, LIMITS["text"])
    if not upload.content:
        raise InvalidRequest(f"{where}: the file is empty")
    if len(upload.content) > limit:
        size, most = len(upload.content) / _MEGABYTE, limit // _MEGABYTE
        raise InvalidRequest(f"{where}: {size:.1f} MB; GigaChat takes {family} files of {most} MB at most")


def check_attachments(request: ChatRequest) -> None:
    """Refuse more pictures than GigaChat looks at: one in a message, ten in a request, 80 MB in all.

    Raises:
        Unsupported: another provider may take them.
    """
    counts = [_images(message) for message in request.messages]
    for number, count in enumerate(counts):
        if count > 1:
            raise Unsupported(f"messages[{number}]: {count} pictures; GigaChat takes one in a message")
    if sum(counts) > _PER_REQUEST:
        raise Unsupported(f"{sum(counts)} pictures; GigaChat takes {_PER_REQUEST} in a request")
    size = sum(_size(part) for m in request.messages for part in m.parts if isinstance(part, Image))
    if size > _BYTES_PER_REQUEST:
        raise Unsupported(f"{size / _MEGABYTE:.0f} MB of pictures; GigaChat takes {_BYTES_PER_REQUEST // _MEGABYTE} MB")


def _images(message: Message) -> int:
    return sum(isinstance(part, Image) for part in message.parts)


def _size(image: Image) -> int:
    """Bytes of a picture; three quarters of the letters in a ``data:`` URL, before anybody decodes it."""
    return len(image.data) if image.data is not None else len(image.url or "") * 3 // 4


def form(upload: Upload, purpose: str) -> tuple[bytes, str]:
    """A ``multipart/form-data`` body for an upload, and its content type."""
    boundary = f"mlo-{secrets.token_hex(16)}"
    name = upload.name.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {upload.media_type}\r\n\r\n"
    )
    return head.encode() + upload.content + f"\r\n--{boundary}--\r\n".encode(), (
        f"multipart/form-data; boundary={boundary}"
    )
