"""The points that public material leaves open: the plugin works with either answer, the emulator can play both."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mlo.errors import InvalidRequest, ServerFault
from mlo.events import fold
from mlo.messages import Message, ToolDef
from mlo.requests import ChatRequest
from mlo.responses import FinishReason
from mlo_emulators.gigachat import Emulator, Options, v1
from mlo_emulators.gigachat.answers import Answer, answer, chunks
from mlo_gigachat.config import GigaChatConfig
from mlo_gigachat.provider import open_gigachat
from mlo_sdk.testing.surroundings import FixedAuth, LoneEnvironment, context

TOKEN = FixedAuth()
TOOL = ToolDef(
    name="get_weather", description="Погода", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)
QUESTION = Message.user("Какая погода в Москве?")
BOTH = pytest.mark.parametrize("api", ["v1", "v2"])


@BOTH
@pytest.mark.parametrize(
    "assumption",
    [
        {"function_call_id": True},
        {"split_function_call": True},
        {"v2_call_in": "done"},
        {"v2_tool_role": "function"},
        {"v2_result": "json"},
        {"completion_object": "chat.completions"},
        {"stream_usage": "absent"},
        {"functions_after_result": "allowed"},
    ],
    ids=str,
)
@pytest.mark.anyio
async def test_tools_work_under_every_assumption(
    url: str, emulator: Emulator, api: Any, assumption: dict[str, Any]
) -> None:
    emulator.configure(access_token=TOKEN.token.reveal(), **assumption)
    config = GigaChatConfig(base_url=f"{url}/v1", api=api)
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        request = ChatRequest(messages=(QUESTION,), tools=(TOOL,))
        streamed = fold([event async for event in provider.generate_stream(request, context())])
        whole = await provider.generate(request, context())
        (call,) = streamed.tool_calls
        turns = (QUESTION, streamed.message, Message.tool(call, "ясно"))
        answered = await provider.generate(ChatRequest(messages=turns, tools=(TOOL,)), context())
    assert streamed.finish_reason is whole.finish_reason is FinishReason.TOOL_CALLS
    assert call.parsed() == whole.tool_calls[0].parsed() == {"city": "Москве"}
    assert answered.text == 'Функция get_weather вернула: {"result": "ясно"}'


@pytest.mark.parametrize(("role", "fits"), [("function", True), ("tool", False)])
@pytest.mark.anyio
async def test_a_strict_server_takes_one_role(url: str, emulator: Emulator, role: Any, *, fits: bool) -> None:
    emulator.configure(access_token=TOKEN.token.reveal(), v2_tool_role="function")
    config = GigaChatConfig(base_url=f"{url}/v1", api="v2", tool_role=role)
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        asked = await provider.generate(ChatRequest(messages=(QUESTION,), tools=(TOOL,)), context())
        turns = (QUESTION, asked.message, Message.tool(asked.tool_calls[0], "1"))
        try:
            assert (await provider.generate(ChatRequest(messages=turns), context())).text
            assert fits
        except InvalidRequest:
            assert not fits


@pytest.mark.anyio
async def test_every_nth_call_may_fail(url: str, emulator: Emulator) -> None:
    emulator.configure(access_token=TOKEN.token.reveal(), fail_every=3, fail_status=500)
    failed = []
    async with open_gigachat(GigaChatConfig(base_url=f"{url}/v1"), LoneEnvironment(scheme=TOKEN)) as provider:
        for number in range(1, 7):
            try:
                await provider.generate(ChatRequest.of("привет"), context())
            except ServerFault:
                failed.append(number)
    assert failed == [3, 6]


def post(url: str, path: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN.token.reveal()}"}
    return httpx.post(f"{url}{path}", json=body, headers=headers)


def say(**more: Any) -> dict[str, Any]:
    return {"model": "GigaChat-2", "messages": [{"role": "user", "content": "привет"}], **more}


USER = {"role": "user", "content": "u"}
PARTS = {"model": "GigaChat-2", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
JSON_OBJECT = {"response_format": {"type": "json_object"}}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ([], 400, "invalid JSON syntax"),
        ({"messages": []}, 400, "invalid JSON syntax"),
        (say(messages=[]), 400, "invalid JSON syntax"),
        (say(messages=[{"role": "user", "content": [{"text": "x"}]}]), 400, "invalid JSON syntax"),
        (say(model="GigaChat"), 404, "No such model"),
        (say(model="Embeddings"), 404, "No such model"),
        (say(temperature=0), 422, "temperature must be in range"),
        (say(repetition_penalty=0), 422, "repetition_penalty must be in range (0, +inf)"),
        (say(temperature="hot"), 400, "invalid JSON syntax"),
        (
            say(messages=[{"role": "user", "content": "u"}, {"role": "system", "content": "s"}]),
            422,
            "must be the first",
        ),
        (say(messages=[{"role": "function", "content": "1"}]), 422, "must have an assistant function call"),
        (
            say(messages=[{"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": {}}}]),
            422,
            "must have a result in history",
        ),
        (say(messages=[{"role": "function", "content": "plain"}]), 422, "valid JSON"),
        (say(functions=[{**FUNCTION, "name": "1f"}]), 422, "Invalid function names"),
        (say(functions=[{"name": "f"}]), 400, "invalid JSON syntax"),
        (say(functions=[{"name": "f", "parameters": {"type": "object"}}]), 422, "needs properties"),
        (say(functions=[{"name": "f", "parameters": {"type": "object", "properties": {}}}]), 422, "needs properties"),
        (say(functions=[{"name": "f", "parameters": {"anyOf": []}}]), 422, "anyOf is not supported"),
        (say(functions=[FUNCTION], function_call={"name": "g"}), 422, "unknown function g"),
        (say(response_format={"type": "json_object"}), 400, 'Unknown type "json_object"'),
        (say(response_format={"type": "json_schema", "schema": {}}), 400, "Empty schema"),
        (say(messages=[{"role": "user", "content": "x", "attachments": ["none"]}]), 404, "No such file"),
    ],
)
def test_the_emulator_is_as_strict_as_the_service(
    url: str, emulator: Emulator, body: object, status: int, said: str
) -> None:
    emulator.configure(access_token=TOKEN.token.reveal())
    found = post(url, "/v1/chat/completions", body)
    assert found.status_code == status
    assert found.json()["status"] == status
    assert said in found.json()["message"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (say(), 400, "invalid JSON syntax"),
        ({**PARTS, "tools": [{"code_interpreter": {}}]}, 422, "Tool code_interpreter is unavailable"),
        ({**PARTS, "model_options": JSON_OBJECT}, 400, "Unknown type"),
    ],
)
def test_the_second_version_has_rules_of_its_own(
    url: str, emulator: Emulator, body: object, status: int, said: str
) -> None:
    emulator.configure(access_token=TOKEN.token.reveal())
    found = post(url, "/v2/chat/completions", body)
    assert (found.status_code, said in found.text) == (status, True)


def test_there_are_no_files_in_the_second_version(url: str, emulator: Emulator) -> None:
    emulator.configure()
    found = httpx.get(f"{url}/v2/files")
    assert found.status_code == 403
    assert found.headers["content-type"].startswith("text/html")


def test_functions_can_be_checked(url: str, emulator: Emulator) -> None:
    emulator.configure(access_token=TOKEN.token.reveal())
    assert post(url, "/v1/functions/validate", FUNCTION).json()["message"] == "Function is valid"
    assert post(url, "/v1/functions/validate", {}).json()["errors"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, "scope=GIGACHAT_API_PERS", 400, 4),
        ({"Authorization": "Basic ???"}, "scope=GIGACHAT_API_PERS", 400, 4),
        ({"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}, "", 400, 5),
        ({"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}, "scope=WRONG", 400, 1),
        ({"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}, "scope=GIGACHAT_API_CORP", 400, 7),
        ({"Authorization": "Basic Y2xpZW50OnNlY3JldA==", "RqUID": ""}, "scope=GIGACHAT_API_PERS", 400, 2),
    ],
)
def test_the_token_endpoint_refuses_in_its_own_words(
    url: str, emulator: Emulator, headers: dict[str, str], body: str, status: int, code: int
) -> None:
    emulator.configure()
    sent = {"RqUID": "r", "Content-Type": "application/x-www-form-urlencoded", **headers}
    found = httpx.post(f"{url}/api/v2/oauth", content=body, headers=sent)
    assert (found.status_code, found.json()["code"]) == (status, code)


def test_a_stream_has_the_bytes_of_the_recordings() -> None:
    options = Options()
    prompt = v1.read(say(), options)
    said = v1.frames(Answer(text="раз два три четыре"), v1.Context(prompt=prompt, options=options, created=1768996176))
    tail = ',"index":0}],"created":1768996176,"model":"GigaChat-2:2.0.28.2","object":"chat.completion"}\n\n'
    assert said[0].decode() == 'data: {"choices":[{"delta":{"content":"раз два три","role":"assistant"}' + tail
    assert said[1].decode() == 'data: {"choices":[{"delta":{"content":" четыре"}' + tail
    assert said[2].startswith(b'data: {"choices":[{"delta":{"content":""},"index":0,"finish_reason":"stop"}]')
    assert (
        '"usage":{"prompt_tokens":6,"completion_tokens":5,"total_tokens":11,"precached_prompt_tokens":0}'
        in said[2].decode()
    )
    assert said[3] == b"data: [DONE]\n\n"


@pytest.mark.parametrize("text", ["", " ", "раз", " раз  два\nтри ", "a b c d e"])
@pytest.mark.parametrize("words", [1, 2, 100])
def test_pieces_of_a_text_add_up_to_it(text: str, words: int) -> None:
    assert "".join(chunks(text, words)) == text


def test_answers_are_cut_at_the_limit() -> None:
    options = Options(answer="раз два три")
    found = answer(v1.read(say(max_tokens=2), options), options)
    assert (found.text, found.finish) == ("раз два ", "length")


def test_the_same_request_gets_the_same_answer() -> None:
    options = Options()
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    prompt = v1.read(say(response_format={"type": "json_schema", "schema": schema}), options)
    assert answer(prompt, options) == answer(prompt, options)
    assert json.loads(answer(prompt, options).text) == {"a": 1}
