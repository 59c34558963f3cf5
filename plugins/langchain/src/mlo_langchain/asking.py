"""What is asked of the router: the model's settings, the arguments of one call, and the messages, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from mlo.errors import InvalidRequest
from mlo.requests import ChatRequest, Sampling, TextFormat
from mlo.responses import ChatResponse
from mlo.router import Router
from mlo.stream import Stream

from .arguments import ALIASES, checked
from .to_mlo import messages_of
from .tools import choice_of, format_of, tool_of

__all__ = ["CALL_FIELDS", "CONFIGURABLE", "Question", "question_of", "with_configurable"]

_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
)
_WAY = ("route", "target", "model", "deadline")
CALL_FIELDS = frozenset({*_SAMPLING, *_WAY, "reasoning", "extra", "request_metadata"})
"""Settings of a model that an argument of one call overrides."""

CONFIGURABLE = {f"mlo_{name}": name for name in _WAY}
"""Keys of ``config["configurable"]``, and the argument that each one is."""

_ONE_CALL = frozenset({"tools", "tool_choice", "response_format", "parallel_tool_calls", "strict"})
_NOT_OURS = frozenset({"stream", "ls_structured_output_format"})  # LangChain's own, left among the arguments


@frozen(kw_only=True)
class Question:
    """A request and the way that it takes."""

    request: ChatRequest
    route: str | None = None
    target: str | None = None
    model: str | None = None
    deadline: float | None = None

    async def ask(self, router: Router) -> ChatResponse:
        """The whole answer."""
        return await router.route(
            self.request, route=self.route, target=self.target, model=self.model, deadline=self.deadline
        )

    def stream(self, router: Router) -> Stream:
        """The answer while it is written."""
        return router.route_stream(
            self.request, route=self.route, target=self.target, model=self.model, deadline=self.deadline
        )


def question_of(
    settings: Mapping[str, Any],
    messages: Sequence[BaseMessage],
    stop: Sequence[str] | None,
    arguments: Mapping[str, Any],
) -> Question:
    """The question; ``arguments`` go before the fields of the model, ``settings``.

    Raises:
        InvalidRequest: for an argument that is not known, or a message, tool or format that has no counterpart here.
    """
    if not ALIASES.keys().isdisjoint(arguments):
        arguments = {ALIASES.get(name, name): value for name, value in arguments.items()}
    if unknown := arguments.keys() - CALL_FIELDS - _ONE_CALL - _NOT_OURS:
        known = ", ".join(sorted(CALL_FIELDS | _ONE_CALL))
        names = ", ".join(sorted(unknown))
        raise InvalidRequest(f"unknown argument {names}: known are {known}; a vendor's own options go into `extra`")

    if not CALL_FIELDS.isdisjoint(arguments):
        arguments = checked(arguments)

    def chosen(name: str) -> Any:
        value = arguments.get(name)
        return settings.get(name) if value is None else value

    tools = tuple(tool_of(tool, f"tools[{index}]") for index, tool in enumerate(arguments.get("tools") or ()))
    request = ChatRequest(
        messages=messages_of(messages),
        tools=tools,
        tool_choice=choice_of(arguments.get("tool_choice"), [tool.name for tool in tools]),
        response_format=format_of(arguments.get("response_format"), strict=arguments.get("strict")) or TextFormat(),
        sampling=Sampling(stop=_stops(stop), **{name: chosen(name) for name in _SAMPLING}),
        reasoning=chosen("reasoning"),
        extra=_extra(settings, arguments),
        metadata=chosen("request_metadata") or {},
    )
    return Question(request=request, **{name: chosen(name) for name in _WAY})


def _stops(stop: Sequence[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if not all(isinstance(each, str) for each in stops):
        raise InvalidRequest("stop: give a list of texts")
    return stops


def _extra(settings: Mapping[str, Any], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = {**(settings.get("extra") or {}), **(arguments.get("extra") or {})}
    if arguments.get("parallel_tool_calls") is False:  # True is what every vendor does unasked
        extra["parallel_tool_calls"] = False
    return extra


def with_configurable(config: RunnableConfig | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, and what ``config["configurable"]`` says besides: of the call, or of the chain around it.

    Raises:
        InvalidRequest: for a key that begins like ours and is none.
    """
    told: dict[str, Any] = {}
    for each in (var_child_runnable_config.get(), config):
        if each and (configurable := each.get("configurable")):
            told |= configurable
    if not told:
        return arguments
    ours = {name: value for name, value in told.items() if name.startswith("mlo_")}
    if unknown := ours.keys() - CONFIGURABLE.keys():
        raise InvalidRequest(f"configurable: {', '.join(sorted(unknown))}: known are {', '.join(CONFIGURABLE)}")
    return {**{CONFIGURABLE[name]: value for name, value in ours.items()}, **arguments}
