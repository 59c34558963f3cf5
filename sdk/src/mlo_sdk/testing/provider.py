"""The contract of providers.

A plugin's test file is a subclass that says which spec it is about::

    from mlo_acme.plugin import mlo_providers
    from mlo_sdk.testing import ProviderContract

    class TestAcme(ProviderContract):
        (spec,) = mlo_providers()
        options = {"model": "acme-1"}

Where the table needs a running server, override the fixture ``table`` and let it ask for the emulator's fixture.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import anyio
import pytest

from mlo.api import Embedder, Environment, HealthChecker, ModelLister, Provider, ProviderSpec, TokenCounter
from mlo.errors import ProviderError
from mlo.events import Event, Fold, fold
from mlo.messages import Message, ToolChoice
from mlo.models import Capability
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject
from mlo.responses import ChatResponse

from . import answers
from .demands import demand, needs, overrides, switch_off
from .specs import check_entry_point, check_spec, check_table
from .subject import Failure, Subject, cancel_everywhere, drain, leave_early, read_in_three_tasks
from .surroundings import LoneEnvironment, context, eventually
from .watching import leaks_in, texts_of

__all__ = ["ProviderContract"]


class ProviderContract:
    """What the kernel relies on in a provider. Checks for what the spec does not declare are not collected.

    Class attributes to set:

    ``spec``            what the plugin offers (required)
    ``options``         the instance's table in ``mlo.toml``; or override the fixture ``table``
    ``model``           the model of the requests, where the instance has no default
    ``published``       whether an entry point must offer the spec (``False`` for a spec made in a test)
    ``deterministic``   whether the same request always gets the same answer
    ``samples``         recorded bodies of whole streams, given to :meth:`parse`
    ``capabilities``    what this instance can do, where that differs from the spec

    After a subclass is made, ``switched_off`` says which checks do not apply to it, and why.
    """

    pytestmark = pytest.mark.anyio

    spec: ClassVar[ProviderSpec[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    model: ClassVar[str | None] = None
    published: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    samples: ClassVar[Sequence[bytes]] = ()
    capabilities: ClassVar[frozenset[Capability] | None] = None
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "spec"):
            cls.switched_off = switch_off(cls, ProviderContract, cls._features())

    @classmethod
    def _features(cls) -> set[str]:
        able = cls.spec.capabilities if cls.capabilities is None else cls.capabilities
        flags = {
            "published": cls.published,
            "deterministic": cls.deterministic,
            "samples": bool(cls.samples),
            "failures": overrides(cls, ProviderContract, "failures"),
        }
        return {str(capability) for capability in able} | {name for name, on in flags.items() if on}

    # What a subclass may override.

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """The instance's table in ``mlo.toml``."""
        return self.options

    @pytest.fixture
    def environment(self) -> Environment:
        """What the kernel would give to the provider."""
        return LoneEnvironment()

    @pytest.fixture
    def failures(self) -> Mapping[str, Failure]:
        """Ways to make the provider fail, by name."""
        return {}

    def open_connections(self, provider: Provider) -> int | None:
        """How many connections are in use (idle ones of a pool do not count); ``None`` where nobody can tell."""
        counter = getattr(provider, "open_connections", None)
        return None if counter is None else int(counter())

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        """The events of a streamed body that arrives in ``chunks``; needed only with ``samples``."""
        raise NotImplementedError(f"{type(self).__name__} has samples, but no parse()")

    @pytest.fixture
    def subject(self, table: Mapping[str, Any], environment: Environment) -> Subject:
        """The provider under test."""
        return Subject(spec=self.spec, table=table, environment=environment, model=self.model)

    # The spec and the configuration.

    def test_the_spec_is_consistent(self) -> None:
        """Its name is an id, its configuration a frozen attrs class, its capabilities include chat."""
        spec = self.spec
        check_spec(spec, ProviderSpec)
        demand(Capability.CHAT in spec.capabilities, "every provider has Capability.CHAT")
        strange = set(map(type, spec.capabilities)) - {Capability}
        demand(not strange, f"capabilities are members of Capability, not {strange}")

    @needs("published")
    def test_an_entry_point_offers_the_spec(self) -> None:
        """The id under which users find it leads to a module whose hook yields it."""
        check_entry_point(self.spec, "mlo.v1.providers", "mlo_providers")

    def test_the_table_fits_the_configuration(self, subject: Subject) -> None:
        """A table becomes the configuration class; an unknown key is an error that names it."""
        check_table(self.spec, subject.table)

    async def test_nothing_shows_a_secret(self, subject: Subject) -> None:
        """Neither the configuration nor the open provider has a secret in its ``repr``."""
        async with subject.open() as provider:
            config = subject.config()
            shown = (repr(config), str(config), repr(provider), str(provider))
        leaks = leaks_in(shown, await subject.secrets())
        demand(not leaks, f"a secret shows in a repr, after {leaks}: hold it in mlo.Secret")

    # Answers.

    async def test_an_answer_is_whole(self, subject: Subject) -> None:
        """``generate()`` returns an assistant's message with a finish reason and an honest usage."""
        async with subject.open() as provider:
            answers.check_response(await provider.generate(subject.request("Привет"), context()))

    async def test_a_conversation_is_understood(self, subject: Subject) -> None:
        """System, user and assistant turns may come together."""
        turns = (Message.system("Отвечай кратко"), Message.user("Раз"), Message.assistant("Два"), Message.user("Три"))
        async with subject.open() as provider:
            request = ChatRequest(messages=turns, model=self.model)
            answers.check_response(await provider.generate(request, context()))

    @needs("stream")
    async def test_a_stream_is_well_formed(self, subject: Subject) -> None:
        """``Started`` comes first, ``Finished`` last, and what lies between is of known kinds."""
        async with subject.open() as provider:
            events = await drain(provider, subject.request("Привет"))
        answers.check_events(events)
        answers.check_response(fold(events))

    @needs("stream", "deterministic")
    async def test_a_stream_adds_up_to_the_answer(self, subject: Subject) -> None:
        """Streamed or not, the same answer comes."""
        request = subject.request("Привет")
        async with subject.open() as provider:
            whole = await provider.generate(request, context())
            summed = fold(await drain(provider, request))
        demand(summed.text == whole.text, f"streamed {summed.text!r}, whole {whole.text!r}")
        demand(summed.finish_reason == whole.finish_reason, "streamed and whole finish for different reasons")
        demand(summed.model == whole.model, f"streamed model {summed.model!r}, whole {whole.model!r}")

    async def test_a_request_stays_as_it_was(self, subject: Subject) -> None:
        """Requests are replayed at other targets, so nothing inside them may change."""
        request = subject.request("Привет", metadata={"session": "s-1"})
        before = copy.deepcopy(request)
        async with subject.open() as provider:
            await provider.generate(request, context())
        demand(request == before, "generate() changed the request it was given")

    async def test_many_calls_run_at_once(self, subject: Subject) -> None:
        """One provider serves concurrent calls, and keeps them apart."""
        requests = [subject.request(f"Вопрос {number}") for number in range(12)]
        whole: dict[int, ChatResponse] = {}

        async def ask(provider: Provider, number: int) -> None:
            whole[number] = await provider.generate(requests[number], context())

        async with subject.open() as provider:
            async with anyio.create_task_group() as tasks:
                for number in range(len(requests)):
                    tasks.start_soon(ask, provider, number)
            if self.deterministic:
                alone = [(await provider.generate(request, context())).text for request in requests]
                mixed = [number for number, text in enumerate(alone) if whole[number].text != text]
                demand(not mixed, f"of calls at once, {mixed} got another answer than alone: keep no call on `self`")
        for response in whole.values():
            answers.check_response(response)

    async def test_it_opens_again_after_closing(self, subject: Subject) -> None:
        """A configuration reload opens an instance anew; each opening stands for itself."""
        for _ in range(2):
            async with subject.open() as provider:
                answers.check_response(await provider.generate(subject.request("Привет"), context()))

    # Life and death of calls.

    @needs("stream")
    async def test_leaving_a_stream_early_closes_it(self, subject: Subject) -> None:
        """``aclose()`` gives the connection back at once, and closes the generators inside."""
        async with subject.open() as provider:
            for events in (1, 2):
                left = await leave_early(provider, subject.request("Раз два три четыре пять"), events)
                demand(
                    not left, f"left early, the stream leaves {', '.join(left)} open: wrap it in contextlib.aclosing"
                )
                await self._demand_no_connections(provider, "a stream that was left early")

    @needs("stream")
    async def test_a_stream_may_wander_between_tasks(self, subject: Subject) -> None:
        """Begun in one task, read in a second and closed in a third, as frameworks do."""
        async with subject.open() as provider:
            await read_in_three_tasks(provider, subject.request("Раз два три четыре пять"))
            await self._demand_no_connections(provider, "a stream closed in another task")

    @needs("stream")
    async def test_a_slow_reader_is_not_cancelled(self, subject: Subject) -> None:
        """Scopes of the source do not touch its reader, and the reader's own scopes cancel only what they hold."""
        total = Fold()
        async with subject.open() as provider:
            stream = provider.generate_stream(subject.request("Раз два три"), context())
            async for event in stream:
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await anyio.sleep_forever()
                demand(scope.cancelled_caught, "the reader's own cancellation did not come back to it")
                total.add(event)
        demand(total.finished, "the stream did not reach its end under a reader that cancels its own work")

    async def test_cancellation_is_let_through(self, subject: Subject) -> None:
        """Wherever a call waits, cancelling it ends it, as a cancellation and not as an error."""
        request = subject.request("Привет")
        async with subject.open() as provider:
            await cancel_everywhere(
                lambda: provider.generate(request, context()), "generate()", lambda: self.open_connections(provider)
            )

    @needs("stream")
    async def test_cancellation_is_let_through_a_stream(self, subject: Subject) -> None:
        """The same for streams, at each wait between their events."""
        request = subject.request("Привет")
        async with subject.open() as provider:
            await cancel_everywhere(
                lambda: drain(provider, request), "generate_stream()", lambda: self.open_connections(provider)
            )

    # Errors.

    @needs("failures")
    async def test_failures_are_typed(self, subject: Subject, failures: Mapping[str, Failure]) -> None:
        """Each failure comes out as the leaf it is, before the first event, and shows no secret."""
        secrets = await subject.secrets()
        for name, failure in failures.items():
            for call in (_answer, drain) if failure.streams else (_answer,):
                error = await self._failing(subject, failure, call)
                where = f"failure {name!r} in {'a stream' if call is drain else 'generate()'}"
                demand(error is not None, f"{where}: expected {failure.error.__name__}, but an answer came")
                if error is not None:
                    answers.check_error(error)
                    demand(type(error) is failure.error, f"{where}: expected {failure.error.__name__}, got {error!r}")
                    leaks = leaks_in(texts_of(error), secrets)
                    demand(not leaks, f"{where}: the error shows a secret, after {leaks}")

    # Capabilities: what is declared must work.

    @needs("tools")
    async def test_a_forced_tool_is_called(self, subject: Subject) -> None:
        """``tool_choice`` names a tool, and a call of it with arguments that fit comes, streamed or not."""
        tool = answers.WEATHER_TOOL
        choice = ToolChoice(mode="named", name=tool.name)
        request = subject.request("Какая погода в Москве завтра?", tools=(tool,), tool_choice=choice)
        async with subject.open() as provider:
            whole = await provider.generate(request, context())
            answers.check_tool_call(whole.tool_calls, tool)
            if Capability.STREAM in self._able():
                events = await drain(provider, request)
                answers.check_events(events)
                answers.check_tool_call(fold(events).tool_calls, tool)

    @needs("tools")
    async def test_a_tool_result_is_answered(self, subject: Subject) -> None:
        """After the call and its result the conversation goes on."""
        tool = answers.WEATHER_TOOL
        choice = ToolChoice(mode="named", name=tool.name)
        request = subject.request("Какая погода в Москве завтра?", tools=(tool,), tool_choice=choice)
        async with subject.open() as provider:
            asked = await provider.generate(request, context())
            answers.check_tool_call(asked.tool_calls, tool)
            results = [Message.tool(call, '{"forecast": "солнечно"}') for call in asked.tool_calls]
            turns = (*request.messages, asked.message, *results)
            answered = await provider.generate(ChatRequest(messages=turns, model=self.model, tools=(tool,)), context())
        answers.check_response(answered)

    @needs("json-schema")
    async def test_a_json_schema_is_honoured(self, subject: Subject) -> None:
        """The answer is an object that fits the schema asked for."""
        wanted = answers.CITY_SCHEMA
        async with subject.open() as provider:
            response = await provider.generate(subject.request("Опиши Москву", response_format=wanted), context())
        answers.check_object(response.text, wanted.schema, "an answer in a JSON schema")

    @needs("json-object")
    async def test_a_json_object_is_one(self, subject: Subject) -> None:
        """The answer is some JSON object."""
        request = subject.request("Опиши Москву в формате JSON", response_format=JsonObject())
        async with subject.open() as provider:
            answers.check_object((await provider.generate(request, context())).text, {}, "an answer in JSON")

    @needs("embeddings")
    async def test_embeddings_match_their_texts(self, subject: Subject) -> None:
        """One vector per text, in their order, all of one length."""
        request = EmbeddingRequest(texts=("раз", "два", "раз"), model=self.model)
        async with subject.open() as provider:
            demand(isinstance(provider, Embedder), "Capability.EMBEDDINGS is declared, but there is no embed()")
            if isinstance(provider, Embedder):
                answers.check_embeddings(await provider.embed(request, context()), request)

    async def test_optional_methods_keep_their_word(self, subject: Subject) -> None:
        """``models()``, ``count_tokens()`` and ``health()`` are up to the provider; those it has must work."""
        async with subject.open() as provider:
            if isinstance(provider, ModelLister):
                names = [model.id for model in await provider.models()]
                demand(all(names) and len(set(names)) == len(names), f"models() has empty or double ids: {names}")
            if isinstance(provider, TokenCounter):
                counts = await provider.count_tokens(["раз", "раз два три"], self.model)
                demand(len(counts) == 2 and 0 < counts[0] <= counts[1], f"count_tokens() gives {counts}")
            if isinstance(provider, HealthChecker):
                demand((await provider.health()).healthy, "health() says that the provider under test is ill")

    # The wire.

    @needs("samples")
    def test_samples_parse_however_they_are_cut(self) -> None:
        """A body gives the same events in chunks of any size, and half a body does not pass for a whole one."""
        for sample in self.samples:
            answers.check_parser(self.parse, sample)

    def _able(self) -> frozenset[Capability]:
        return self.spec.capabilities if self.capabilities is None else self.capabilities

    async def _demand_no_connections(self, provider: Provider, what: str) -> None:
        closed = await eventually(lambda: not self.open_connections(provider))
        demand(closed, f"{what} still holds {self.open_connections(provider)} connection(s)")

    async def _failing(self, subject: Subject, failure: Failure, call: Any) -> ProviderError | None:
        if failure.prepare is not None:
            failure.prepare()
        try:
            async with subject.open(**failure.table) as provider:
                await call(provider, subject.request(failure.prompt))
        except ProviderError as error:
            return error
        return None


async def _answer(provider: Provider, request: ChatRequest) -> ChatResponse:
    return await provider.generate(request, context())
