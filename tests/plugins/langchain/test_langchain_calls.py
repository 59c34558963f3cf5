"""One call: its arguments, its way, its cost; and LangChain's own machinery around it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from mlo import Capability, Router
from mlo.errors import DeadlineExceeded, InvalidRequest, NoTarget, ServerFault
from mlo_langchain import MultiLLMEmbeddings, MultiLLMOrchestrator
from tests.kernel.scripted import Act, Scripted
from tests.plugins.langchain.places import ONCE


@pytest.fixture
def providers() -> dict[str, Scripted]:
    return {name: Scripted(name) for name in ("a", "b")}


@pytest.fixture
def router(providers: dict[str, Scripted]) -> Router:
    router = Router()
    for name, provider in providers.items():
        router.add_provider(name, provider)
        router.add_route(f"to-{name}", [name], retry=ONCE)
    router.add_route("default", list(providers), retry=ONCE)
    return router


@pytest.fixture
def model(router: Router) -> MultiLLMOrchestrator:
    return MultiLLMOrchestrator(router=router)


def target(message: AIMessage | AIMessageChunk) -> str:
    return str(message.response_metadata["target"])


# arguments


def test_fields_and_arguments_reach_the_provider(router: Router, providers: dict[str, Scripted]) -> None:
    model = MultiLLMOrchestrator(
        router=router, temperature=0.5, top_k=3, stop=["x"], extra={"a": 1}, request_metadata={"session": "s"}
    )
    model.invoke("q", temperature=0.0, max_tokens=7, extra={"b": 2}, model="m", reasoning="low", seed=4)
    (request,) = providers["a"].seen
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_k, sampling.max_tokens, sampling.seed) == (0.0, 3, 7, 4)
    assert (sampling.stop, request.model, request.reasoning) == (("x",), "m", "low")
    assert (request.extra, request.metadata) == ({"a": 1, "b": 2}, {"session": "s"})


def test_fields_have_the_names_that_other_chat_models_give_them(router: Router) -> None:
    names: Any = {"model_name": "m", "timeout": 5, "stop_sequences": ["x"]}
    model = MultiLLMOrchestrator(router=router, **names)
    assert (model.model, model.deadline, model.stop) == ("m", 5.0, ["x"])


def test_stop_words_of_a_call_replace_those_of_the_model(router: Router, providers: dict[str, Scripted]) -> None:
    MultiLLMOrchestrator(router=router, stop=["x"]).invoke("q", stop=["y"])
    assert providers["a"].seen[0].sampling.stop == ("y",)


def test_an_unknown_argument_is_refused(model: MultiLLMOrchestrator) -> None:
    with pytest.raises(InvalidRequest, match=r"unknown argument temprature: known are .*temperature"):
        model.invoke("q", temprature=1)


@pytest.mark.parametrize("wrong", [{"temprature": 1}, {"config_file": "x"}], ids=["unknown", "contradictory"])
def test_a_wrong_field_is_refused(router: Router, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MultiLLMOrchestrator(router=router, **wrong)
    with pytest.raises(ValidationError):
        MultiLLMEmbeddings(router=router, **wrong)


def test_what_is_said_elsewhere_is_not_ignored_in_silence(router: Router, caplog: pytest.LogCaptureFixture) -> None:
    MultiLLMOrchestrator(router=router, api_key="k-secret", max_retries=1)  # type: ignore[call-arg]
    assert "api_key is ignored" in caplog.text
    assert "max_retries is ignored" in caplog.text
    assert "k-secret" not in caplog.text


def test_parallel_calls_can_be_forbidden(model: MultiLLMOrchestrator, providers: dict[str, Scripted]) -> None:
    model.invoke("q", parallel_tool_calls=False)
    model.invoke("q", parallel_tool_calls=True)
    assert [request.extra for request in providers["a"].seen] == [{"parallel_tool_calls": False}, {}]


# the way


@pytest.mark.parametrize(
    ("way", "expected"),
    [({}, "a"), ({"route": "to-b"}, "b"), ({"target": "b"}, "b")],
    ids=["default", "route", "target"],
)
def test_a_call_takes_its_way(model: MultiLLMOrchestrator, way: dict[str, Any], expected: str) -> None:
    assert target(model.invoke("q", **way)) == expected
    assert target(model.bind(**way).invoke("q")) == expected
    *_, last = model.stream("q", **way)
    assert target(last) == expected


def test_the_configuration_of_a_run_says_the_way(model: MultiLLMOrchestrator, providers: dict[str, Scripted]) -> None:
    config: Any = {"configurable": {"mlo_route": "to-b", "mlo_model": "m", "thread_id": "1"}}

    async def asynchronously() -> list[str]:
        *_, last = [chunk async for chunk in model.astream("q", config)]
        return [target(await model.ainvoke("q", config)), target(last)]

    *_, last = model.stream("q", config)
    assert {target(model.invoke("q", config)), target(last), *asyncio.run(asynchronously())} == {"b"}
    assert {request.model for request in providers["b"].seen} == {"m"}


def test_the_configuration_of_a_run_goes_through_a_chain(model: MultiLLMOrchestrator) -> None:
    chain = ChatPromptTemplate.from_messages([("human", "{q}")]) | model | StrOutputParser()
    config: Any = {"configurable": {"mlo_target": "b"}}
    assert chain.invoke({"q": "?"}, config).startswith("b#1")
    assert "".join(chain.stream({"q": "?"}, config)).startswith("b#2")
    assert [text[:2] for text in chain.batch([{"q": "1"}, {"q": "2"}], config)] == ["b#", "b#"]


def test_an_argument_goes_before_the_configuration(model: MultiLLMOrchestrator) -> None:
    assert target(model.invoke("q", {"configurable": {"mlo_target": "b"}}, target="a")) == "a"


def test_a_misspelt_key_of_ours_is_refused(model: MultiLLMOrchestrator) -> None:
    with pytest.raises(InvalidRequest, match="mlo_rout: known are mlo_route"):
        model.invoke("q", {"configurable": {"mlo_rout": "to-b"}})


def test_fields_can_be_made_configurable(model: MultiLLMOrchestrator) -> None:
    chosen = model.configurable_fields(route=ConfigurableField(id="way"))
    assert target(chosen.invoke("q", {"configurable": {"way": "to-b"}})) == "b"
    assert target(chosen.invoke("q")) == "a"


def test_a_deadline_ends_a_call(router: Router, providers: dict[str, Scripted]) -> None:
    providers["a"].acts = [Act(before=60)]
    with pytest.raises(DeadlineExceeded):
        MultiLLMOrchestrator(router=router, route="to-a", deadline=0.02).invoke("q")
    assert providers["a"].running == 0


# failure


def test_the_router_falls_back_before_langchain_does(
    model: MultiLLMOrchestrator, providers: dict[str, Scripted]
) -> None:
    providers["a"].acts = [Act(error=ServerFault("down"))]
    answer = model.with_fallbacks([model.bind(target="a")]).invoke("q")
    assert isinstance(answer, AIMessage)
    assert [attempt.get("error") for attempt in answer.response_metadata["attempts"]] == ["ServerFault", None]


def test_langchain_falls_back_when_the_route_has_failed(
    model: MultiLLMOrchestrator, providers: dict[str, Scripted]
) -> None:
    providers["a"].acts = [Act(error=ServerFault("down"))]
    safe = model.bind(route="to-a").with_fallbacks([model.bind(route="to-b")])
    assert target(safe.invoke("q")) == "b"


@tool
def clock() -> str:
    """The time."""
    return "12:00"


class City(BaseModel):
    """A city."""

    name: str


def limited(*abilities: Capability) -> Router:
    router = Router()
    router.add_provider("plain", use="mock", capabilities={Capability.CHAT, Capability.STREAM})
    router.add_provider("able", use="mock", capabilities={Capability.CHAT, Capability.STREAM, *abilities})
    router.add_route("plain", ["plain"])
    router.add_route("default", ["plain", "able"])
    return router


def test_a_request_with_tools_goes_where_there_are_tools() -> None:
    model = MultiLLMOrchestrator(router=limited(Capability.TOOLS)).bind_tools([clock], tool_choice="any")
    answer = model.invoke("q")
    assert (target(answer), answer.tool_calls[0]["name"]) == ("able", "clock")


@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_a_route_without_the_ability_says_so(method: Any) -> None:
    model = MultiLLMOrchestrator(router=limited(), route="plain")
    with pytest.raises(NoTarget, match="plain"):
        model.with_structured_output(City, method=method).invoke("q")


# structure


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("schema", [City, City.model_json_schema()], ids=["class", "dictionary"])
def test_a_structure_comes_back_as_it_was_asked_for(method: Any, schema: Any) -> None:
    router = limited(Capability.TOOLS, Capability.JSON_SCHEMA)
    found = MultiLLMOrchestrator(router=router).with_structured_output(schema, method=method).invoke("q")
    assert (found.name if schema is City else found["name"]) == "name"


def test_a_structure_that_cannot_be_read_comes_back_raw() -> None:
    router = Router()
    router.add_provider("mock", answer="not JSON")
    model = MultiLLMOrchestrator(router=router)
    found = model.with_structured_output(City, method="json_mode", include_raw=True).invoke("q")
    assert (found["raw"].text, found["parsed"]) == ("not JSON", None)
    assert "not JSON" in str(found["parsing_error"])


@pytest.mark.parametrize(
    ("schema", "options"),
    [(None, {}), (City, {"method": "telepathy"}), (City, {"method": "json_mode", "strict": True})],
    ids=["no schema", "method", "strict"],
)
def test_a_wrong_wish_for_structure_is_refused(model: MultiLLMOrchestrator, schema: Any, options: Any) -> None:
    with pytest.raises(ValueError, match="with_structured_output"):
        model.with_structured_output(schema, **options)


# LangChain's machinery


class Watching(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **told: Any) -> None:
        self.seen.append(("start", serialized, told))

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        self.seen.append(("token", token))

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.seen.append(("end", response.generations[0][0].message.response_metadata["target"]))

    def on_llm_error(self, error: BaseException, **_: Any) -> None:
        self.seen.append(("error", type(error).__name__))


def test_callbacks_hear_of_a_call(model: MultiLLMOrchestrator) -> None:
    watching = Watching()
    list(model.stream("q", {"callbacks": [watching]}, target="b"))
    (_, _, told), *rest = watching.seen
    assert told["metadata"]["ls_provider"] == "multi-llm-orchestrator"
    assert told["invocation_params"]["target"] == "b"
    assert rest == [("token", "b#1.0 "), ("token", "b#1.1 "), ("token", ""), ("end", "b")]


def test_callbacks_hear_of_a_failure(model: MultiLLMOrchestrator, providers: dict[str, Scripted]) -> None:
    providers["a"].acts = [Act(error=ServerFault("down"))]
    watching = Watching()
    with pytest.raises(ServerFault):
        model.invoke("q", {"callbacks": [watching]}, route="to-a")
    assert watching.seen[-1] == ("error", "ServerFault")


def test_events_of_a_run(model: MultiLLMOrchestrator) -> None:
    async def names() -> list[str]:
        return [event["event"] async for event in model.astream_events("q", version="v2")]

    found = asyncio.run(names())
    assert (found[0], found[-1]) == ("on_chat_model_start", "on_chat_model_end")
    assert found.count("on_chat_model_stream") >= 3


def test_a_rate_limiter_is_asked(router: Router) -> None:
    class Counting(BaseRateLimiter):
        asked = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            self.asked += 1
            return blocking

        async def aacquire(self, *, blocking: bool = True) -> bool:
            return self.acquire(blocking=blocking)

    limiter = Counting()
    model = MultiLLMOrchestrator(router=router, rate_limiter=limiter)
    model.invoke("q")
    asyncio.run(model.ainvoke("q"))
    list(model.stream("q"))
    assert limiter.asked == 3


def test_a_cache_answers_the_same_question_only(router: Router, providers: dict[str, Scripted]) -> None:
    cache = InMemoryCache()
    model = MultiLLMOrchestrator(router=router, cache=cache)
    first, again = model.invoke("q"), model.invoke("q")
    assert (first.text, again.text) == ("a#1.0 a#1.1 ",) * 2
    assert again.usage_metadata is not None
    assert again.usage_metadata["total_cost"] == 0  # type: ignore[typeddict-item]  # how LangChain marks a hit
    assert target(model.invoke("q", route="to-b")) == "b"
    assert target(model.invoke("q", {"configurable": {"mlo_route": "to-b"}})) == "b"
    model.invoke("q", temperature=0.1)
    assert (providers["a"].plays, providers["b"].plays) == (2, 1)


def test_a_cache_does_not_mix_routers_up(router: Router) -> None:
    other = Router()
    other.add_provider("mock", answer="другое")
    cache = InMemoryCache()
    assert MultiLLMOrchestrator(router=router, cache=cache).invoke("q").text == "a#1.0 a#1.1 "
    assert MultiLLMOrchestrator(router=other, cache=cache).invoke("q").text == "другое"


# secrets

SECRET = "s3cret-canary"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MultiLLMOrchestrator]:
    key = f'key = "{SECRET}"'
    file = tmp_path / "mlo.toml"
    file.write_text(f'[providers.giga]\nuse = "gigachat"\nauth = {{ use = "gigachat-oauth", {key} }}\n')
    yield MultiLLMOrchestrator(config_file=file)


def _with_router() -> MultiLLMOrchestrator:
    router = Router()
    router.add_provider("giga", use="gigachat", auth={"use": "gigachat-oauth", "key": SECRET})
    return MultiLLMOrchestrator(router=router)


@pytest.mark.parametrize("over", ["file", "router"])
def test_nothing_that_langchain_writes_down_has_secrets(guarded: MultiLLMOrchestrator, over: str) -> None:
    model = guarded if over == "file" else _with_router()
    told = [dumps(model), repr(model), str(model.asdict()), str(model._get_invocation_params())]
    told += [model._get_llm_string(), model.model_dump_json(), str(model._get_ls_params())]
    assert [text for text in told if SECRET in text] == []


def test_a_model_over_a_router_object_says_that_it_cannot_be_restored() -> None:
    assert '"not_implemented"' in dumps(_with_router())


# embeddings


def test_embeddings_tell_questions_from_documents(providers: dict[str, Scripted], router: Router) -> None:
    class Noting(Scripted):
        async def embed(self, request: Any, ctx: Any, /) -> Any:
            kinds.append((request.kind, request.texts, request.dimensions))
            return await super().embed(request, ctx)

    kinds: list[Any] = []
    router.add_provider("v", Noting("v"))
    vectors = MultiLLMEmbeddings(router=router, target="v", dimensions=8)
    assert vectors.embed_documents(["aa", "b"]) == [[2.0], [1.0]]
    assert vectors.embed_query("ccc") == [3.0]
    assert vectors.embed_documents([]) == []
    assert asyncio.run(vectors.aembed_documents([])) == []
    assert kinds == [("document", ("aa", "b"), 8), ("query", ("ccc",), 8)]
    assert providers["a"].plays == 0
