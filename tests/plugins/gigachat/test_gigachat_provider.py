"""The provider over real sockets: everything besides streams and tokens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlo.errors import (
    ConfigError,
    ContextTooLong,
    ModelNotFound,
    PermissionDenied,
    ProtocolViolated,
    QuotaExhausted,
    RateLimited,
    Unsupported,
)
from mlo.messages import Image, Message, Text, ToolChoice, ToolDef
from mlo.models import Capability, Money
from mlo.requests import ChatRequest, EmbeddingRequest, JsonSchema
from mlo.responses import FinishReason
from mlo_emulators.gigachat import Emulator
from mlo_emulators.server import running
from mlo_gigachat.config import GigaChatConfig
from mlo_gigachat.provider import GigaChatProvider, open_gigachat
from mlo_sdk.testing.surroundings import FixedAuth, LoneEnvironment, context

pytestmark = pytest.mark.anyio
TOKEN = FixedAuth()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
BOTH = pytest.mark.parametrize("api", ["v1", "v2"])


@asynccontextmanager
async def connected(
    url: str, emulator: Emulator | None = None, *, faults: Any = None, **options: Any
) -> AsyncIterator[GigaChatProvider]:
    if emulator is not None:
        emulator.configure(access_token=TOKEN.token.reveal(), **(faults or {}))
    config = GigaChatConfig(base_url=f"{url}/v1", **options)
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        assert isinstance(provider, GigaChatProvider)
        yield provider


def see(*pictures: Image, text: str = "Что тут?") -> ChatRequest:
    return ChatRequest(messages=(Message.user([Text(text), *pictures]),))


@BOTH
async def test_a_tool_is_called_and_its_result_used(url: str, emulator: Emulator, api: str) -> None:
    tool = ToolDef(
        name="get_weather",
        description="Погода",
        parameters={"type": "object", "properties": {"days": {"enum": [1, 2]}}, "required": ["days"]},
    )
    question = Message.user("Какая погода в Перми?")
    async with connected(url, emulator, api=api) as provider:
        asked = await provider.generate(ChatRequest(messages=(question,), tools=(tool,)), context())
        (call,) = asked.tool_calls
        turns = (question, asked.message, Message.tool(call, "солнечно"))
        answered = await provider.generate(ChatRequest(messages=turns, tools=(tool,)), context())
    assert call.parsed() == {"days": 1}
    assert answered.text == 'Функция get_weather вернула: {"result": "солнечно"}'
    assert call.id.split("_")[1] in emulator.journal.requests[-1].body.decode()


@BOTH
async def test_a_forced_tool_is_forced(url: str, emulator: Emulator, api: str) -> None:
    tools = tuple(ToolDef(name=name) for name in ("one", "two"))
    choice = ToolChoice(mode="named", name="two")
    async with connected(url, emulator, api=api) as provider:
        found = await provider.generate(
            ChatRequest(messages=ChatRequest.of("привет").messages, tools=tools, tool_choice=choice), context()
        )
    assert [(call.name, call.parsed()) for call in found.tool_calls] == [("two", {})]


@BOTH
async def test_thoughts_are_kept_apart(url: str, emulator: Emulator, api: str) -> None:
    async with connected(url, emulator, api=api) as provider:
        request = ChatRequest(messages=ChatRequest.of("привет").messages, reasoning="low")
        found = await provider.generate(request, context())
    assert found.message.reasoning == "Пользователь спрашивает, значит, надо ответить."
    assert "Пользователь" not in found.text


@BOTH
async def test_a_json_schema_shapes_the_answer(url: str, emulator: Emulator, api: str) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    async with connected(url, emulator, api=api) as provider:
        request = ChatRequest(messages=ChatRequest.of("?").messages, response_format=JsonSchema(schema=schema))
        assert (await provider.generate(request, context())).text == '{"n": 3}'


async def test_cost_counts_cached_tokens_as_free(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, session_id="s-1") as provider:
        first = (await provider.generate(ChatRequest.of("привет"), context())).usage
        second = (await provider.generate(ChatRequest.of("привет"), context())).usage
    assert first.cached_tokens == 0
    assert second.cached_tokens
    assert first.cost is not None
    assert second.cost is not None
    assert second.cost.nano < first.cost.nano
    assert first.cost == Money(65_000 * (first.total_tokens or 0))


async def test_ids_go_out_as_headers_per_call(url: str, emulator: Emulator) -> None:
    extra = {"client_id": "user-7", "session_id": "s", "request_id": "r-1", "update_interval": 1}
    async with connected(url, emulator, client_id="default") as provider:
        found = await provider.generate(ChatRequest(messages=ChatRequest.of("привет").messages, extra=extra), context())
        await provider.generate(ChatRequest.of("привет"), context())
    first, second = emulator.journal.matching("/chat/completions")
    assert [first.headers[f"x-{name}-id"] for name in ("client", "session", "request")] == ["user-7", "s", "r-1"]
    assert first.json()["update_interval"] == 1
    assert second.headers["x-client-id"] == "default"
    assert found.request_id == "r-1"
    assert first.headers["user-agent"]


async def test_embeddings_are_asked_for_in_batches(url: str, emulator: Emulator) -> None:
    texts = tuple(f"текст {number}" for number in range(7))
    async with connected(url, emulator, embedding_batch=3) as provider:
        found = await provider.embed(EmbeddingRequest(texts=texts), context())
        again = await provider.embed(EmbeddingRequest(texts=texts[4:5]), context())
    assert len(emulator.journal.matching("/embeddings")) == 4
    assert [len(vector) for vector in found.vectors] == [1024] * 7
    assert again.vectors == found.vectors[4:5]
    assert found.usage.prompt_tokens == 21
    assert found.usage.cost == Money(21 * 14_000)


async def test_dimensions_are_the_models_own(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        with pytest.raises(Unsupported, match="dimensions"):
            await provider.embed(EmbeddingRequest(texts=("a",), dimensions=3), context())


async def test_models_counts_balance_and_health(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        models = {model.id: model for model in await provider.models()}
        assert Capability.VISION in models["GigaChat-2-Max"].capabilities
        assert (await provider.model("GigaChat-2")).residency.region == "RU"
        assert await provider.count_tokens(["привет", "привет мир"]) == [2, 3]
        assert (await provider.balance())["GigaChat-2"] == 900_000
        assert (await provider.health()).healthy


async def test_an_ill_service_is_told_not_raised(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, faults={"fail_first": 1, "fail_status": 500}) as provider:
        found = await provider.health()
    assert not found.healthy
    assert "Internal Server Error" in found.detail


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"exhausted_models": ("GigaChat-2",)}, QuotaExhausted),
        ({"context_tokens": 1}, ContextTooLong),
        ({"balance": "denied", "fail_first": 1, "fail_status": 403}, PermissionDenied),
        ({"host": "current"}, ModelNotFound),
    ],
    ids=["402", "413", "403", "404"],
)
async def test_refusals_are_told_apart(
    url: str, emulator: Emulator, faults: dict[str, Any], error: type[Exception]
) -> None:
    model = "GigaChat" if error is ModelNotFound else "GigaChat-2"
    async with connected(url, emulator, faults=faults, model=model) as provider:
        with pytest.raises(error):
            await provider.generate(ChatRequest.of("привет"), context())


@pytest.mark.parametrize(("form", "low", "high"), [("seconds", 7, 7), ("date", 5, 8), ("absent", None, None)])
async def test_retry_after_is_read_in_all_its_forms(
    url: str, emulator: Emulator, form: str, low: float | None, high: float | None
) -> None:
    faults = {"fail_first": 1, "fail_status": 429, "retry_after": form, "retry_after_seconds": 7}
    async with connected(url, emulator, faults=faults) as provider:
        with pytest.raises(RateLimited) as caught:
            await provider.generate(ChatRequest.of("привет"), context())
    waits = caught.value.retry_after
    assert waits is None if low is None or high is None else low <= (waits or 0) <= high


async def test_the_old_host_has_old_models(url: str, emulator: Emulator) -> None:
    emulator.configure(host="legacy", access_token=TOKEN.token.reveal())
    config = GigaChatConfig(base_url=f"{url}/api/v1", model="GigaChat")
    async with open_gigachat(config, LoneEnvironment(scheme=TOKEN)) as provider:
        assert (await provider.generate(ChatRequest.of("привет"), context())).text
    assert emulator.journal.requests[-1].path == "/api/v1/chat/completions"


async def test_the_second_version_lives_beside_the_first(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator, api="v2") as provider:
        await provider.generate(ChatRequest.of("привет"), context())
        await provider.models()
    assert [request.path for request in emulator.journal.requests] == ["/v2/chat/completions", "/v1/models"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base_url": "https://api.giga.chat", "api": "v2"}, "must end in /v1"),
        ({"embedding_batch": 0}, "at least 1"),
        ({"base_url": "api.giga.chat"}, "HTTP URL"),
    ],
)
async def test_options_that_cannot_work_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        async with open_gigachat(GigaChatConfig(**options), LoneEnvironment(scheme=TOKEN)):
            pytest.fail("it opened")


def _answering(body: str, media_type: str) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(body, media_type=media_type)

    return Starlette(routes=[Route("/v1/{rest:path}", answer, methods=["GET", "POST"])])


@pytest.mark.parametrize(
    ("body", "media_type", "error"),
    [
        ("<html><h1>Вход</h1></html>", "text/html", ProtocolViolated),
        ("", "application/json", ProtocolViolated),
        ("[]", "application/json", ProtocolViolated),
        ('{"choices": []}', "application/json", ProtocolViolated),
        ('{"status": 429, "message": "Too many requests"}', "application/json", RateLimited),
        ('{"status": 402, "message": "Payment Required"}', "application/json", QuotaExhausted),
    ],
)
async def test_a_success_that_is_none(body: str, media_type: str, error: type[Exception]) -> None:
    with running(_answering(body, media_type)) as server:
        async with connected(server.url) as provider:
            with pytest.raises(error):
                await provider.generate(ChatRequest.of("привет"), context())
            with pytest.raises(error):
                async for _ in provider.generate_stream(ChatRequest.of("привет"), context()):
                    pass


async def test_a_balance_that_is_no_number_is_unknown() -> None:
    body = '{"balance": [{"usage": "a", "value": 5}, {"usage": "b", "value": "много"}, {"usage": "c"}]}'
    with running(_answering(body, "application/json")) as server:
        async with connected(server.url) as provider:
            assert await provider.balance() == {"a": 5.0}


async def test_a_server_that_does_not_stream_is_understood() -> None:
    body = '{"choices":[{"message":{"content":"да"},"finish_reason":"length"}],"model":"m"}'
    with running(_answering(body, "application/json")) as server:
        async with connected(server.url) as provider:
            events = [event async for event in provider.generate_stream(ChatRequest.of("?"), context())]
    assert getattr(events[-1], "reason", None) is FinishReason.LENGTH


@pytest.mark.parametrize("body", ["{}", '{"data": [1]}', '{"data": [{"index": 0}]}'])
async def test_missing_vectors_are_noticed(body: str) -> None:
    with running(_answering(body, "application/json")) as server:
        async with connected(server.url) as provider:
            with pytest.raises(ProtocolViolated):
                await provider.embed(EmbeddingRequest(texts=("a",)), context())


async def test_missing_counts_are_noticed() -> None:
    with running(_answering("[]", "application/json")) as server:
        async with connected(server.url) as provider:
            with pytest.raises(ProtocolViolated):
                await provider.count_tokens(["a"])


async def test_sixty_calls_use_one_connection(url: str, emulator: Emulator) -> None:
    async with connected(url, emulator) as provider:
        for _ in range(60):
            await provider.generate(ChatRequest.of("привет"), context())
    assert emulator.journal["connections opened"] == 1


def test_loading_the_plugin_loads_nothing_of_the_wire() -> None:
    code = (
        "import sys; import mlo_gigachat.plugin as p; list(p.mlo_providers()), list(p.mlo_auth_schemes());"
        "wire = {'httpx', 'mlo_sdk.http', 'mlo_gigachat.provider', 'mlo_gigachat.v1', 'mlo_gigachat.auth'};"
        "print(sorted(wire & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_emulator_wants_a_user_agent(url: str, emulator: Emulator) -> None:
    with httpx.Client() as client:
        request = client.build_request("GET", f"{url}/v1/models")
        del request.headers["user-agent"]
        found = client.send(request)
    assert (found.status_code, found.json()) == (403, {"message": "Unauthorized"})
