"""The official Python client against the emulator: proof that the emulator speaks the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from mlo_emulators.server import RunningServer

from .conftest import Serve

ONE_PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def client(server: RunningServer) -> Iterator[ollama.Client]:
    with ollama.Client(server.url) as found:
        yield found


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: first
        b: second
    """
    return a + b


def test_chat(client: ollama.Client) -> None:
    answer = client.chat("tiny", ask("Привет"))
    assert answer.message.content == "Эхо: Привет"
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.eval_count
    assert answer.prompt_eval_count


def test_chat_stream(client: ollama.Client) -> None:
    parts = list(client.chat("tiny", ask("раз два три"), stream=True))
    assert "".join(part.message.content or "" for part in parts) == "Эхо: раз два три"
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 4


def test_chat_options_and_keep_alive(client: ollama.Client) -> None:
    answer = client.chat("tiny", ask("a b c d e f"), options={"num_predict": 3, "temperature": 0.1}, keep_alive="5m")
    assert answer.done_reason == "length"


def test_chat_json(client: ollama.Client) -> None:
    answer = client.chat("tiny", ask("hi"), format="json", think=False)
    assert json.loads(answer.message.content or "") == {"answer": "hi"}


def test_chat_schema(client: ollama.Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]}
    answer = client.chat("tiny", ask("hi"), format=schema)
    assert json.loads(answer.message.content or "")["n"] >= 7


def test_tools_with_a_second_turn(client: ollama.Client) -> None:
    first = client.chat("tiny", ask("add two numbers"), tools=[add])
    assert first.done_reason == "stop"
    call = (first.message.tool_calls or [])[0]
    assert call.function.name == "add"
    result = str(add(**dict(call.function.arguments)))
    history: list[Any] = [
        *ask("add two numbers"),
        first.message,
        {"role": "tool", "content": result, "tool_name": "add"},
    ]
    second = client.chat("tiny", history, tools=[add])
    assert result in (second.message.content or "")


def test_tools_in_a_stream(client: ollama.Client) -> None:
    parts = list(client.chat("tiny", ask("add"), tools=[add], stream=True))
    assert [len(part.message.tool_calls or []) for part in parts] == [1, 0]


def test_thinking_comes_first_and_is_on_by_default(client: ollama.Client) -> None:
    parts = list(client.chat("tiny-thinker:8b", ask("why"), stream=True))
    kinds = ["thinking" if part.message.thinking else "content" for part in parts[:-1]]
    assert kinds == sorted(kinds, reverse=True)
    assert "thinking" in kinds


def test_thinking_can_be_switched_off(client: ollama.Client) -> None:
    assert client.chat("tiny-thinker:8b", ask("why"), think=False).message.thinking is None


def test_thinking_level(client: ollama.Client) -> None:
    assert client.chat("tiny-thinker:8b", ask("why"), think="low").message.thinking


def test_images(client: ollama.Client) -> None:
    message = {"role": "user", "content": "what?", "images": [ONE_PIXEL]}
    assert client.chat("tiny-vision", [message]).message.content == "Эхо: what?"


def test_logprobs(client: ollama.Client) -> None:
    answer = client.chat("tiny", ask("hi"), logprobs=True, top_logprobs=2)
    assert answer.logprobs
    assert len(answer.logprobs[0].top_logprobs or []) == 2


def test_generate(client: ollama.Client) -> None:
    answer = client.generate("tiny", "hi")
    assert answer.response == "Эхо: hi"
    assert answer.context


def test_generate_stream_and_preload(client: ollama.Client) -> None:
    assert "".join(part.response or "" for part in client.generate("tiny", "hi", stream=True)) == "Эхо: hi"
    assert client.generate("tiny").done_reason == "load"
    assert client.generate("tiny", keep_alive=0).done_reason == "unload"


def test_embed(client: ollama.Client) -> None:
    answer = client.embed("tiny-embed", ["a", "b"], truncate=False, dimensions=8)
    assert [len(vector) for vector in answer.embeddings] == [8, 8]
    assert sum(number * number for number in answer.embeddings[0]) == pytest.approx(1.0)
    assert client.embed("tiny-embed", []).embeddings == []
    assert len(client.embeddings("tiny-embed", "a").embedding) == 64


def test_list_show_ps(client: ollama.Client) -> None:
    assert "tiny:latest" in [model.model for model in client.list().models]
    shown = client.show("tiny-vision")
    assert shown.capabilities == ["completion", "vision"]
    assert (shown.modelinfo or {})["emulated.context_length"] == 16384
    client.generate("tiny-vision", keep_alive="1h")
    assert "tiny-vision:latest" in [model.model for model in client.ps().models]


def test_pull_and_delete_and_copy(client: ollama.Client) -> None:
    statuses = [part.status for part in client.pull("small", stream=True)]
    assert (statuses[0], statuses[-1]) == ("pulling manifest", "success")
    assert client.copy("small", "mine").status == "success"
    assert {"small:latest", "mine:latest"} <= {model.model for model in client.list().models}
    assert client.delete("small").status == "success"
    assert client.delete("mine").status == "success"
    assert client.pull("small").status == "success"
    client.delete("small")


def test_create_and_push(client: ollama.Client) -> None:
    assert client.create("made", from_="tiny").status == "success"
    assert client.push("made").status == "success"
    client.delete("made")


@pytest.mark.parametrize(
    ("model", "more", "status", "words"),
    [
        ("nope", {}, 404, "not found"),
        ("tiny-embed", {}, 400, "does not support chat"),
        ("tiny-plain", {"tools": [add]}, 400, "does not support tools"),
        ("tiny", {"think": True}, 400, "does not support thinking"),
        ("tiny", {"options": {"num_ctx": "many"}}, 500, 'option "num_ctx" must be of type integer'),
        ("tiny", {"top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
    ],
    ids=["no-model", "no-chat", "no-tools", "no-thinking", "option", "logprobs"],
)
def test_errors(client: ollama.Client, model: str, more: dict[str, object], status: int, words: str) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model, ask("hi"), **more)  # type: ignore[call-overload]  # wrong on purpose
    assert caught.value.status_code == status
    assert words in caught.value.error


def test_an_image_for_a_model_without_eyes(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support vision"):
        client.chat("tiny", [{"role": "user", "content": "?", "images": [ONE_PIXEL]}])


def test_a_full_queue(serve: Serve) -> None:
    with ollama.Client(serve(max_queue=0).url) as client, pytest.raises(ollama.ResponseError) as caught:
        client.chat("tiny", ask("hi"))
    assert caught.value.status_code == 503


def test_an_error_inside_a_stream(serve: Serve) -> None:
    with ollama.Client(serve(error_line=2).url) as client:
        stream = client.chat("tiny", ask("hi"), stream=True)
        with pytest.raises(ollama.ResponseError, match="unexpected EOF") as caught:
            list(stream)
    assert caught.value.status_code == -1


def test_the_official_client_does_not_notice_a_cut(serve: Serve) -> None:
    with ollama.Client(serve(cut=2).url) as client:
        parts = list(client.chat("tiny", ask("hi"), stream=True))
    assert [part.done for part in parts] == [False, False]


def test_the_official_client_dies_of_a_raw_next_line_character(client: ollama.Client) -> None:
    with pytest.raises(json.JSONDecodeError):
        list(client.chat("tiny", ask("one\x85two"), stream=True))


def test_a_foreign_host_is_refused(server: RunningServer) -> None:
    answer = httpx.get(f"{server.url}/api/tags", headers={"host": "evil.example"})
    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.anyio
async def test_async_client(server: RunningServer, anyio_backend_name: str) -> None:
    async with ollama.AsyncClient(server.url) as client:
        answer = await client.chat("tiny", ask("hi"))
        parts = [part async for part in await client.chat("tiny", ask("hi"), stream=True)]
    assert answer.message.content == "Эхо: hi"
    assert parts[-1].done


def test_leaving_a_stream_stops_the_generation(serve: Serve) -> None:
    server = serve(chunk_delay=0.05)
    with ollama.Client(server.url) as client:
        next(client.chat("tiny", ask("слово " * 50), stream=True))
    assert server.journal.wait_for("cancelled")
    assert server.journal["chunks"] <= 3
