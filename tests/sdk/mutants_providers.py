"""Providers that are wrong, one way each. Not collected with the tests: test_contract_mutants.py runs this file."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest
from attrs import frozen

from mlo.api import CallContext, Environment, Provider, ProviderSpec
from mlo.errors import ProviderError, RateLimited, TransportFailed
from mlo.events import Event, Finished, Started, TextDelta, UsageReported, fold
from mlo.messages import Message, ToolCall
from mlo.models import Capability
from mlo.requests import ChatRequest, EmbeddingRequest, JsonSchema
from mlo.responses import ChatResponse, Embeddings, FinishReason, Usage
from mlo.secret import Secret
from mlo_sdk.testing import Failure, ProviderContract, surroundings

surroundings._PATIENCE = 1.5

USAGE = Usage(prompt_tokens=2, completion_tokens=3, total_tokens=5)
CITY = {"name": "Москва", "population": 13_000_000, "capital": True, "rivers": ["Москва", "Яуза"]}


@frozen(kw_only=True)
class Config:
    key: Secret = Secret("made-up-provider-key")
    fail: bool = False


class Honest:
    """Keeps the contract; the others change one thing."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connections = 0

    def open_connections(self) -> int:
        return self._connections

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        async with aclosing(self.generate_stream(request, ctx)) as stream:
            answer = fold([event async for event in stream])
        if request.tool_choice is not None and request.tool_choice.name:
            call = ToolCall(id="c1", name=request.tool_choice.name, arguments='{"city": "Москва", "days": 1}')
            return ChatResponse(
                message=Message.assistant(tool_calls=(call,)), finish_reason=FinishReason.TOOL_CALLS, usage=USAGE
            )
        return answer

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        if self._config.fail:
            raise self.failure()
        async with aclosing(self.words(request)) as words:
            yield Started(model="m")
            async for word in words:
                yield TextDelta(word)
        yield UsageReported(USAGE)
        yield Finished()

    async def words(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        self._connections += 1
        try:
            for word in self.text(request).split(" "):
                await anyio.sleep(0)
                yield word + " "
        finally:
            self._connections -= 1

    def text(self, request: ChatRequest) -> str:
        if isinstance(request.response_format, JsonSchema):
            return json.dumps(CITY)
        return f"В ответ на {request.messages[-1].text}"

    def failure(self) -> Exception:
        return RateLimited("slow down", status=429)

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        return Embeddings(vectors=tuple((1.0, float(len(text))) for text in request.texts))


def spec_of(provider: type[Honest], *capabilities: Capability) -> ProviderSpec[Config]:
    @asynccontextmanager
    async def opening(config: Config, _environment: Environment) -> AsyncIterator[Provider]:
        yield provider(config)

    able = frozenset({Capability.CHAT, Capability.STREAM, *capabilities})
    return ProviderSpec(name="wrong", config=Config, summary="Wrong", open=opening, capabilities=able)


class Contract(ProviderContract):
    published = False
    deterministic = True

    @pytest.fixture
    def failures(self) -> Mapping[str, Failure]:
        return {"busy": Failure(error=RateLimited, table={"fail": True})}


class TestHonest(Contract):
    spec = spec_of(Honest, Capability.JSON_SCHEMA, Capability.EMBEDDINGS)


class DeadlineOverYield(Honest):
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        with anyio.fail_after(30):
            async for event in super().generate_stream(request, ctx):
                yield event


class TestDeadlineOverYield(Contract):
    spec = spec_of(DeadlineOverYield)


class ScopeOverYield(Honest):
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        with anyio.CancelScope():
            async for event in super().generate_stream(request, ctx):
                yield event


class TestScopeOverYield(Contract):
    spec = spec_of(ScopeOverYield)


class TaskGroupOverYield(Honest):
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 0)
            async for event in super().generate_stream(request, ctx):
                yield event


class TestTaskGroupOverYield(Contract):
    spec = spec_of(TaskGroupOverYield)


class LeavesGeneratorOpen(Honest):
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        async for word in self.words(request):
            yield TextDelta(word)
        yield Finished()


class TestLeavesGeneratorOpen(Contract):
    spec = spec_of(LeavesGeneratorOpen)


class KeepsConnections(Honest):
    async def words(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        self._connections += 1
        await anyio.sleep(0)
        for word in self.text(request).split(" "):
            yield word + " "
        self._connections -= 1


class TestKeepsConnections(Contract):
    spec = spec_of(KeepsConnections)


class SwallowsCancellation(Honest):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        try:
            return await super().generate(request, ctx)
        except BaseException as error:
            if isinstance(error, ProviderError):
                raise
            return ChatResponse(message=Message.assistant("Ну и ладно"), usage=USAGE)


class TestSwallowsCancellation(Contract):
    spec = spec_of(SwallowsCancellation)


class CancellationIntoError(Honest):
    async def words(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        try:
            await anyio.sleep(0)
        except anyio.get_cancelled_exc_class() as error:
            raise TransportFailed("cut") from error
        yield self.text(request)


class TestCancellationIntoError(Contract):
    spec = spec_of(CancellationIntoError)


class NeverFinished(Honest):
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        await anyio.sleep(0)
        yield TextDelta(self.text(request))


class TestNeverFinished(Contract):
    spec = spec_of(NeverFinished)


class EmptyDelta(Honest):
    def text(self, request: ChatRequest) -> str:
        return super().text(request)

    async def words(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        await anyio.sleep(0)
        yield ""
        yield self.text(request)


class TestEmptyDelta(Contract):
    spec = spec_of(EmptyDelta)


class WrongTotal(Honest):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        usage = Usage(prompt_tokens=5, completion_tokens=3, total_tokens=3)
        return ChatResponse(message=Message.assistant((await super().generate(request, ctx)).text), usage=usage)


class TestWrongTotal(Contract):
    spec = spec_of(WrongTotal)


class ShowsSecret(Honest):
    def __repr__(self) -> str:
        return f"ShowsSecret(key={self._config.key.reveal()})"


class TestShowsSecret(Contract):
    spec = spec_of(ShowsSecret)


class UntypedError(Honest):
    def failure(self) -> Exception:
        return ConnectionError("refused")


class TestUntypedError(Contract):
    spec = spec_of(UntypedError)


class SecretInError(Honest):
    def failure(self) -> Exception:
        return RateLimited(f"slow down, {self._config.key.reveal()}")


class TestSecretInError(Contract):
    spec = spec_of(SecretInError)


class BareProviderError(Honest):
    def failure(self) -> Exception:
        return ProviderError("something")


class TestBareProviderError(Contract):
    spec = spec_of(BareProviderError)


class OtherStream(Honest):
    calls = 0

    async def words(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        await anyio.sleep(0)
        self.calls += 1
        yield f"{self.text(request)} {self.calls}"


class TestOtherStream(Contract):
    spec = spec_of(OtherStream)


class KeepsCallOnSelf(Honest):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        self._request = request
        await anyio.sleep(0)
        return await super().generate(self._request, ctx)


class TestKeepsCallOnSelf(Contract):
    spec = spec_of(KeepsCallOnSelf)


class ChangesRequest(Honest):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        request.metadata.pop("session", None)  # type: ignore[attr-defined]
        return await super().generate(request, ctx)


class TestChangesRequest(Contract):
    spec = spec_of(ChangesRequest)


class IgnoresToolChoice(Honest):
    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        return await super().generate(ChatRequest(messages=request.messages), ctx)


class TestIgnoresToolChoice(Contract):
    spec = spec_of(IgnoresToolChoice, Capability.TOOLS)


class IgnoresSchema(Honest):
    def text(self, request: ChatRequest) -> str:
        return json.dumps({name: str(value) for name, value in CITY.items()})


class TestIgnoresSchema(Contract):
    spec = spec_of(IgnoresSchema, Capability.JSON_SCHEMA)


class LosesVectors(Honest):
    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        return Embeddings(vectors=tuple((1.0,) for _ in set(request.texts)))


class TestLosesVectors(Contract):
    spec = spec_of(LosesVectors, Capability.EMBEDDINGS)


class OpensOnce(Honest):
    opened: ClassVar[list[object]] = []

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.opened.append(self)

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        if self.opened[0] is not self:
            raise TransportFailed("closed")
        return await super().generate(request, ctx)


class TestOpensOnce(Contract):
    spec = spec_of(OpensOnce)


SAMPLE = 'data: {"t": "Привет"}\n\ndata: {"t": " мир"}\n\ndata: [DONE]\n\n'.encode()


class TestNaiveParser(Contract):
    """Takes each chunk for a whole number of lines."""

    spec = spec_of(Honest)
    samples = (SAMPLE,)

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        events: list[Event] = []
        for chunk in chunks:
            for line in chunk.decode("utf-8", "replace").split("\n"):
                data = line.removeprefix("data: ")
                if data.startswith("{") and data.endswith("}"):
                    events.append(TextDelta(json.loads(data)["t"]))
                elif data == "[DONE]":
                    events.append(Finished())
        return events


class TestCredulousParser(Contract):
    """Says that the answer is complete whenever the body ends."""

    spec = spec_of(Honest)
    samples = (SAMPLE,)

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        lines = b"".join(chunks).split(b"\n")
        whole = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {") and line.endswith(b"}")]
        return [*(TextDelta(data["t"]) for data in whole), Finished()]


class TestLooseConfig(Contract):
    """Its options accept anything, so that a typing error goes unnoticed."""

    spec = spec_of(Honest)

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        return {"keys": "made-up"}
