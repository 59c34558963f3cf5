"""The provider on real sockets: errors with advice, streams that stop the server, cold loads, cut prompts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, TypeAlias

import anyio
import pytest

from mlo.errors import (
    AuthFailed,
    ConfigError,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    ServerFault,
    TransportFailed,
    Unsupported,
)
from mlo.events import Finished, Fold, TextDelta
from mlo.messages import Image, Message, ToolChoice, ToolDef
from mlo.models import Capability
from mlo.requests import ChatRequest, EmbeddingRequest, Sampling
from mlo.responses import ChatResponse, FinishReason
from mlo_emulators.ollama import Model
from mlo_emulators.server import RunningServer
from mlo_ollama.plugin import mlo_providers
from mlo_ollama.provider import OllamaProvider, open_provider
from mlo_ollama.truncation import PromptTruncated
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.testing.surroundings import LoneEnvironment, build, context

from .conftest import Serve

pytestmark = pytest.mark.anyio
SPECS = {spec.name: spec for spec in mlo_providers()}
Opened: TypeAlias = Callable[..., AbstractAsyncContextManager[OllamaProvider]]


@asynccontextmanager
async def opened(server: RunningServer | str, use: str = "ollama", **options: Any) -> AsyncGenerator[OllamaProvider]:
    url = server if isinstance(server, str) else server.url
    table = {"base_url": url, "model": "tiny", **options}
    async with open_provider(build(SPECS[use], table), LoneEnvironment(path="providers.local")) as provider:
        yield provider


async def ask(provider: OllamaProvider, text: str = "hi", **fields: Any) -> ChatResponse:
    return await provider.generate(ChatRequest(messages=(Message.user(text),), **fields), context())


async def read(provider: OllamaProvider, text: str = "hi", **fields: Any) -> Fold:
    total = Fold()
    stream = provider.generate_stream(ChatRequest(messages=(Message.user(text),), **fields), context())
    async with aclosing(stream):
        async for event in stream:
            total.add(event)
    return total


async def test_an_answer_and_its_usage(server: RunningServer) -> None:
    async with opened(server) as provider:
        answer = await ask(provider, "Привет")
    assert (answer.text, answer.model, answer.finish_reason) == ("Эхо: Привет", "tiny", FinishReason.STOP)
    assert answer.usage.prompt_tokens
    assert answer.usage.cost is not None
    assert answer.usage.cost.nano == 0


async def test_the_cost_of_the_hosted_service_is_unknown(server: RunningServer) -> None:
    async with opened(server, "ollama-cloud") as provider:
        assert (await ask(provider)).usage.cost is None


async def test_twenty_streams_use_one_connection(serve: Serve) -> None:
    server = serve()
    async with opened(server) as provider:
        for _ in range(20):
            assert (await read(provider)).text == "Эхо: hi"
    assert server.journal["connections opened"] == 1


async def test_a_stream_left_early_stops_the_generation(serve: Serve) -> None:
    server = serve(chunk_delay=0.03)
    async with opened(server) as provider:
        stream = provider.generate_stream(ChatRequest.of("слово " * 60), context())
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        assert await anyio.to_thread.run_sync(server.journal.wait_for, "cancelled")
    assert server.journal["chunks"] <= 2


async def test_a_cancelled_call_stops_the_generation(serve: Serve) -> None:
    server = serve(chunk_delay=0.03)
    async with opened(server) as provider:
        with anyio.move_on_after(0.2):
            await ask(provider, "слово " * 60)
        assert await anyio.to_thread.run_sync(server.journal.wait_for, "cancelled")
    assert server.journal["chunks"] == 0


async def test_every_request_keeps_the_model_loaded(serve: Serve) -> None:
    server = serve()
    async with opened(server) as provider:
        await provider.server.preload("tiny")
        await ask(provider, sampling=Sampling(temperature=1.0, max_tokens=2))
        await read(provider, extra={"options": {"top_k": 5}})
    assert (server.journal["loads"], server.journal["reloads"]) == (1, 0)


async def test_a_cold_load_outlasts_the_idle_timeout(serve: Serve) -> None:
    server = serve(load_time=0.6)
    patient = {"timeouts": {"first_byte": 10.0, "idle": 0.2}}
    async with opened(server, http=patient) as provider:
        assert (await read(provider)).finished


async def test_a_server_that_falls_silent_is_given_up(serve: Serve) -> None:
    server = serve(chunk_delay=0.6)
    async with opened(server, http={"timeouts": {"first_byte": 10.0, "idle": 0.2}}) as provider:
        with pytest.raises(TransportFailed, match="sent nothing for"):
            await read(provider)


async def test_a_server_that_never_answers_is_given_up(serve: Serve) -> None:
    async with opened(serve(hang=True), http={"timeouts": {"first_byte": 0.2}}) as provider:
        with pytest.raises(TransportFailed, match="first_byte"):
            await ask(provider)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("server_options", "error", "words"),
    [
        ({"status": 500}, ServerFault, "out of memory"),
        ({"status": 503}, Overloaded, "server busy"),
        ({"status": 429}, QuotaExhausted, "usage limit"),
        ({"status": 401}, AuthFailed, "unauthorized"),
        ({"html": True}, ServerFault, "502 Bad Gateway"),
        ({"max_queue": 0}, Overloaded, "maximum pending"),
        ({"load_fails": True}, ServerFault, "system memory"),
    ],
    ids=["500", "503", "429", "401", "html", "queue", "load"],
)
async def test_refusals_are_typed(
    serve: Serve, server_options: dict[str, Any], error: type[ProviderError], words: str, *, streamed: bool
) -> None:
    async with opened(serve(**server_options)) as provider:
        with pytest.raises(error, match=words) as caught:
            await (read if streamed else ask)(provider)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("fault", "words"),
    [({"cut": 3}, "without `done`"), ({"reset": 3}, "connection"), ({"error_line": 3}, "unexpected EOF")],
    ids=["cut", "reset", "error"],
)
async def test_a_broken_stream_gives_what_came_and_an_error(serve: Serve, fault: dict[str, int], words: str) -> None:
    total = Fold()
    async with opened(serve(**fault)) as provider:
        stream = provider.generate_stream(ChatRequest.of("раз два три"), context())
        with pytest.raises(ProviderError, match=words):
            async with aclosing(stream):
                async for event in stream:
                    total.add(event)
    assert total.text
    assert "Эхо: раз два три".startswith(total.text)


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
async def test_a_missing_model_says_how_to_get_it(serve: Serve, *, old: bool) -> None:
    async with opened(serve(old_not_found=old), model="tyny") as provider:
        with pytest.raises(ModelNotFound) as caught:
            await ask(provider)
    assert "mlo ollama pull tyny" in str(caught.value)
    assert "tiny:latest" in str(caught.value)


async def test_a_missing_model_among_none(serve: Serve) -> None:
    async with opened(serve(models=())) as provider:
        with pytest.raises(ModelNotFound, match="no model has been pulled yet"):
            await read(provider)


async def test_a_server_that_is_not_there_says_how_to_start_it() -> None:
    async with opened("http://127.0.0.1:9") as provider:
        with pytest.raises(TransportFailed) as caught:
            await ask(provider)
    assert "ollama serve" in str(caught.value)
    assert "http://127.0.0.1:9" in str(caught.value)
    assert caught.value.retryable


async def test_an_image_for_a_model_without_eyes_names_models_that_see(server: RunningServer) -> None:
    async with opened(server) as provider:
        request = ChatRequest(messages=(Message.user((Image(data=b"png"),)),))
        with pytest.raises(Unsupported, match="tiny-vision:latest"):
            await provider.generate(request, context())


async def test_tools_for_a_model_without_hands_name_models_that_have_them(server: RunningServer) -> None:
    async with opened(server, model="tiny-plain") as provider:
        with pytest.raises(Unsupported, match="tiny:latest"):
            await ask(provider, tools=(ToolDef(name="clock"),))


async def test_thinking_on_a_model_that_cannot(server: RunningServer) -> None:
    async with opened(server) as provider:
        with pytest.raises(Unsupported, match="tiny-thinker:8b"):
            await read(provider, reasoning="high")


async def test_a_chat_with_an_embedding_model(server: RunningServer) -> None:
    async with opened(server, model="tiny-embed") as provider:
        with pytest.raises(Unsupported, match="does not support chat"):
            await ask(provider)


async def test_an_option_that_the_server_refuses(server: RunningServer) -> None:
    async with opened(server, strict_options=False) as provider:
        with pytest.raises(InvalidRequest, match="must be of type boolean"):
            await ask(provider, extra={"options": {"numa": 3}})


async def test_a_server_without_models_still_explains(serve: Serve) -> None:
    async with opened(serve(models=(Model(name="tiny", capabilities=("completion",)),))) as provider:
        with pytest.raises(Unsupported, match="no model that has been pulled does"):
            await ask(provider, tools=(ToolDef(name="clock"),))


async def test_a_web_server_is_no_ollama(serve: Serve) -> None:
    async with opened(f"{serve().url}/somewhere") as provider:
        with pytest.raises(ModelNotFound, match=r"no Ollama API at http://.*/somewhere: check base_url"):
            await ask(provider)


async def test_a_foreign_host_is_explained(serve: Serve) -> None:
    server = serve()
    async with opened(server, headers={"host": "elsewhere.example"}) as provider:
        with pytest.raises(PermissionDenied, match="OLLAMA_HOST"):
            await ask(provider)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("plain", [False, True], ids=["nested", "plain"])
async def test_a_prompt_that_does_not_fit_is_refused_by_the_server(
    serve: Serve, *, plain: bool, streamed: bool
) -> None:
    async with opened(serve(plain_overflow=plain), num_ctx=64) as provider:
        with pytest.raises(ContextTooLong) as caught:
            await (read if streamed else ask)(provider, "слово " * 200)
    assert "num_ctx is 64" in str(caught.value)
    assert 'providers.local.models."tiny".num_ctx' in str(caught.value)


async def test_a_prompt_that_an_old_server_cut_is_an_error(serve: Serve) -> None:
    async with opened(serve(ignore_flags=True), num_ctx=64) as provider:
        with pytest.raises(ContextTooLong, match="read only 64 tokens"):
            await ask(provider, "слово " * 200)


async def test_a_prompt_that_was_cut_may_be_a_warning(serve: Serve) -> None:
    async with opened(serve(), num_ctx=64, overflow="warn") as provider:
        with pytest.warns(PromptTruncated, match="read only 34 tokens"):
            answer = await ask(provider, "слово " * 200)
        with pytest.warns(PromptTruncated):
            streamed = await read(provider, "слово " * 200)
    assert answer.raw["prompt_truncated"] == "cut"
    assert streamed.response().raw["prompt_truncated"] == "cut"


async def test_a_prompt_that_was_cut_may_be_only_marked(serve: Serve) -> None:
    async with opened(serve(), num_ctx=64, overflow="ignore") as provider:
        answer = await ask(provider, "слово " * 200)
    assert answer.raw["prompt_truncated"] == "cut"


async def test_thinking_arrives_before_the_answer(server: RunningServer) -> None:
    async with opened(server, model="tiny-thinker:8b") as provider:
        thought, silent = await read(provider), await read(provider, reasoning="off")
    assert (thought.response().message.reasoning or "").startswith("Думаю")
    assert silent.response().message.reasoning is None


async def test_a_line_separator_inside_text_survives_the_network(serve: Serve) -> None:
    text = "a\u2028b\x85c😀"
    async with opened(serve(wire_chunk=3)) as provider:
        assert (await read(provider, text)).text == f"Эхо: {text}"


async def test_old_servers_send_tool_calls_without_ids(serve: Serve) -> None:
    async with opened(serve(no_ids=True)) as provider:
        both = (await read(provider, "a b", tools=(ToolDef(name="a"), ToolDef(name="b")))).response()
    assert [call.name for call in both.tool_calls] == ["a", "b"]
    assert len({call.id for call in both.tool_calls}) == 2


async def test_a_required_tool_is_called(server: RunningServer) -> None:
    tools = (ToolDef(name="a"), ToolDef(name="b"))
    async with opened(server, model="tiny-plain") as provider:
        answer = await ask(provider, tools=tools, tool_choice=ToolChoice(mode="required"))
    assert [call.name for call in answer.tool_calls] == ["a"]


async def test_absent_metrics(serve: Serve) -> None:
    async with opened(serve(no_metrics=True)) as provider:
        assert (await ask(provider)).usage.prompt_tokens is None


async def test_the_length_limit_is_a_finish_reason(server: RunningServer) -> None:
    async with opened(server) as provider:
        answer = await ask(provider, "раз два три", sampling=Sampling(max_tokens=2))
    assert answer.finish_reason is FinishReason.LENGTH


async def test_embeddings(server: RunningServer) -> None:
    request = EmbeddingRequest(texts=("a", "b"), dimensions=16)
    async with opened(server, embedding_model="tiny-embed") as provider:
        found = await provider.embed(request, context())
    assert [len(vector) for vector in found.vectors] == [16, 16]
    assert found.usage.prompt_tokens == 2


async def test_a_text_that_is_too_long_to_embed(server: RunningServer) -> None:
    async with opened(server, embedding_model="tiny-embed") as provider:
        with pytest.raises(ContextTooLong):
            await provider.embed(EmbeddingRequest(texts=("слово " * 2000,)), context())


async def test_models_and_what_they_can(serve: Serve) -> None:
    async with opened(serve()) as provider:
        await ask(provider)
        models = {model.id: model for model in await provider.models()}
    assert Capability.VISION in models["tiny-vision:latest"].capabilities
    assert models["tiny-embed:latest"].capabilities == {Capability.EMBEDDINGS}
    assert models["tiny-thinker:8b"].context_tokens == 32768
    assert models["tiny:latest"].labels["loaded"] == "yes"
    assert models["tiny:latest"].residency.on_prem


async def test_older_servers_list_less_and_show_the_rest(serve: Serve) -> None:
    async with opened(serve(plain_tags=True)) as provider:
        models = {model.id: model for model in await provider.models()}
    assert Capability.VISION in models["tiny-vision:latest"].capabilities
    assert models["tiny-thinker:8b"].context_tokens == 32768


async def test_health_tells_load(serve: Serve) -> None:
    server = serve(chunk_delay=0.03)
    async with opened(server, parallel=2) as provider:
        cold = await provider.health()
        await provider.server.preload("tiny")
        idle = await provider.health()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, provider, "слово " * 60)
            await anyio.to_thread.run_sync(server.journal.wait_for, "generations", 1)
            busy = await provider.health()
            tasks.cancel_scope.cancel()
    assert (cold.load, idle.load, busy.load) == (0.5, 0.0, 0.5)
    assert "tiny:latest" in idle.detail
    assert "1 under way" in busy.detail


async def test_health_of_a_server_that_is_not_there() -> None:
    async with opened("http://127.0.0.1:9") as provider:
        health = await provider.health()
    assert not health.healthy
    assert "ollama serve" in health.detail


async def test_unloading(serve: Serve) -> None:
    async with opened(serve()) as provider:
        await provider.server.preload("tiny", keep_alive="1h")
        assert [each["model"] for each in await provider.server.running()] == ["tiny:latest"]
        await provider.server.unload("tiny")
        assert await provider.server.running() == []


async def test_pulling_reports_progress(serve: Serve) -> None:
    server = serve()
    async with opened(server) as provider:
        reports = [report async for report in provider.server.pull("small")]
        assert "small:latest" in [each["model"] for each in await provider.server.tags()]
    layers = [report for report in reports if report.total == 2_000_000_000]
    assert [report.completed for report in layers] == [0, 500_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000]
    assert reports[-1].done


async def test_a_pull_that_broke_off_goes_on(serve: Serve) -> None:
    completed: list[int | None] = []
    async with opened(serve(pull_cut=True)) as provider:
        for _ in range(2):  # the second layer breaks off, too
            with pytest.raises(ServerFault, match="EOF"):
                async for report in provider.server.pull("small"):
                    completed += [report.completed] if report.total == 2_000_000_000 else []
        assert [report async for report in provider.server.pull("small")][-1].done
    assert completed == [0, 500_000_000, 1_000_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000]


async def test_a_pull_that_ends_too_early_is_not_a_success(serve: Serve) -> None:
    async with opened(serve(pull_end=3)) as provider:
        with pytest.raises(TransportFailed, match="goes on where it stopped"):
            assert [report async for report in provider.server.pull("small")]


async def test_pulling_what_does_not_exist(server: RunningServer) -> None:
    async with opened(server) as provider:
        with pytest.raises(ModelNotFound, match="the library has no model 'nope'"):
            assert [report async for report in provider.server.pull("nope")]


async def test_a_bearer_token_opens_the_hosted_service(serve: Serve) -> None:
    server = serve(api_key="key-1234567")
    scheme = StaticAuth({"Authorization": "Bearer key-1234567"})
    config = build(SPECS["ollama-cloud"], {"base_url": server.url, "model": "tiny"})
    async with open_provider(config, LoneEnvironment(scheme=scheme)) as provider:
        assert (await ask(provider)).text == "Эхо: hi"


async def test_a_local_instance_keeps_prompts_local(serve: Serve) -> None:
    server = serve(models=(Model(name="big:120b-cloud"),))
    async with opened(server) as provider:
        with pytest.raises(Unsupported, match="ollama-cloud"):
            await ask(provider, model="big:120b-cloud")
    assert server.journal["generations"] == 0
    async with opened(server, "ollama-cloud") as provider:
        assert (await ask(provider, model="big:120b-cloud")).text == "Эхо: hi"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"base_url": "https://ollama.com"}, "providers.local.base_url"),
        ({"base_url": "https://api.ollama.com./v1"}, "providers.local.base_url"),
        ({"model": "x:cloud"}, "providers.local.model"),
        ({"keep_alive": "soon"}, "providers.local.keep_alive"),
        ({"models": {"m": {"keep_alive": "300"}}}, 'providers.local.models."m".keep_alive'),
        ({"options": {"num_gpu": "all"}}, "providers.local.options"),
        ({"models": {"m": {"options": {"typo": 1}}}}, 'providers.local.models."m".options'),
        ({"models": {"m": {"num_ctx": 0}}}, 'providers.local.models."m".num_ctx'),
        ({"parallel": 0}, "providers.local.parallel"),
    ],
    ids=["hosted", "dotted", "cloud", "time", "no unit", "type", "typo", "window", "parallel"],
)
async def test_wrong_configurations_do_not_open(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with opened("http://127.0.0.1:9", **options):
            raise AssertionError
    assert caught.value.path == where


async def test_the_last_event_is_the_finish(server: RunningServer) -> None:
    async with opened(server) as provider:
        events = [event async for event in provider.generate_stream(ChatRequest.of("hi"), context())]
    assert isinstance(events[-1], Finished)
    assert events[-1].raw["done_reason"] == "stop"
