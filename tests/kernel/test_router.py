"""The façade: what a program may ask and what it is told when that is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from math import inf, nan
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, EmbeddingRequest, Image, JsonSchema, Message, Router, Sampling, Text, ToolDef
from mlo.api import CallContext, Steps
from mlo.errors import (
    AnswerRejected,
    AttemptsExhausted,
    CallError,
    ConfigError,
    DeadlineExceeded,
    MloError,
    NoTarget,
    Overloaded,
    PluginFault,
    PluginNotFound,
    ProviderError,
    RateLimited,
    ServerFault,
    Unsupported,
)
from mlo.events import Event, UsageReported
from mlo.models import Capability, ModelInfo, Money, Price
from mlo.records import AttemptFailed, AttemptStarted, RouteDecided
from mlo.requests import Prompt
from mlo.responses import ChatResponse, Health, Usage
from mlo.routing import Outcome, Request, Step, Target
from mlo.settings import BreakerSettings, ProviderSettings, RetrySettings, Settings
from tests.kernel.harness import OBSERVED, routing
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio
ONCE = RetrySettings(rounds=1)


@pytest.mark.parametrize(
    "prompt",
    ["hi", Message.user("hi"), [Message.system("be short"), Message.user("hi")], ChatRequest.of("hi")],
    ids=["text", "message", "messages", "request"],
)
async def test_a_prompt_may_be_text_messages_or_a_request(prompt: Prompt) -> None:
    provider = Scripted("a")
    async with routing(provider) as router:
        await router.route(prompt)
    assert provider.seen[0].messages[-1].text == "hi"


async def test_fields_override_those_of_a_request() -> None:
    provider = Scripted("a")
    async with routing(provider) as router:
        request = ChatRequest(messages=(Message.user("hi"),), sampling=Sampling(temperature=1.0), model="m1")
        await router.route(request, model="m2", sampling=Sampling(temperature=0.5), metadata={"user": "7"})
    assert (provider.seen[0].model, provider.seen[0].sampling.temperature) == ("m2", 0.5)
    assert provider.contexts[0].metadata == {"user": "7"}


async def test_a_target_may_name_a_model() -> None:
    provider = Scripted("a")
    async with routing(provider) as router:
        router.add_route("big", ["a:model:with/odd:name"])
        await router.route("x", route="big")
        await router.route("x", target="a:other")
    assert [request.model for request in provider.seen] == ["model:with/odd:name", "other"]


async def test_models_named_by_callers_leave_nothing_behind() -> None:
    async with routing(Scripted("a")) as router:
        for number in range(50):
            await router.route("x", target=f"a:m{number}")
        assert router._kernel is not None
        assert len(router._kernel.wiring._plans) < 5


async def test_the_answer_tells_how_it_came_about() -> None:
    async with routing(Scripted("a", [Act(error=ServerFault("down"))]), Scripted("b")) as router:
        answer = await router.route("x", route="r")
    assert answer.call is not None
    assert (answer.call.target, answer.call.route) == ("b", "r")
    assert [(outcome.target.name, type(outcome.error)) for outcome in answer.call.attempts] == [
        ("a", ServerFault),
        ("b", type(None)),
    ]


async def test_all_failures_are_listed() -> None:
    busy, down = RateLimited("busy", retry_after=99), ServerFault("down", status=500)
    async with routing(Scripted("a", [Act(error=busy)]), Scripted("b", [Act(error=down)]), retry=ONCE) as router:
        with pytest.raises(AttemptsExhausted, match=r"\(1\) a: busy.*\(2\) b: down \[HTTP 500\]") as caught:
            await router.route("x", route="r")
    assert caught.value.__cause__ is down
    assert caught.value.call_id


async def test_the_error_of_the_only_attempt_is_raised_as_it_is() -> None:
    async with routing(Scripted("a", [Act(error=RateLimited("busy"))]), retry=ONCE) as router:
        with pytest.raises(RateLimited, match="a: busy"):
            await router.route("x", route="r")


async def test_a_second_round_goes_to_those_who_may_serve_later() -> None:
    later = Scripted("a", [Act(error=Overloaded("full")), Act()])
    never = Scripted("b", [Act(error=Unsupported("cannot"))])
    async with routing(later, never, retry=RetrySettings(rounds=2, base=0.001)) as router:
        answer = await router.route("x", route="r")
    assert (answer.text, later.plays, never.plays) == ("a#2.0 a#2.1 ", 2, 1)


async def test_retry_after_is_waited_for() -> None:
    provider = Scripted("a", [Act(error=RateLimited("busy", retry_after=0.2)), Act()])
    async with routing(provider, retry=RetrySettings(rounds=2, base=0.001)) as router:
        answer = await router.route("x", route="r")
    assert answer.call is not None
    assert answer.call.duration >= 0.2


async def test_a_retry_after_beyond_the_cap_is_not_waited_for() -> None:
    provider = Scripted("a", [Act(error=RateLimited("busy", retry_after=3600))])
    async with routing(provider, retry=RetrySettings(rounds=3, cap=1.0)) as router:
        with pytest.raises(RateLimited):
            await router.route("x", route="r")
    assert provider.plays == 1


async def test_no_retry_that_could_not_end_before_the_deadline() -> None:
    provider = Scripted("a", [Act(error=RateLimited("busy", retry_after=5))])
    async with routing(provider, retry=RetrySettings(rounds=2)) as router:
        with pytest.raises(RateLimited):
            await router.route("x", route="r", deadline=2)


async def test_retries_stop_when_the_budget_is_used_up() -> None:
    provider = Scripted("a", [Act(error=ServerFault("down"))])
    settings = Settings(observers=OBSERVED, retry_ratio=0.0, retry_reserve=3.0, breaker=BreakerSettings(failures=1000))
    async with routing(provider, settings=settings, retry=RetrySettings(rounds=2, base=0.001)) as router:
        for _ in range(10):
            with pytest.raises((ServerFault, AttemptsExhausted)):
                await router.route("x", route="r")
    assert provider.plays == 10 + 3


async def test_the_deadline_names_what_was_tried() -> None:
    slow = Scripted("b", [Act(before=60)])
    async with routing(Scripted("a", [Act(error=ServerFault("down"))]), slow) as router:
        with pytest.raises(DeadlineExceeded, match="a: down") as caught:
            await router.route("x", route="r", deadline=0.05)
    assert [outcome.target.name for outcome in caught.value.outcomes] == ["a"]
    assert slow.running == 0


async def test_the_routes_own_deadline_holds_when_it_is_shorter() -> None:
    async with routing(Scripted("a", [Act(before=60)]), deadline=0.05) as router:
        with pytest.raises(DeadlineExceeded):
            await router.route("x", route="r", deadline=30)


async def test_an_attempt_that_takes_too_long_gives_way() -> None:
    async with routing(Scripted("a", [Act(before=60)]), Scripted("b"), attempt_timeout=0.05) as router:
        answer = await router.route("x", route="r")
    assert answer.call is not None
    assert "0.05 s" in str(answer.call.attempts[0].error)
    assert answer.text.startswith("b#")


async def test_a_sick_target_is_left_alone_and_tried_again_later() -> None:
    sick = Scripted("a", [Act(error=ServerFault("down"))] * 2 + [Act()])
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=2, open_for=0.2))
    async with routing(sick, Scripted("b"), settings=settings) as router:
        for _ in range(6):
            await router.route("x", route="r")
        assert sick.plays == 2
        await anyio.sleep(0.25)
        assert (await router.route("x", route="r")).text.startswith("a#")


async def test_when_everybody_is_left_alone_the_reasons_are_given() -> None:
    sick = Scripted("a", [Act(error=ServerFault("down"))])
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1))
    async with routing(sick, settings=settings, retry=ONCE) as router:
        with pytest.raises(ServerFault):
            await router.route("x", route="r")
        with pytest.raises(NoTarget, match="circuit breaker open") as caught:
            await router.route("x", route="r")
    assert list(caught.value.reasons) == ["a"]


async def test_bad_requests_say_nothing_of_a_targets_health() -> None:
    from mlo.errors import InvalidRequest

    provider = Scripted("a", [Act(error=InvalidRequest("bad"))] * 5 + [Act()])
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=2))
    async with routing(provider, settings=settings) as router:
        for _ in range(5):
            with pytest.raises(InvalidRequest):
                await router.route("x", route="r")
        assert (await router.route("x", route="r")).text


@pytest.mark.parametrize(
    ("request_", "capability"),
    [
        (ChatRequest(messages=(Message.user("x"),), tools=(ToolDef(name="f"),)), Capability.TOOLS),
        (ChatRequest(messages=(Message.user("x"),), response_format=JsonSchema(schema={})), Capability.JSON_SCHEMA),
        (ChatRequest(messages=(Message.user([Text("x"), Image(data=b"x")]),)), Capability.VISION),
    ],
    ids=["tools", "schema", "image"],
)
async def test_a_request_goes_to_a_target_that_can_serve_it(request_: ChatRequest, capability: Capability) -> None:
    recorder, plain, able = Recorder(), Scripted("plain"), Scripted("able")
    async with routing(recorder=recorder, settings=Settings(observers=OBSERVED)) as router:
        router.add_provider("plain", plain, capabilities=[Capability.CHAT])
        router.add_provider("able", able, capabilities=[Capability.CHAT, capability])
        await router.route(request_)
        with pytest.raises(NoTarget, match=f"plain: lacks {capability}"):
            await router.route(request_, target="plain")
    assert (plain.plays, able.plays) == (0, 1)
    decided = recorder.of(RouteDecided)[0]
    assert isinstance(decided, RouteDecided)
    assert decided.rejected == {"plain": f"lacks {capability}"}


async def test_a_bug_in_a_provider_is_named_as_such_and_does_not_stop_the_call() -> None:
    class Buggy(Scripted):
        async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
            nothing: dict[str, ChatResponse] = {}
            return nothing["missing"]

    async with routing(Buggy("a"), Scripted("b")) as router:
        answer = await router.route("x", route="r")
        assert answer.call is not None
        error = answer.call.attempts[0].error
    assert isinstance(error, PluginFault)
    assert isinstance(error.__cause__, KeyError)
    assert "a bug in the plugin" in str(error)


class Misbehaving:
    def __init__(self, proposal: Callable[[Sequence[Target]], tuple[Target, ...]]) -> None:
        self.proposal = proposal

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        while True:
            yield Step(self.proposal(targets))


async def test_a_strategy_may_only_propose_what_it_was_given() -> None:
    async with routing(Scripted("a")) as router:
        await router.route("x", route="r")
        assert router._kernel is not None
        stranger = router._kernel.wiring.state("a").target
    async with routing(Scripted("b"), strategy=Misbehaving(lambda _targets: (stranger,))) as router:
        with pytest.raises(CallError, match="'a', which is not among the targets"):
            await router.route("x", route="r")


@pytest.mark.parametrize(
    ("proposal", "complaint"),
    [(tuple, "does not come to an end"), (lambda _targets: (), "a step without targets")],
    ids=["endless", "empty"],
)
async def test_a_strategy_must_come_to_an_end(
    proposal: Callable[[Sequence[Target]], tuple[Target, ...]], complaint: str
) -> None:
    failing = Scripted("a", [Act(error=ServerFault("down"))])
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1000))
    async with routing(failing, settings=settings, strategy=Misbehaving(proposal)) as router:
        with pytest.raises(CallError, match=complaint):
            await router.route("x", route="r")


async def test_a_strategy_may_be_asynchronous_and_learns_from_every_outcome() -> None:
    learnt: list[tuple[str, bool]] = []

    class Asynchronous:
        async def route(
            self, request: Request, targets: Sequence[Target], /
        ) -> AsyncGenerator[Step, Sequence[Outcome]]:
            for target in targets:
                await anyio.sleep(0)
                outcomes = yield Step((target,))
                learnt.extend((outcome.target.name, outcome.error is None) for outcome in outcomes)

    async with routing(
        Scripted("a", [Act(error=ServerFault("down"))]), Scripted("b"), strategy=Asynchronous()
    ) as router:
        await router.route("x", route="r")
    assert learnt == [("a", False), ("b", True)]


class Picky:
    """Wants an answer from ``b``."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        for target in targets:
            yield Step((target,), accept=lambda response: response.text.startswith("b"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_strategy_may_refuse_an_answer(*, stream: bool) -> None:
    async with routing(Scripted("a"), Scripted("b"), strategy=Picky()) as router:
        if stream:
            async with router.route_stream("x", route="r") as events:
                [event async for event in events]
                answer = events.response()
        else:
            answer = await router.route("x", route="r")
    assert answer.text == "b#1.0 b#1.1 "
    assert answer.call is not None
    assert isinstance(answer.call.attempts[0].error, AnswerRejected)


async def test_a_race_is_won_by_the_first_success_and_the_losers_are_cancelled() -> None:
    from tests.kernel.test_executor_laws import Hedge

    recorder = Recorder()
    slow, quick = Scripted("a", [Act(before=60)]), Scripted("b")
    async with routing(slow, quick, recorder=recorder, strategy=Hedge(0.02)) as router:
        answer = await router.route("x", route="r")
    assert (answer.text, slow.running) == ("b#1.0 b#1.1 ", 0)
    (lost,) = recorder.of(AttemptFailed)
    assert isinstance(lost, AttemptFailed)
    assert (lost.target, lost.cancelled) == ("a", True)


async def test_in_a_race_a_failure_starts_the_next_at_once() -> None:
    from tests.kernel.test_executor_laws import Hedge

    async with routing(Scripted("a", [Act(error=ServerFault("down"))]), Scripted("b"), strategy=Hedge(60.0)) as router:
        with anyio.fail_after(5):
            assert (await router.route("x", route="r")).text.startswith("b#")


async def test_concurrency_is_limited_per_instance() -> None:
    provider = Scripted("a", [Act(before=0.01)])
    async with routing(Scripted("b")) as router:
        router.add_provider("a", provider, concurrency=2)
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(lambda: router.route("x", target="a"))
    assert (provider.plays, provider.most_running) == (8, 2)


async def test_cancelling_a_call_is_recorded_and_frees_everything() -> None:
    recorder, provider = Recorder(), Scripted("a", [Act(before=60)])
    async with routing(provider, recorder=recorder) as router:
        with anyio.move_on_after(0.05):
            await router.route("x", route="r")
        assert provider.running == 0
    assert [getattr(record, "status", None) for record in recorder.records][-1] == "cancelled"


async def test_a_route_can_be_a_target_of_a_route() -> None:
    async with routing(Scripted("a", [Act(chunks=0, error=ServerFault("down"))]), Scripted("b"), retry=ONCE) as router:
        router.add_provider("c", Scripted("c"))
        router.add_route("both", ["route:r", "c"])
        answer = await router.route("x", route="both")
        assert answer.text.startswith("b#")
        async with router.route_stream("x", route="both") as stream:
            [event async for event in stream]
        assert stream.response().text.startswith("b#")
        assert (await router.embed("x", route="both")).vectors == ((1.0,),)
    assert answer.call is not None
    assert answer.call.target == "route:r"


async def test_a_failing_inner_route_fails_over_to_the_outer_routes_next_target() -> None:
    failing = [Scripted(name, [Act(error=ServerFault("down"))]) for name in "ab"]
    async with routing(*failing, retry=ONCE) as router:
        router.add_provider("c", Scripted("c"))
        router.add_route("both", ["route:r", "c"])
        answer = await router.route("x", route="both")
    assert answer.call is not None
    assert isinstance(answer.call.attempts[0].error, AttemptsExhausted)
    assert answer.text.startswith("c#")


async def test_embeddings_go_to_targets_that_make_them() -> None:
    class ChatOnly:
        async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
            raise AssertionError

        def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
            raise AssertionError

    async with routing() as router:
        router.add_provider("chat", ChatOnly())
        router.add_provider("both", Scripted("both"))
        found = await router.embed(["x", "yy"])
        again = await router.embed(EmbeddingRequest(texts=("zzz",)), target="both:m")
        with pytest.raises(NoTarget, match="lacks embeddings"):
            await router.embed("x", target="chat")
    assert found.vectors == ((1.0,), (2.0,))
    assert found.call is not None
    assert found.call.target == "both"
    assert again.model == "m"


async def test_models_and_health_of_all_providers_at_once() -> None:
    class Talkative(Scripted):
        async def models(self) -> list[ModelInfo]:
            return [ModelInfo(id="m1")]

        async def health(self) -> Health:
            return Health(healthy=True, load=0.5)

    class Sick(Scripted):
        async def models(self) -> list[ModelInfo]:
            raise ServerFault("down")

        async def health(self) -> Health:
            raise ServerFault("down")

    async with routing(Talkative("a"), Sick("b"), Scripted("c")) as router:
        await router.route("x", route="r")
        models, health = await router.models(), await router.health()
        assert list(await router.models("a")) == ["a"]
        with pytest.raises(ConfigError, match="there is no provider 'zz'"):
            await router.health("zz")
        assert router._kernel is not None
        assert router._kernel.wiring.state("a").load == 0.5
    assert [isinstance(each, MloError) for each in models.values()] == [False, True, True]
    assert models["a"] == (ModelInfo(id="m1", provider="a"),)
    assert [each.healthy for each in health.values()] == [True, False, None]
    assert (health["a"].latency or 0) > 0


async def test_wrong_options_of_one_target_do_not_stop_the_others() -> None:
    async with routing(Scripted("a"), recorder=(recorder := Recorder())) as router:
        router.add_provider("broken", use="no-such-plugin")
        router.add_route("mixed", ["broken", "a"])
        assert (await router.route("x", route="mixed")).text
        with pytest.raises(PluginNotFound, match="no-such-plugin"):
            await router.route("x", target="broken")
    decided = recorder.of(RouteDecided)[0]
    assert isinstance(decided, RouteDecided)
    assert "no-such-plugin" in decided.rejected["broken"]


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda router: router.route("x", route="rr"), "there is no route 'rr'.*did you mean 'r'"),
        (lambda router: router.route("x", target="b"), "there is no provider 'b'"),
        (lambda router: router.route("x", target="route:nope"), "there is no route 'nope'"),
        (lambda router: router.route("x", route="r", target="a"), "along a route or to a target, not both"),
        (lambda router: router.route([]), "there are no messages"),
    ],
    ids=["route", "target", "route-target", "both", "empty"],
)
async def test_wrong_questions_get_clear_answers(ask: Callable[[Router], object], complaint: str) -> None:
    async with routing(Scripted("a")) as router:
        with pytest.raises(ConfigError, match=complaint):
            await ask(router)  # type: ignore[misc]


async def test_wrong_set_up_gets_clear_answers() -> None:
    async with routing(Scripted("a")) as router:
        changes: list[tuple[Callable[[], None], str]] = [
            (lambda: router.add_provider("a"), "a provider of that name already"),
            (lambda: router.add_provider("x:y"), "colon"),
            (lambda: router.add_provider("z", auth={"key": "k"}), "`use` is missing"),
            (lambda: router.add_route("r", ["a"]), "a route of that name already"),
            (lambda: router.add_route("s", ["b"]), "there is no provider 'b'"),
            (lambda: router.add_route("s", ["route:q"]), "there is no route 'q'"),
            (lambda: router.add_provider("route"), "reserved"),
            (lambda: router.add_provider("n", concurrency=-1), "negative"),
            (lambda: router.add_route("s", ["a:"]), "names no model"),
            (lambda: router.add_route("s", ["a", "a"]), "listed twice"),
        ]
        for change, complaint in changes:
            with pytest.raises(ConfigError, match=complaint):
                change()


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"failover_on": ["Nope"]}, r"routes.s.failover_on: there is no provider error 'Nope'"),
        ({"failover_on": ["MloError"]}, "no provider error"),
        ({"deadline": nan}, r"routes.s.deadline: NaN"),
        ({"attempt_timeout": nan}, r"routes.s.attempt_timeout: NaN"),
    ],
)
async def test_wrong_limits_of_a_route_are_named_when_it_is_used(limits: dict[str, Any], complaint: str) -> None:
    async with routing(Scripted("a")) as router:
        router.add_route("s", ["a"], **limits)
        with pytest.raises(ConfigError, match=complaint):
            await router.route("x", route="s")


async def test_a_deadline_that_is_no_number_is_refused() -> None:
    async with routing(Scripted("a")) as router:
        with pytest.raises(ConfigError, match="deadline: NaN"):
            await router.route("x", deadline=nan)


@pytest.mark.parametrize("deadline", [0.0, -1.0, -inf])
async def test_a_deadline_that_has_passed_already_is_exceeded(deadline: float) -> None:
    async with routing(Scripted("a")) as router:
        with pytest.raises(DeadlineExceeded):
            await router.route("x", deadline=deadline)


async def test_a_call_does_not_pause_for_a_retry_that_the_budget_forbids() -> None:
    limited = Scripted("a", [Act(error=RateLimited("wait", retry_after=50.0))])
    settings = Settings(observers=OBSERVED, retry_reserve=0.0, retry_ratio=0.0)
    async with routing(limited, settings=settings, retry=RetrySettings(cap=60.0)) as router:
        with pytest.raises(RateLimited):
            await router.route("x", route="r")


async def test_a_bug_in_one_provider_does_not_take_the_answers_of_the_others_along() -> None:
    class Buggy(Scripted):
        async def models(self) -> list[ModelInfo]:
            nothing: Any = None
            return [*nothing]

        async def health(self) -> Health:
            nothing: Any = None
            return nothing  # type: ignore[no-any-return]

    async with routing(Buggy("a"), Scripted("b")) as router:
        models, health = await router.models(), await router.health()
    assert "a bug in the plugin" in str(models["a"])
    assert "a bug in the plugin" in health["a"].detail
    assert isinstance(models["b"], Unsupported)


async def test_a_router_must_be_open() -> None:
    router = Router()
    router.add_provider("a", Scripted("a"))
    with pytest.raises(MloError, match="async with"):
        await router.route("x")
    async with router:
        with pytest.raises(MloError, match="open already"):
            await router.__aenter__()
    async with router:
        assert (await router.route("x")).text


async def test_without_targets_there_is_no_answer() -> None:
    async with Router() as router:
        with pytest.raises(NoTarget, match="it has no targets"):
            await router.route("x")


async def test_errors_named_by_the_route_fail_over_although_they_are_fatal() -> None:
    from mlo.errors import AuthFailed

    refused = Scripted("a", [Act(error=AuthFailed("no"))])
    async with routing(refused, Scripted("b"), failover_on=["AuthFailed"]) as router:
        assert (await router.route("x", route="r")).text.startswith("b#")


async def test_attempts_are_numbered_within_the_call() -> None:
    recorder, provider = Recorder(), Scripted("b")
    async with routing(Scripted("a", [Act(error=ServerFault("down"))]), provider, recorder=recorder) as router:
        await router.route("x", route="r")
    numbers = [record.attempt for record in recorder.of(AttemptStarted) if isinstance(record, AttemptStarted)]
    assert numbers == [1, 2]
    assert provider.contexts[0].attempt == 2


async def test_errors_leave_the_routers_block_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Router():
            raise ZeroDivisionError


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_operators_price_makes_the_cost(*, stream: bool) -> None:
    price = Price(prompt=2_000_000_000, completion=4_000_000_000, cached=500_000_000)
    settings = Settings(providers={"m": ProviderSettings(use="mock", price=price, path="providers.m")})
    async with Router(settings) as router:
        if stream:
            async with router.route_stream("один два три") as events:
                usages = [event.usage async for event in events if isinstance(event, UsageReported)]
            usage = events.response().usage
            assert usages[-1] == usage
        else:
            usage = (await router.route("один два три")).usage
    assert usage.prompt_tokens is not None
    assert usage.completion_tokens is not None
    assert usage.cost == Money(2_000 * usage.prompt_tokens + 4_000 * usage.completion_tokens)


def test_a_cost_is_unknown_while_a_count_is() -> None:
    price = Price(prompt=1_000_000, completion=3_000_000, cached=0)
    assert Usage(prompt_tokens=3).priced(price).cost is None
    assert Usage(prompt_tokens=3, completion_tokens=1, cached_tokens=2).priced(price).cost == Money(4)
    assert str(Money(-1_500_000_000)) == "-1.500000000 RUB"


async def test_only_provider_errors_know_a_target() -> None:
    error = ProviderError("x")
    async with routing(Scripted("a", [Act(error=error)])) as router:
        with pytest.raises(ProviderError):
            await router.route("x", route="r")
    assert error.target == "a"
