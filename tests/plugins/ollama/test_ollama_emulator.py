"""What the emulator does beyond the official client's reach."""

from __future__ import annotations

import json
import time
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


def test_openai_client_meets_errors(compatible: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        compatible.chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])


def test_openai_client_lists_and_embeds(compatible: openai.OpenAI) -> None:
    assert "tiny:latest" in [model.id for model in compatible.models.list()]
    found = compatible.embeddings.create(model="tiny-embed", input=["a", "b"], encoding_format="float")
    assert [len(each.embedding) for each in found.data] == [64, 64]
