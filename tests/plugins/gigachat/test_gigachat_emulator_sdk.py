"""The vendor's own client against the emulator: over HTTP, over TLS with a throwaway CA, with a client certificate."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gigachat import GigaChat
from gigachat.exceptions import (
    AuthenticationError,
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    ResponseError,
    ServerError,
    UnprocessableEntityError,
)
from starlette.applications import Starlette

from mlo_emulators.gigachat import Emulator, Options, create_app
from mlo_emulators.server import RunningServer, running
from mlo_emulators.tls import throwaway

KEY = base64.b64encode(b"client:secret").decode()
WEATHER = {
    "name": "get_weather",
    "description": "Погода в городе",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION = {"role": "user", "content": "Какая погода в Москве?"}


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app(Options(concurrency=0))


@pytest.fixture(scope="module", params=["http", "tls", "client-cert"])
def connected(
    request: pytest.FixtureRequest, app: Starlette, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, dict[str, Any]]]:
    """A server, and what the client needs to reach it."""
    if request.param == "http":
        with running(app) as server:
            yield server, {"verify_ssl_certs": False}
        return
    demanded = request.param == "client-cert"
    files = throwaway(tmp_path_factory.mktemp("tls"), client_cert=demanded)
    context = ssl.create_default_context(cafile=str(files.ca_file))
    if demanded:
        context.load_cert_chain(files.client_cert_file, files.client_key_file)
    with running(app, tls=files.server) as server:
        yield server, {"ssl_context": context}


@pytest.fixture
def emulator(app: Starlette) -> Emulator:
    state: Emulator = app.state.emulator
    state.configure()
    return state


@pytest.fixture
def client(connected: tuple[RunningServer, dict[str, Any]], emulator: Emulator) -> Iterator[GigaChat]:
    server, options = connected
    with GigaChat(
        base_url=f"{server.url}/api/v1",
        auth_url=f"{server.url}/api/v2/oauth",
        credentials=KEY,
        model="GigaChat-2",
        **options,
    ) as sdk:
        yield sdk


def test_chat(client: GigaChat) -> None:
    answer = client.chat("привет")
    assert answer.choices[0].message.content == "Вы написали: «привет». Отвечает GigaChat-2."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.x_headers is not None
    assert answer.x_headers["x-request-id"]


def test_stream_adds_up_to_the_chat(client: GigaChat) -> None:
    chunks = list(client.stream("привет"))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == (
        client.chat("привет").choices[0].message.content
    )
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


def test_functions_with_a_second_turn(client: GigaChat) -> None:
    first = client.chat({"messages": [QUESTION], "functions": [WEATHER], "function_call": "auto"})
    asked = first.choices[0]
    assert asked.finish_reason == "function_call"
    assert asked.message.function_call is not None
    assert asked.message.function_call.arguments == {"city": "Москве"}
    result = {"role": "function", "name": "get_weather", "content": '{"t": 1}'}
    second = client.chat({"messages": [QUESTION, asked.message, result], "functions": [WEATHER]})
    assert second.choices[0].message.content == 'Функция get_weather вернула: {"t": 1}'


def test_a_streamed_function_call(client: GigaChat) -> None:
    chunks = list(client.stream({"messages": [QUESTION], "functions": [WEATHER]}))
    calls = [chunk.choices[0].delta.function_call for chunk in chunks if chunk.choices[0].delta.function_call]
    assert [call.name for call in calls] == ["get_weather"]


def test_a_json_schema_is_followed(client: GigaChat) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer = client.chat({"messages": [QUESTION], "response_format": {"type": "json_schema", "schema": schema}})
    assert answer.choices[0].message.content == '{"n": 1}'


def test_models(client: GigaChat) -> None:
    assert "GigaChat-2-Max" in [model.id_ for model in client.get_models().data]
    assert client.get_model("GigaChat-2").owned_by == "salutedevices"


def test_tokens_are_counted(client: GigaChat) -> None:
    (count,) = client.tokens_count(["привет мир"], model="GigaChat-2")
    assert (count.tokens, count.characters) == (3, 10)


def test_embeddings(client: GigaChat) -> None:
    answer = client.embeddings(["раз", "два"], model="Embeddings")
    assert [len(one.embedding) for one in answer.data] == [1024, 1024]
    assert answer.data[0].embedding != answer.data[1].embedding
    assert answer.data[0].usage.prompt_tokens == 1


def test_files_are_kept_and_deleted(client: GigaChat) -> None:
    content = b"one\r\ntwo\r\n--three"
    stored = client.upload_file(("notes.txt", content, "text/plain"))
    assert stored.bytes_ == len(content)
    assert client.get_file(stored.id_).filename == "notes.txt"
    assert [file.id_ for file in client.get_files().data] == [stored.id_]
    assert base64.b64decode(client.get_image(stored.id_).content) == content
    assert client.delete_file(stored.id_).deleted
    with pytest.raises(NotFoundError):
        client.get_file(stored.id_)


def test_an_attached_file_reaches_the_model(client: GigaChat) -> None:
    stored = client.upload_file(("a.png", b"\x89PNG", "image/png"))
    answer = client.chat({"messages": [{**QUESTION, "attachments": [stored.id_]}]})
    assert "Файлов: 1" in answer.choices[0].message.content


def test_balance(client: GigaChat) -> None:
    assert client.get_balance().balance[0].value == 900_000


def test_chat_of_version_2(client: GigaChat) -> None:
    answer = client.chat.create({"messages": [{"role": "user", "content": "привет"}], "model": "GigaChat-3-Ultra"})
    assert answer.finish_reason == "stop"
    assert answer.messages[0].content is not None
    assert answer.messages[0].content[0].text == "Вы написали: «привет». Отвечает GigaChat-3-Ultra."


def test_stream_of_version_2(client: GigaChat) -> None:
    events = list(client.chat.stream({"messages": [{"role": "user", "content": "привет"}], "model": "GigaChat-2"}))
    assert {event.event for event in events[:-1]} == {"response.message.delta"}
    assert events[-1].event == "response.message.done"
    assert events[-1].usage is not None


def test_tools_of_version_2_with_a_second_turn(client: GigaChat) -> None:
    tools = [{"functions": {"specifications": [WEATHER]}}]
    first = client.chat.create({"messages": [QUESTION], "tools": tools})
    asked = first.messages[0]
    assert first.finish_reason == "function_call"
    assert asked.tools_state_id
    result = {"function_result": {"name": "get_weather", "result": {"t": 1}}}
    answered = {"role": "tool", "tools_state_id": asked.tools_state_id, "content": [result]}
    second = client.chat.create({"messages": [QUESTION, asked, answered], "tools": tools})
    assert second.messages[0].content is not None
    assert second.messages[0].content[0].text == 'Функция get_weather вернула: {"t": 1}'


def test_a_revoked_token_is_replaced_once(client: GigaChat, emulator: Emulator) -> None:
    client.chat("раз")
    emulator.accounts.revoke()
    assert client.chat("два").choices
    assert emulator.journal["oauth requests"] == 2
    assert emulator.journal["status 401"] == 1


def test_password(connected: tuple[RunningServer, dict[str, Any]], emulator: Emulator) -> None:
    server, options = connected
    with GigaChat(base_url=f"{server.url}/api/v1", user="u", password="p", model="GigaChat-2", **options) as sdk:
        assert sdk.chat("привет").choices
    assert emulator.journal["password logins"] == 1


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"fail_first": 9, "fail_status": 500}, ServerError, b"Internal Server Error"),
        ({"fail_first": 9, "fail_status": 502}, ServerError, b"<html>"),
        ({"fail_first": 9, "fail_status": 429, "retry_after": "seconds"}, RateLimitError, b"Too many requests"),
        ({"exhausted_models": ("GigaChat-2",)}, ResponseError, b"Payment Required"),
        ({"fail_first": 9, "fail_status": 403}, ForbiddenError, b"Permission denied"),
        ({"fail_first": 9, "fail_status": 422}, UnprocessableEntityError, b"Unprocessable Entity"),
        ({"key": "b3RoZXI6a2V5"}, AuthenticationError, b"credentials doesn't match db data"),
        ({"key_scopes": ("GIGACHAT_API_CORP",)}, BadRequestError, b"not fully includes"),
    ],
    ids=["500", "502", "429", "402", "403", "422", "key", "scope"],
)
def test_failures(
    client: GigaChat, emulator: Emulator, changes: dict[str, Any], error: type[ResponseError], said: bytes
) -> None:
    emulator.configure(**changes)
    with pytest.raises(error) as caught:
        client.chat("привет")
    assert said in (caught.value.content or b"")


def test_an_unknown_model(client: GigaChat) -> None:
    with pytest.raises(NotFoundError, match="No such model"):
        client.chat({"model": "GigaChat", "messages": [QUESTION]})


def test_one_slot_is_for_one_call(client: GigaChat, emulator: Emulator) -> None:
    emulator.configure(concurrency=1, trickle=0.05)
    opened = client.stream("Расскажи, пожалуйста, что-нибудь длинное и интересное")
    next(opened)
    with pytest.raises(RateLimitError):
        client.chat("второй")
    list(opened)
    assert client.chat("третий").choices


def test_certificates_are_checked(app: Starlette, tmp_path: Path) -> None:
    files = throwaway(tmp_path)
    with running(app, tls=files.server) as server:
        client = GigaChat(base_url=f"{server.url}/api/v1", auth_url=f"{server.url}/api/v2/oauth", credentials=KEY)
        with client, pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            client.get_models()
