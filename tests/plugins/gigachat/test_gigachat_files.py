"""Pictures of requests, and files on the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlo.errors import InvalidRequest, Unsupported
from mlo.events import fold
from mlo.messages import FileRef, Image, Message, Text
from mlo.requests import ChatRequest
from mlo_emulators.gigachat import Emulator
from mlo_emulators.server import running
from mlo_gigachat.config import GigaChatConfig
from mlo_gigachat.media import LIMITS
from mlo_gigachat.provider import GigaChatProvider, open_gigachat
from mlo_sdk.testing.surroundings import FixedAuth, LoneEnvironment, context

pytestmark = pytest.mark.anyio
TOKEN = FixedAuth()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@asynccontextmanager
async def connected(url: str, emulator: Emulator | None = None, **options: Any) -> AsyncIterator[GigaChatProvider]:
    if emulator is not None:
        emulator.configure(access_token=TOKEN.token.reveal())
    config = GigaChatConfig(base_url=f"{url}/v1", **options)
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        assert isinstance(provider, GigaChatProvider)
        yield provider


def see(*pictures: Image, text: str = "Что тут?") -> ChatRequest:
    return ChatRequest(messages=(Message.user([Text(text), *pictures]),))


async def test_a_picture_is_uploaded_once_and_deleted_at_the_end(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        for _ in range(2):
            found = await provider.generate(see(Image(data=PNG)), context())
            assert "Файлов: 1" in found.text
        assert emulator.journal["uploads"] == 1
        assert len(await provider.files.list()) == 1
    assert emulator.journal["deletions"] == 1


async def test_uploads_may_be_kept(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, keep_uploads=True) as provider:
        await provider.generate(see(Image(url="data:image/png;base64,iVBORw0KGgo=")), context())
    assert emulator.journal["deletions"] == 0


async def test_a_picture_belongs_to_its_client(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        for client in ("a", "b"):
            request = ChatRequest(messages=see(Image(data=PNG)).messages, extra={"client_id": client})
            assert "Файлов: 1" in (await provider.generate(request, context())).text
    assert emulator.journal["uploads"] == emulator.journal["deletions"] == 2


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        (see(Image(url="https://example.com/a.png")), Unsupported, "bytes of a picture, not its address"),
        (see(Image(url="data:image/png;base64,???")), InvalidRequest, "not valid base64"),
        (see(Image(data=b"")), InvalidRequest, "empty"),
        (see(Image(url="data:image/png\r\nx: y;base64,aWk=")), InvalidRequest, "no media type"),
        (see(Image(data=bytes(LIMITS["image"] + 1))), InvalidRequest, "15 MB at most"),
        (see(Image(data=PNG), Image(data=PNG)), Unsupported, "one in a message"),
        (
            ChatRequest(messages=tuple(see(Image(data=PNG)).messages[0] for _ in range(11))),
            Unsupported,
            "10 in a request",
        ),
    ],
    ids=["address", "base64", "empty", "kind", "large", "two", "eleven"],
)
async def test_pictures_that_gigachat_does_not_take(
    url: str, emulator: Emulator, request_: ChatRequest, error: type[Exception], said: str
) -> None:
    async with connected(url, emulator) as provider:
        with pytest.raises(error, match=said):
            await provider.generate(request_, context())
    assert emulator.journal["uploads"] == 0


async def test_files_are_uploaded_read_and_deleted(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        stored = await provider.files.upload(b"\r\n--x\r\n", 'заметки "1".txt')
        assert (await provider.files.get(stored.id)).size == 7
        assert await provider.files.content(stored.id) == b"\r\n--x\r\n"
        request = ChatRequest(messages=(Message.user([Text("о чём?"), FileRef(id=stored.id)]),))
        assert "Файлов: 1" in (await provider.generate(request, context())).text
        await provider.files.delete(stored.id)
        with pytest.raises(InvalidRequest, match="No such file"):
            await provider.files.get(stored.id)


async def test_a_drawn_picture_can_be_fetched(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, functions=("text2image",)) as provider:
        drawn = await provider.generate(ChatRequest.of("Нарисуй кота"), context())
        file_id = drawn.text.split('"')[1]
        assert (await provider.files.content(file_id)).startswith(b"\xff\xd8\xff")


async def streamed(provider: GigaChatProvider, request: ChatRequest) -> str:
    return fold([event async for event in provider.generate_stream(request, context())]).text


async def test_pictures_that_are_sent_at_once_are_all_deleted_at_the_end(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(provider.generate, see(Image(data=PNG)), context())
    assert emulator.journal["deletions"] == emulator.journal["uploads"]
    assert not emulator.files.all(None)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_picture_that_somebody_deleted_is_uploaded_again_later(
    url: str, emulator: Emulator, *, stream: bool
) -> None:
    async with connected(url, emulator) as provider, connected(url) as somebody:
        await provider.generate(see(Image(data=PNG)), context())
        for file in await somebody.files.list():
            await somebody.files.delete(file.id)
        with pytest.raises(InvalidRequest, match="No such file"):
            await (streamed if stream else whole)(provider, see(Image(data=PNG)))
        assert "Файлов: 1" in await whole(provider, see(Image(data=PNG)))


async def whole(provider: GigaChatProvider, request: ChatRequest) -> str:
    return (await provider.generate(request, context())).text


async def test_what_somebody_deleted_does_not_keep_the_rest_from_being_deleted(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        for letter in (b"a", b"b"):
            await provider.generate(see(Image(data=PNG + letter)), context())
        async with connected(url) as somebody:
            await somebody.files.delete((await somebody.files.list())[0].id)
    assert emulator.journal["deletions"] == 2


@pytest.mark.parametrize(("status", "said"), [(413, "a file of this size"), (404, "no such file, or it belongs")])
async def test_refusals_of_files_speak_of_files(status: int, said: str) -> None:
    async def refuse(_request: Request) -> Response:
        return JSONResponse({"status": status, "message": "Whatever"}, status_code=status)

    app = Starlette(routes=[Route("/{path:path}", refuse, methods=["GET", "POST"])])
    with running(app) as server:
        async with connected(server.url) as provider:
            for call in (provider.files.upload(b"x", "x.txt"), provider.files.get("x"), provider.files.content("x")):
                with pytest.raises(InvalidRequest, match=said):
                    await call
            with pytest.raises(InvalidRequest, match=said):
                await provider.files.delete("x")
