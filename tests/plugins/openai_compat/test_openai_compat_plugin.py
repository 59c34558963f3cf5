from __future__ import annotations

from collections.abc import Iterable

import pytest

import mlo_openai_compat
from mlo import ConfigError, Router
from mlo._config import build_options, parse_settings
from mlo.api import ConfiguredInstance, DoctorContext, Finding
from mlo.messages import ToolChoice
from mlo.models import Capability
from mlo.requests import ChatRequest, Sampling
from mlo_openai_compat import DialectOptions, OpenAICompatConfig
from mlo_openai_compat.plugin import mlo_doctor, mlo_providers
from mlo_openai_compat.presets import base_url_of, dialect_of, presets
from mlo_sdk import TlsConfig
from mlo_sdk.openai_compat import Dialect, chat_to_wire
from mlo_sdk.testing import LoneEnvironment
from tests.sdk.http_server import Received, frame, serving, streamed, whole_json

(SPEC,) = mlo_providers()
_ANSWER = {"choices": [{"message": {"content": "Привет"}, "finish_reason": "stop"}]}


def test_public_names() -> None:
    assert mlo_openai_compat.__all__ == ["DialectOptions", "OpenAICompatConfig"]
    with pytest.raises(AttributeError):
        _ = mlo_openai_compat.nothing


@pytest.mark.parametrize("name", presets())
def test_every_preset_makes_a_dialect_and_has_an_address(name: str) -> None:
    config = build_options(OpenAICompatConfig, {"preset": name}, "providers.x")
    assert isinstance(dialect_of(config), Dialect)
    assert (base_url_of(config) or "").startswith("http")


def test_presets_and_the_configuration_know_the_same_names() -> None:
    with pytest.raises(ConfigError) as caught:
        build_options(OpenAICompatConfig, {"preset": "nobody"}, "providers.x")
    assert [name for name in presets() if name not in str(caught.value)] == []


def test_an_own_address_goes_before_the_presets() -> None:
    assert base_url_of(OpenAICompatConfig(preset="vllm", base_url="http://a/v1")) == "http://a/v1"
    assert base_url_of(OpenAICompatConfig()) is None


def test_a_preset_changes_names_on_the_wire() -> None:
    request = ChatRequest(messages=ChatRequest.of("x").messages, sampling=Sampling(max_tokens=5))
    sent = chat_to_wire(request, "m", dialect_of(OpenAICompatConfig(preset="openai")))
    assert (sent.get("max_tokens"), sent["max_completion_tokens"]) == (None, 5)


def test_own_options_go_before_the_presets() -> None:
    options = DialectOptions(json_object=True, sampling={"top_k": "", "seed": "random_seed"}, tool_choices=["auto"])
    dialect = dialect_of(OpenAICompatConfig(preset="lm-studio", dialect=options, extra={"user": "a"}))
    assert (dialect.json_object, dialect.tool_choices, dialect.extra) == (True, frozenset({"auto"}), {"user": "a"})
    assert "top_k" not in dialect.sampling
    assert dialect.sampling["seed"] == "random_seed"
    assert dialect.sampling["repetition_penalty"] == "repeat_penalty"


def test_headers_are_not_shown() -> None:
    config = OpenAICompatConfig(headers={"X-Key": "s3cret"})
    assert "s3cret" not in f"{config!r} {dialect_of(config)!r}"
    assert "X-Key" in repr(config)


def test_what_it_claims() -> None:
    assert Capability.TOOLS in SPEC.capabilities
    assert Capability.FILES not in SPEC.capabilities


def findings(config: object) -> list[Finding]:
    instance = ConfiguredInstance(path="providers.x", kind="providers", use="openai-compat", config=config)
    return list(mlo_doctor(DoctorContext(instances=(instance,))))


_FINDINGS: dict[str, tuple[OpenAICompatConfig, list[tuple[str, str]]]] = {
    "fine": (OpenAICompatConfig(base_url="https://a.example/v1", model="m"), []),
    "local": (OpenAICompatConfig(preset="llama-cpp", model="m"), []),
    "no address": (OpenAICompatConfig(model="m"), [("error", "providers.x.base_url")]),
    "not encrypted": (
        OpenAICompatConfig(base_url="http://a.example/v1", model="m"),
        [("warning", "providers.x.base_url")],
    ),
    "no model": (OpenAICompatConfig(preset="vllm"), [("info", "providers.x.model")]),
    "no verification": (
        OpenAICompatConfig(preset="openai", model="m", tls=TlsConfig(verify=False)),
        [("warning", "providers.x.tls.verify")],
    ),
}


@pytest.mark.parametrize(("config", "expected"), _FINDINGS.values(), ids=list(_FINDINGS))
def test_doctor(config: OpenAICompatConfig, expected: list[tuple[str, str]]) -> None:
    assert [(finding.level, finding.where) for finding in findings(config)] == expected


def test_doctor_leaves_other_instances_alone() -> None:
    assert findings(object()) == []


@pytest.mark.anyio
async def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"^providers\.contract\.base_url: is missing"):
        async with SPEC.open(OpenAICompatConfig(), LoneEnvironment()):
            pytest.fail("opened")


def script(request: Received) -> Iterable[object]:
    if request.json().get("stream"):
        last = {"choices": [{"delta": {"content": "!"}, "finish_reason": "stop"}]}
        return streamed(frame({"choices": [{"delta": {"content": "Привет"}}]}), frame(last), frame("[DONE]"))
    return [whole_json(_ANSWER)]


@pytest.mark.anyio
async def test_through_the_router_with_a_key_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "made-up-key")
    monkeypatch.setenv("TEAM", "search")
    with serving(script) as server:
        table = {
            "use": "openai-compat",
            "base_url": f"{server.url}/v1",
            "model": "m",
            "auth": {"use": "bearer", "token": "env:KEY"},
            "headers": {"X-Team": "env:TEAM"},
            "extra": {"service_tier": "flex"},
        }
        async with Router(parse_settings({"providers": {"own": table}})) as router:
            assert (await router.route("Привет")).text == "Привет"
            async with router.route_stream("Привет") as stream:
                assert "".join([event.text async for event in stream if hasattr(event, "text")]) == "Привет!"
    first = server.requests[0]
    assert first.path == "/v1/chat/completions"
    assert (first.headers["authorization"], first.headers["x-team"]) == ("Bearer made-up-key", "search")
    assert first.json()["service_tier"] == "flex"
    assert server.connections == 1


@pytest.mark.anyio
async def test_what_a_server_has_no_word_for_fails_over() -> None:
    request = ChatRequest(messages=ChatRequest.of("x").messages, tool_choice=ToolChoice(mode="named", name="add"))
    with serving(script) as server:
        lacking = {"use": "openai-compat", "preset": "llama-cpp", "base_url": server.url, "model": "lacking"}
        able = {"use": "openai-compat", "base_url": server.url, "model": "able"}
        async with Router(parse_settings({"providers": {"a": lacking, "b": able}})) as router:
            response = await router.route(request)
    assert [received.json()["model"] for received in server.requests] == ["able"]
    assert response.call is not None
    assert response.call.target == "b"
