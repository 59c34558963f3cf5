"""The contract of providers that pass a client's bytes on, beside :class:`~mlo_sdk.testing.ProviderContract`.

A plugin's test file is a subclass that says which spec it is about and what its wire looks like::

    from mlo_acme.plugin import mlo_providers
    from mlo_sdk.testing import RelayContract

    class TestAcmeRelay(RelayContract):
        (spec,) = mlo_providers()
        options = {"base_url": "http://127.0.0.1:8000/v1", "model": "tiny"}
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import anyio
import pytest

from mlo.api import Environment, Provider, ProviderSpec
from mlo.errors import ProviderError
from mlo.relay import Relay, Relayed, RelayRequest, RelaySource, RelaySummary
from mlo.requests import ChatRequest

from . import answers
from .demands import ContractBroken, demand, fail, needs, overrides, switch_off
from .subject import Failure, Subject, cancel_everywhere
from .surroundings import LoneEnvironment, context, eventually, in_own_task
from .watching import leaks_in, texts_of

__all__ = ["RelayContract"]


class RelayContract:
    """What the kernel relies on in a relay.

    Class attributes to set:

    ``spec``      what the plugin offers (required)
    ``options``   the instance's table in ``mlo.toml`` without ``use``
    ``model``     the model to ask for, where the instance has none
    ``wire``      the name of the client's wire
    ``counts``    whether the server tells how many tokens an answer took
    """

    pytestmark = pytest.mark.anyio

    spec: ClassVar[ProviderSpec[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    model: ClassVar[str | None] = None
    wire: ClassVar[str] = "openai.chat"
    counts: ClassVar[bool] = True
    switched_off: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        failures = {"failures"} if overrides(cls, RelayContract, "failures") else set()
        cls.switched_off = switch_off(cls, RelayContract, failures)

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

    def document(self, prompt: str, *, stream: bool) -> dict[str, Any]:
        """A client's request with one message, which names a model of its own."""
        message = {"role": "user", "content": prompt}
        return {"model": "the-clients-own", "messages": [message], **({"stream": True} if stream else {})}

    def open_connections(self, provider: Provider) -> int | None:
        """How many connections are in use (idle ones of a pool do not count); ``None`` where nobody can tell."""
        counter = getattr(provider, "open_connections", None)
        return None if counter is None else int(counter())

    @pytest.fixture
    def subject(self, table: Mapping[str, Any], environment: Environment) -> Subject:
        """The provider under test."""
        return Subject(spec=self.spec, table=table, environment=environment, model=self.model)

    # What it takes.

    async def test_it_takes_its_wire_and_no_other(self, subject: Subject) -> None:
        """A plain request of its wire is taken, one of a wire that nobody knows is not."""
        async with subject.open() as provider:
            relay = _relay(provider)
            for stream in (False, True):
                demand(relay.relays(self._request(stream=stream)) is True, f"relays() refuses a plain {self.wire}")
            strange = RelayRequest(wire="no.such.wire", raw=b"{}", document={}, chat=ChatRequest.of("x"))
            demand(relay.relays(strange) is False, "relays() takes a wire that does not exist")

    async def test_a_request_stays_as_it_was(self, subject: Subject) -> None:
        """It may go to another target later."""
        request = self._request()
        before = copy.deepcopy(dict(request.document))
        async with subject.open() as provider:
            await _relay(provider).relay(request, self.model, context())
        demand(request.document == before, "relay() changed the document it was given")

    # Answers.

    async def test_an_answer_goes_through(self, subject: Subject) -> None:
        """The body is JSON, and what accounting needs has been read from it."""
        async with subject.open() as provider:
            relayed = await _relay(provider).relay(self._request(), self.model, context())
        demand(isinstance(relayed, Relayed), f"relay() must give a Relayed, not {type(relayed).__name__}")
        try:
            json.loads(relayed.body)
        except ValueError as error:
            raise ContractBroken(f"the body of the answer is not JSON: {relayed.body[:80]!r}") from error
        self._check_summary(relayed.summary, "relay()")

    async def test_a_stream_goes_through(self, subject: Subject) -> None:
        """Pieces come until an empty one, which comes again; then the summary is complete."""
        async with subject.open() as provider:
            source = await _relay(provider).relay_stream(self._request(stream=True), self.model, context())
            body = await _drain(source)
            demand(body, "the stream was empty")
            demand(await source.receive() == b"", "after the end, receive() must give nothing more")
            await source.aclose()
        self._check_summary(source.summary(), "the stream")

    # Life and death.

    async def test_leaving_a_stream_early_closes_it(self, subject: Subject) -> None:
        """``aclose()`` gives the connection back at once, and may be called again; what is known stays known."""
        async with subject.open() as provider:
            source = await _relay(provider).relay_stream(self._request(stream=True), self.model, context())
            await source.receive()
            for _ in range(2):
                await source.aclose()
            demand(isinstance(source.summary(), RelaySummary), "summary() must work after aclose()")
            closed = await eventually(lambda: not self.open_connections(provider))
            demand(closed, f"a stream that was left still holds {self.open_connections(provider)} connection(s)")

    async def test_a_stream_may_wander_between_tasks(self, subject: Subject) -> None:
        """Opened in one task, read in a second and closed in a third."""
        sources: list[RelaySource] = []
        request = self._request(stream=True)
        async with subject.open() as provider:

            async def begin() -> None:
                sources.append(await _relay(provider).relay_stream(request, self.model, context()))

            async def read() -> None:
                await sources[0].receive()

            async def close() -> None:
                await sources[0].aclose()

            try:
                for step in (begin, read, read, close):
                    await in_own_task(step)
            except RuntimeError as error:
                raise ContractBroken(f"a scope or task group is open between two calls of a source: {error}") from error

    async def test_cancellation_is_let_through(self, subject: Subject) -> None:
        """Wherever a call waits, cancelling it ends it, and leaves no connection in use."""

        async def streamed(relay: Relay) -> None:
            source = await relay.relay_stream(self._request(stream=True), self.model, context())
            try:
                await _drain(source)
            finally:
                with anyio.CancelScope(shield=True):
                    await source.aclose()

        async with subject.open() as provider:
            relay = _relay(provider)
            await cancel_everywhere(
                lambda: relay.relay(self._request(), self.model, context()),
                "relay()",
                lambda: self.open_connections(provider),
            )
            await cancel_everywhere(lambda: streamed(relay), "relay_stream()", lambda: self.open_connections(provider))

    # Errors.

    @needs("failures")
    async def test_failures_are_typed(self, subject: Subject, failures: Mapping[str, Failure]) -> None:
        """Each failure comes out as the leaf it is, before the first piece, and shows no secret."""
        secrets = await subject.secrets()
        for name, failure in failures.items():
            for stream in (False, True) if failure.streams else (False,):
                error = await self._failing(subject, failure, stream=stream)
                where = f"failure {name!r} in {'a stream' if stream else 'relay()'}"
                if error is None:
                    fail(f"{where}: expected {failure.error.__name__}, but an answer came")
                answers.check_error(error)
                demand(type(error) is failure.error, f"{where}: expected {failure.error.__name__}, got {error!r}")
                leaks = leaks_in(texts_of(error), secrets)
                demand(not leaks, f"{where}: the error shows a secret, after {leaks}")

    async def _failing(self, subject: Subject, failure: Failure, *, stream: bool) -> ProviderError | None:
        if failure.prepare is not None:
            failure.prepare()
        request = self._request(failure.prompt, stream=stream)
        try:
            async with subject.open(**failure.table) as provider:
                relay = _relay(provider)
                if not stream:
                    await relay.relay(request, self.model, context())
                    return None
                source = await relay.relay_stream(request, self.model, context())
                try:
                    await source.receive()
                finally:
                    await source.aclose()
        except ProviderError as error:
            return error
        return None

    def _request(self, prompt: str = "Раз два три четыре пять", *, stream: bool = False) -> RelayRequest:
        document = self.document(prompt, stream=stream)
        raw = json.dumps(document, ensure_ascii=False).encode()
        chat = ChatRequest.of(prompt)
        return RelayRequest(wire=self.wire, raw=raw, document=document, chat=chat, stream=stream)

    def _check_summary(self, summary: RelaySummary, what: str) -> None:
        demand(isinstance(summary, RelaySummary), f"the summary of {what} must be a RelaySummary")
        known = summary.usage.prompt_tokens is not None and summary.usage.completion_tokens is not None
        demand(known or not self.counts, f"{what} tells no token counts (set `counts = False` if the server has none)")


def _relay(provider: Provider) -> Relay:
    if not isinstance(provider, Relay):
        fail("the provider is no relay: it lacks relays(), relay() or relay_stream()")
    return provider


async def _drain(source: RelaySource) -> bytes:
    deadline = anyio.current_effective_deadline()
    pieces = []
    while piece := await source.receive():
        demand(
            anyio.current_effective_deadline() in {deadline, float("-inf")},  # -inf: the call itself was cancelled
            "a cancel scope of the source is open between two calls of receive()",
        )
        pieces.append(piece)
    return b"".join(pieces)
