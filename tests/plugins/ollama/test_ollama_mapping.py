"""What goes over the wire, for every kind of request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import InvalidRequest, ProtocolViolated, Unsupported
from mlo.messages import FileRef, Image, Message, Text, ToolCall, ToolChoice, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject, JsonSchema, Sampling
from mlo_ollama.config import CloudConfig, ModelSettings, OllamaConfig
from mlo_ollama.inventory import FREE
from mlo_ollama.mapping import chat_call, embed_body, load_body
from mlo_ollama.names import is_cloud, similar, with_tag
from mlo_ollama.options import complaint
from mlo_ollama.tool_choice import forced_call

CONFIG = OllamaConfig(model="tiny")
WEATHER = ToolDef(
    name="weather",
    description="The weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = ToolDef(name="clock")


def sent(request: ChatRequest | str, config: OllamaConfig = CONFIG, *, stream: bool = False) -> dict[str, Any]:
    return chat_call(ChatRequest.of(request), config, stream=stream).body


def only(content: str | tuple[Any, ...] = "hi", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message.user(content),), **fields)


def test_the_plainest_request() -> None:
    assert sent("hi") == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "options": {"num_ctx": 8192},
        "truncate": False,
        "shift": False,
    }


def test_the_window_is_the_same_in_every_request_to_a_model() -> None:
    config = OllamaConfig(model="tiny", num_ctx=2048, models={"big": ModelSettings(num_ctx=65536)})
    warm = only(sampling=Sampling(temperature=1.5, max_tokens=3))
    assert [sent(each, config)["options"]["num_ctx"] for each in (only(), warm)] == [2048, 2048]
    assert sent(only(model="big:latest"), config)["options"]["num_ctx"] == 65536
    assert load_body("big", config, None)["options"] == {"num_ctx": 65536}


def test_sampling_becomes_options() -> None:
    sampling = Sampling(
        temperature=0,
        top_p=0.5,
        top_k=3,
        max_tokens=9,
        stop=("x",),
        seed=1,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        repetition_penalty=1.2,
    )
    assert sent(only(sampling=sampling))["options"] == {
        "num_ctx": 8192,
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "num_predict": 9,
        "stop": ["x"],
        "seed": 1,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "repeat_penalty": 1.2,
    }


def test_options_come_from_instance_model_and_call_in_this_order() -> None:
    config = OllamaConfig(
        model="tiny", options={"top_k": 1, "min_p": 0.1}, models={"tiny": ModelSettings(options={"top_k": 2})}
    )
    assert sent("hi", config)["options"]["top_k"] == 2
    called = sent(only(extra={"options": {"top_k": 3, "num_keep": 1}}), config)["options"]
    assert (called["top_k"], called["min_p"], called["num_keep"]) == (3, 0.1, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"top_k": "many"}, "must be an integer"),
        ({"temperature": True}, "must be a number"),
        ({"stop": "x"}, "list of strings"),
        ({"num_ctx": 4096}, "would reload the model"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"zzz": 1}, "strict_options = false"),
    ],
    ids=["integer", "number", "strings", "reload", "typo", "unknown"],
)
def test_wrong_options_are_refused_before_the_network(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        sent(only(extra={"options": options}))


def test_unknown_options_may_be_let_through() -> None:
    config = OllamaConfig(model="tiny", strict_options=False)
    assert sent(only(extra={"options": {"zzz": 1}}), config)["options"]["zzz"] == 1
    assert complaint({"use_mmap": "yes"}, strict=False) is not None


def test_unknown_extra_fields_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="'logit_bias'"):
        sent(only(extra={"logit_bias": {}}))
    with pytest.raises(InvalidRequest, match="must be a table"):
        sent(only(extra={"options": 1}))


def test_known_extra_fields_go_as_they_are() -> None:
    body = sent(only(extra={"keep_alive": 0, "top_logprobs": 2, "logprobs": True, "truncate": True}))
    assert (body["keep_alive"], body["top_logprobs"], body["truncate"]) == (0, 2, True)


def test_a_request_needs_a_model() -> None:
    with pytest.raises(InvalidRequest, match="no model"):
        sent("hi", OllamaConfig())


@pytest.mark.parametrize(
    ("effort", "of_model", "of_instance", "think"),
    [
        (None, None, None, None),
        ("off", True, True, False),
        ("low", None, None, "low"),
        (None, None, "high", "high"),
        (None, False, "high", False),
    ],
    ids=["silent", "off", "low", "instance", "model"],
)
def test_thinking(effort: Any, of_model: Any, of_instance: Any, think: Any) -> None:
    config = OllamaConfig(model="tiny", think=of_instance, models={"tiny": ModelSettings(think=of_model)})
    assert sent(only(reasoning=effort), config).get("think") == think


def test_keep_alive_of_the_model_wins() -> None:
    config = OllamaConfig(model="tiny", keep_alive="5m", models={"tiny": ModelSettings(keep_alive=-1)})
    assert sent("hi", config)["keep_alive"] == -1
    assert sent(only(model="other"), config)["keep_alive"] == "5m"


def test_formats() -> None:
    assert sent(only(response_format=JsonObject()))["format"] == "json"
    schema = {"type": "object", "properties": {}}
    assert sent(only(response_format=JsonSchema(schema=schema)))["format"] == schema


def test_images_are_plain_base64() -> None:
    url = "data:image/png;base64," + base64.b64encode(b"two").decode()
    parts = (Text("what"), Image(data=b"one"), Image(url=url), Text(" is it"))
    message = sent(only(parts))["messages"][0]
    assert message["content"] == "what is it"
    assert [base64.b64decode(image) for image in message["images"]] == [b"one", b"two"]


@pytest.mark.parametrize(
    "part", [Image(url="https://example.org/a.png"), FileRef(id="file-1")], ids=["image-url", "file"]
)
def test_what_the_api_cannot_take_is_unsupported(part: Any) -> None:
    with pytest.raises(Unsupported):
        sent(only((part,)))


def test_a_conversation_with_tools() -> None:
    call = ToolCall(id="call_1", name="weather", arguments='{"city": "Тверь"}')
    messages = (
        Message.system("short"),
        Message.user("?"),
        Message(role="assistant", tool_calls=(call,), reasoning="hm"),
        Message.tool(call, "sunny"),
    )
    body = sent(ChatRequest(messages=messages, tools=(WEATHER,)))
    assert body["messages"][2] == {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Тверь"}}}],
    }
    assert body["messages"][3] == {
        "role": "tool",
        "content": "sunny",
        "tool_name": "weather",
        "tool_call_id": "call_1",
    }
    assert body["tools"][0]["function"]["name"] == "weather"


def test_arguments_that_are_no_object_are_refused() -> None:
    broken = Message(role="assistant", tool_calls=(ToolCall(id="1", name="f", arguments="[1]"),))
    with pytest.raises(InvalidRequest, match="as an object"):
        sent(ChatRequest(messages=(Message.user("?"), broken)))


def test_no_tools_when_none_may_be_called() -> None:
    assert "tools" not in sent(only(tools=(WEATHER,), tool_choice=ToolChoice(mode="none")))


def test_a_named_tool_constrains_the_answer_to_its_arguments() -> None:
    body = sent(only(tools=(WEATHER, CLOCK), tool_choice=ToolChoice(mode="named", name="weather")))
    assert body["format"] == WEATHER.parameters
    assert "tools" not in body
    assert "weather" in body["messages"][0]["content"]


def test_a_required_tool_lets_the_model_choose_among_all() -> None:
    defined = ToolDef(name="deep", parameters={"type": "object", "properties": {}, "$defs": {"a": {"type": "string"}}})
    request = only(tools=(WEATHER, defined), tool_choice=ToolChoice(mode="required"))
    schema = sent(request)["format"]
    assert [each["properties"]["name"]["enum"] for each in schema["anyOf"]] == [["weather"], ["deep"]]
    assert schema["$defs"] == {"a": {"type": "string"}}
    forced = forced_call(request)
    assert forced is not None
    assert forced.read('{"name": "deep", "arguments": {"x": 1}}', "id").name == "deep"
    with pytest.raises(ProtocolViolated):
        forced.read('{"name": "deep"}', "id")


def test_a_forced_tool_may_be_refused() -> None:
    config = OllamaConfig(model="tiny", tool_choice="refuse")
    with pytest.raises(Unsupported, match="tool_choice"):
        sent(only(tools=(WEATHER,), tool_choice=ToolChoice(mode="required")), config)


def test_a_forced_tool_must_be_there() -> None:
    with pytest.raises(InvalidRequest, match="no such tool"):
        sent(only(tools=(WEATHER,), tool_choice=ToolChoice(mode="named", name="nope")))


def test_overflow_other_than_refuse_leaves_the_server_its_ways() -> None:
    body = sent("hi", OllamaConfig(model="tiny", overflow="warn"))
    assert not {"truncate", "shift"} & body.keys()


def test_the_hosted_service_keeps_its_own_window() -> None:
    assert sent("hi", CloudConfig(model="big"))["options"] == {}


def test_embeddings() -> None:
    config = OllamaConfig(embedding_model="e", keep_alive="1m", models={"e": ModelSettings(num_ctx=512)})
    body = embed_body(EmbeddingRequest(texts=("a", "b"), dimensions=8), config)
    assert body == {
        "model": "e",
        "input": ["a", "b"],
        "truncate": False,
        "options": {"num_ctx": 512},
        "dimensions": 8,
        "keep_alive": "1m",
    }


def test_embeddings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(Unsupported, match="'user'"):
        embed_body(EmbeddingRequest(texts=("a",), model="e", extra={"user": "1"}), CONFIG)
    with pytest.raises(InvalidRequest, match="embedding_model"):
        embed_body(EmbeddingRequest(texts=("a",)), OllamaConfig())


@given(st.text(), st.sampled_from(["system", "user", "assistant"]))
def test_any_text_reaches_the_wire_unchanged(text: str, role: str) -> None:
    (message,) = sent(ChatRequest(messages=(Message(role=role, content=text),)))["messages"]
    assert message == {"role": role, "content": text}
    assert json.loads(json.dumps(message)) == message


@pytest.mark.parametrize(
    ("name", "cloud"),
    [("gpt-oss:120b-cloud", True), ("glm:cloud", True), ("cloudy", False), ("library/cloud:7b", False)],
    ids=["suffix", "tag", "name", "path"],
)
def test_cloud_models_are_known_by_their_tag(name: str, *, cloud: bool) -> None:
    assert is_cloud(name) is cloud


def test_names() -> None:
    assert with_tag("host:5000/a/b") == "host:5000/a/b:latest"
    assert similar("tiny:7b", ["tiny:latest", "tiny:8b", "other:latest"]) == ["tiny:latest", "tiny:8b"]
    assert similar("tyny", ["tiny:latest", "zzz:latest"]) == ["tiny:latest"]


def test_local_models_are_free_and_say_why() -> None:
    assert (FREE.prompt, FREE.completion, FREE.request) == (0, 0, 0)
    assert "no price per token" in (FREE.source or "")
