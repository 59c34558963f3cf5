"""Files on the server: uploading, reading, deleting; and pictures of requests that become files."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from attrs import evolve, frozen

from mlo.errors import ContextTooLong, InvalidRequest, MloError, ModelNotFound, ProtocolViolated
from mlo.messages import FileRef, Image, Message, Part
from mlo.requests import ChatRequest

from .media import Upload, check_attachments, check_size, form, upload_of
from .wire import Wire, as_int, as_objects, as_text

if TYPE_CHECKING:
    from mlo_sdk.http import HttpClient

__all__ = ["FileStore", "StoredFile"]

_CLEANUP_SECONDS = 5.0


@frozen(kw_only=True)
class StoredFile:
    """A file on the server. ``size`` is in bytes, ``created_at`` Unix time."""

    id: str
    name: str
    size: int | None = None
    created_at: int | None = None
    purpose: str = "general"


class FileStore:
    """The files of one account. A file belongs to the ``X-Client-ID`` in ``headers`` under which it was made."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._known: dict[tuple[bytes, str], str] = {}
        self._made: dict[str, str] = {}  # what was uploaded for requests: id and owner

    async def upload(
        self,
        content: bytes,
        name: str,
        *,
        media_type: str | None = None,
        purpose: str = "general",
        headers: Mapping[str, str] | None = None,
    ) -> StoredFile:
        """Send a file. Its ``media_type`` is guessed from the name if not given.

        Raises:
            InvalidRequest: for an empty or too large file.
            ProviderError: when the server refuses.
        """
        kind = media_type or mimetypes.guess_type(name)[0] or "text/plain"
        upload = Upload(content=content, media_type=kind, name=PurePath(name).name)
        check_size(upload, upload.name)
        return await self._send(upload, purpose, headers)

    async def list(self, *, headers: Mapping[str, str] | None = None) -> Sequence[StoredFile]:
        """All files."""
        reply = await self._client.request("GET", "/files", headers=headers)
        return [_stored(item) for item in as_objects(reply.mapping().get("data"))]

    async def get(self, file_id: str, *, headers: Mapping[str, str] | None = None) -> StoredFile:
        """What is known of a file.

        Raises:
            InvalidRequest: when there is none of that id.
            ProviderError: when the server refuses.
        """
        with _as_wrong_request(file_id):
            reply = await self._client.request("GET", f"/files/{quote(file_id, safe='')}", headers=headers)
        return _stored(reply.mapping())

    async def content(self, file_id: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """The bytes of a file, such as a picture that the model drew.

        Raises:
            InvalidRequest: when there is none of that id.
            ProviderError: when the server refuses.
        """
        path = f"/files/{quote(file_id, safe='')}/content"
        with _as_wrong_request(file_id):
            return b"".join(await self._pieces(path, headers))

    async def _pieces(self, path: str, headers: Mapping[str, str] | None) -> Sequence[bytes]:
        pieces = []
        async with (
            self._client.stream("GET", path, headers={"accept": "*/*", **(headers or {})}) as reply,
            aclosing(reply.chunks()) as chunks,
        ):
            async for piece in chunks:
                pieces.append(piece)  # noqa: PERF401 - the closing of the source has to be explicit
        return pieces

    async def delete(self, file_id: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Delete a file for good.

        Raises:
            InvalidRequest: when there is none of that id.
            ProviderError: when the server refuses.
        """
        with _as_wrong_request(file_id):
            await self._client.request("POST", f"/files/{quote(file_id, safe='')}/delete", headers=headers)
        self._made.pop(file_id, None)
        for key in [key for key, known in self._known.items() if known == file_id]:
            del self._known[key]

    async def with_uploads(self, request: ChatRequest, headers: Mapping[str, str]) -> ChatRequest:
        """The request with its pictures uploaded. One that was uploaded before is not sent again.

        Raises:
            Unsupported: for more pictures than GigaChat takes, or one given by its address.
            InvalidRequest: for a picture that is broken or too large.
        """
        if not any(isinstance(part, Image) for message in request.messages for part in _parts(message)):
            return request
        check_attachments(request)
        messages = [
            await self._with_uploads(message, f"messages[{number}]", headers)
            for number, message in enumerate(request.messages)
        ]
        return evolve(request, messages=messages)

    async def _with_uploads(self, message: Message, where: str, headers: Mapping[str, str]) -> Message:
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, Image):
                upload = upload_of(part, where)
                parts.append(FileRef(id=await self._known_or_sent(upload, headers), media_type=upload.media_type))
            else:
                parts.append(part)
        return evolve(message, content=tuple(parts))

    async def _known_or_sent(self, upload: Upload, headers: Mapping[str, str]) -> str:
        key = (hashlib.sha256(upload.content).digest(), headers.get("x-client-id", ""))
        known = self._known.get(key)
        if known is None:
            owner = {name: value for name, value in headers.items() if name == "x-client-id"}
            known = (await self._send(upload, "general", owner)).id
            self._known[key], self._made[known] = known, key[1]
        return known

    async def _send(self, upload: Upload, purpose: str, headers: Mapping[str, str] | None) -> StoredFile:
        body, content_type = form(upload, purpose)
        everything = {**(headers or {}), "content-type": content_type}
        with _as_wrong_request(upload.name):
            reply = await self._client.request("POST", "/files", content=body, headers=everything)
        return _stored(reply.mapping())

    @asynccontextmanager
    async def forgetting_lost(self) -> AsyncGenerator[None, None]:
        """Upload pictures anew for later requests if the server says that it has not got a file of this one."""
        try:
            yield
        except InvalidRequest as error:
            if error.status == 404:
                self._known.clear()
            raise

    async def clean_up(self) -> None:
        """Delete what was uploaded for requests; gives up after five seconds, or when the server cannot be reached."""
        made, self._made = self._made, {}
        self._known.clear()
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            for file_id, owner in made.items():
                try:
                    await self.delete(file_id, headers={"x-client-id": owner} if owner else None)
                except InvalidRequest:  # somebody else has deleted it
                    continue
                except MloError:
                    return


@contextmanager
def _as_wrong_request(what: str) -> Iterator[None]:
    """The API's table speaks of prompts and models, where this is about a file."""
    try:
        yield
    except ContextTooLong as error:
        message = f"{what}: the server does not take a file of this size"
        raise InvalidRequest(message, status=error.status, request_id=error.request_id) from error
    except ModelNotFound as error:
        message = f"{what}: there is no such file, or it belongs to another X-Client-ID"
        raise InvalidRequest(message, status=error.status, request_id=error.request_id) from error


def _parts(message: Message) -> Sequence[Part]:
    return () if isinstance(message.content, str) else message.content


def _stored(wire: Wire) -> StoredFile:
    file_id = as_text(wire.get("id"))
    if not file_id:
        raise ProtocolViolated("a file without an id", sample=", ".join(sorted(wire)))
    return StoredFile(
        id=file_id,
        name=as_text(wire.get("filename")),
        size=as_int(wire.get("bytes")),
        created_at=as_int(wire.get("created_at")),
        purpose=as_text(wire.get("purpose")) or "general",
    )
