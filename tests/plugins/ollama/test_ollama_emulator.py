"""What the emulator does beyond the official client's reach."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_emulators.ollama.answers import Prompt, answer_to, tokens_of
from mlo_emulators.ollama.wire import dumps
from mlo_emulators.server import RunningServer

from .conftest import Serve


def chat(server: RunningServer, text: str = "hi", **more: Any) -> httpx.Response:
    body = {"model": "tiny", "messages": [{"role": "user", "content": text}], "stream": False, **more}
    return httpx.post(f"{server.url}/api/chat", json=body, timeout=10)


@given(st.text(max_size=80))
def test_tokens_add_up_to_their_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


@given(st.text(max_size=80))
def test_json_reads_back_and_holds_one_line_feed_at_most(text: str) -> None:
    written = dumps({"text": text})
    assert json.loads(written) == {"text": text}
    assert b"\n" not in written


def test_go_escapes_brackets_and_line_separators_but_not_next_line() -> None:
    assert dumps("<&>\u2028\x85") == b'"\\u003c\\u0026\\u003e\\u2028\xc2\x85"'


def test_stop_words_end_the_answer() -> None:
    assert "".join(answer_to(Prompt(said="one two three"), stop=["two"]).content) == "Эхо: one "


def test_nulls_are_tolerated(server: RunningServer) -> None:
    assert chat(server, tools=[], options=None, format=None, keep_alive=None).status_code == 200


def test_headers_wait_for_a_cold_load(serve: Serve) -> None:
    server = serve(load_time=0.2)
    started = time.monotonic()
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
    with httpx.stream("POST", f"{server.url}/api/chat", json=body) as answer:
        waited = time.monotonic() - started
        assert answer.status_code == 200
    assert waited >= 0.2
    assert chat(server).json().get("load_duration") is None


def test_another_window_reloads_the_model(server: RunningServer, serve: Serve) -> None:
    server = serve()
    for num_ctx in (2048, 2048, 1024):
        chat(server, options={"num_ctx": num_ctx})
    assert (server.journal["loads"], server.journal["reloads"]) == (1, 1)


def test_zero_metrics_are_absent(serve: Serve) -> None:
    assert not {"eval_count", "prompt_eval_count", "load_duration"} & chat(serve(no_metrics=True)).json().keys()


def test_a_long_prompt_is_cut_to_half_the_window_without_a_word(server: RunningServer) -> None:
    answer = chat(server, "слово " * 200, options={"num_ctx": 64}).json()
    assert answer["prompt_eval_count"] == 34


def test_a_long_prompt_is_refused_when_it_must_not_be_cut(server: RunningServer) -> None:
    answer = chat(server, "слово " * 200, options={"num_ctx": 64}, truncate=False)
    assert answer.status_code == 400
    assert json.loads(answer.json()["error"])["error"]["n_ctx"] == 64


def test_a_bearer_token_is_demanded(serve: Serve) -> None:
    server = serve(api_key="key")
    assert chat(server).status_code == 401
    answer = httpx.get(f"{server.url}/api/tags", headers={"authorization": "Bearer key"})
    assert answer.status_code == 200


def test_a_pull_goes_on_where_it_stopped(serve: Serve) -> None:
    server = serve(pull_cut=True)
    bodies = [httpx.post(f"{server.url}/api/pull", json={"model": "small"}).text for _ in range(3)]
    assert ['"success"' in body for body in bodies] == [False, False, True]
    assert server.journal["pulled bytes"] == 2_000_000_000 + 1024


def test_requests_queue_for_a_slot(serve: Serve) -> None:
    server = serve(parallel=1)
    assert chat(server).status_code == 200
    assert [each["name"] for each in httpx.get(f"{server.url}/api/ps").json()["models"]] == ["tiny:latest"]


def test_wrong_methods_and_unknown_routes(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/api/chat").status_code == 405
    assert httpx.get(f"{server.url}/api/nothing").status_code == 404
    assert httpx.get(server.url).text == "Ollama is running"


BAD = {
    "no-body": (b"", 400, "missing request body"),
    "no-json": (b"{", 400, "invalid character"),
    "no-object": (b"[]", 400, "cannot unmarshal array"),
    "no-model": (b"{}", 400, "model is required"),
    "odd-model": (b'{"model":"a b"}', 400, "invalid model name"),
    "model-type": (b'{"model":["a"]}', 400, "cannot unmarshal array"),
    "messages": (b'{"model":"tiny","messages":{"a":1}}', 400, "cannot unmarshal messages"),
    "role": (b'{"model":"tiny","messages":[{"role":"boss"}]}', 400, "invalid role"),
    "content": (b'{"model":"tiny","messages":[{"role":"user","content":[1]}]}', 400, "of type string"),
    "image": (b'{"model":"tiny-vision","messages":[{"role":"user","images":["?"]}]}', 400, "illegal base64"),
    "arguments": (
        b'{"model":"tiny","messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"{}"}}]}]}',
        400,
        "ToolCallFunctionArguments",
    ),
    "format": (b'{"model":"tiny","messages":[],"format":"xml"}', 400, "invalid format"),
    "think": (b'{"model":"tiny","messages":[],"think":"deeply"}', 400, "invalid think value"),
    "options": (b'{"model":"tiny","messages":[],"options":[1]}', 400, "options"),
    "boolean": (b'{"model":"tiny","messages":[],"options":{"use_mmap":1}}', 500, "of type boolean"),
    "float": (b'{"model":"tiny","messages":[],"options":{"top_p":"x"}}', 500, "of type float32"),
    "stop": (b'{"model":"tiny","messages":[],"options":{"stop":"x"}}', 500, "array of strings"),
    "keep-alive": (b'{"model":"tiny","messages":[],"keep_alive":"soon"}', 400, "invalid duration"),
}


@pytest.mark.parametrize(("body", "status", "words"), BAD.values(), ids=list(BAD))
def test_wrong_requests_are_refused_in_the_servers_words(
    server: RunningServer, body: bytes, status: int, words: str
) -> None:
    answer = httpx.post(f"{server.url}/api/chat", content=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_models_leave_memory(serve: Serve) -> None:
    server = serve(max_loaded=1)
    for model in ("tiny", "tiny-plain"):
        chat(server, model=model, keep_alive="1h")
    assert server.journal["evictions"] == 1
    [loaded] = httpx.get(f"{server.url}/api/ps").json()["models"]
    assert loaded["model"] == "tiny-plain:latest"
    assert datetime.fromisoformat(loaded["expires_at"]) > datetime.now(UTC) + timedelta(minutes=50)
    chat(server, model="tiny-plain", keep_alive="10ms")
    time.sleep(0.05)
    assert httpx.get(f"{server.url}/api/ps").json()["models"] == []


def test_blobs(server: RunningServer) -> None:
    url = f"{server.url}/api/blobs/sha256:abc"
    assert httpx.head(url).status_code == 404
    assert httpx.post(url, content=b"x").status_code == 201
    assert httpx.head(url).status_code == 200


@pytest.fixture
def compatible(server: RunningServer) -> Any:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused") as client:
        yield client


def test_openai_client_chats(compatible: openai.OpenAI) -> None:
    answer = compatible.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "Эхо: hi"
    assert answer.usage
    assert answer.usage.total_tokens


def test_openai_client_streams(compatible: openai.OpenAI) -> None:
    with compatible.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "hi"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Эхо: hi"
    assert chunks[-1].usage


def test_openai_client_calls_tools_with_schemas_and_pictures(compatible: openai.OpenAI) -> None:
    picture: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    question: Any = [{"role": "user", "content": [{"type": "text", "text": "what?"}, picture]}]
    seen = compatible.chat.completions.create(
        model="tiny-vision",
        messages=question,
        stop="!",
        max_tokens=50,
    )
    assert seen.choices[0].message.content == "Эхо: what?"
    tool: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
    asked = compatible.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "?"}], tools=[tool])
    assert asked.choices[0].finish_reason == "tool_calls"
    turns: Any = [
        {"role": "user", "content": "?"},
        asked.choices[0].message,
        {"role": "tool", "content": "noon", "tool_call_id": "1"},
    ]
    told = compatible.chat.completions.create(model="tiny", messages=turns, response_format={"type": "text"})
    assert "noon" in (told.choices[0].message.content or "")


def test_openai_client_wants_json(compatible: openai.OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}
    forms: list[Any] = [wanted, {"type": "json_object"}]
    for form in forms:
        answer = compatible.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], response_format=form
        )
        assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_openai_client_hears_thoughts(compatible: openai.OpenAI) -> None:
    answer = compatible.chat.completions.create(
        model="tiny-thinker:8b", messages=[{"role": "user", "content": "hi"}], reasoning_effort="low"
    )
    assert "Думаю" in answer.choices[0].message.model_dump()["reasoning"]


def test_openai_client_meets_errors(compatible: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        compatible.chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])


def test_openai_client_lists_and_embeds(compatible: openai.OpenAI) -> None:
    assert "tiny:latest" in [model.id for model in compatible.models.list()]
    found = compatible.embeddings.create(model="tiny-embed", input=["a", "b"], encoding_format="float")
    assert [len(each.embedding) for each in found.data] == [64, 64]
