"""The chat model."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from mlo.requests import ReasoningEffort
from mlo.responses import ChatResponse
from mlo.router import Router

from .asking import CALL_FIELDS, Question, question_of, with_configurable
from .copying import memo_with, state_without_home
from .from_mlo import PROVIDER, chunk_of, last_chunk, result_of
from .homes import Home, Streamed, home_of, path_text
from .structured import structured
from .tools import ChoiceLike, choice_of

__all__ = ["MultiLLMOrchestrator"]

_log = logging.getLogger("mlo_langchain")
# what users of other chat models pass; here it is said elsewhere
_SAID_ELSEWHERE = {
    "api_key": "credentials stand in the providers' own settings",
    "max_retries": "retries stand in the route's settings",
}
_IDENTIFYING = sorted({*CALL_FIELDS, "config_file", "config_profile", "stop"})
_UNSET: tuple[Any, ...] = (None, {})


@cache
def _version() -> str:
    return version("mlo-langchain")


class MultiLLMOrchestrator(BaseChatModel):
    """A LangChain chat model over the routes of a router.

    ::

        model = MultiLLMOrchestrator(config_file="mlo.toml", route="default")
        print(model.invoke("Привет").text)

    The router is ``router``, or as ``config_file`` describes it (default: ``$MLO_CONFIG``, then ``mlo.toml`` in the
    current folder) with the profile ``config_profile``. Unless it is open already, it opens with the first call, in an
    event loop of its own, and closes when the last model over it is gone; see :meth:`close`. A router that is open
    belongs to the running loop: make the model there, and use its asynchronous methods.

    ``route``, ``target``, ``model`` and ``deadline`` (seconds; also ``timeout``) are those of
    :meth:`mlo.Router.route`; ``extra`` and ``request_metadata`` are the ``extra`` and ``metadata`` of a request. All of
    them and the sampling fields may also be given to a single call, the first four also as ``mlo_route``,
    ``mlo_target``, ``mlo_model`` and ``mlo_deadline`` in ``config["configurable"]``.

    Raises:
        ValueError: for unknown or contradictory fields.
        MloError: when the router is open in an event loop other than the running one.
    """

    model_config = ConfigDict(extra="forbid")

    router: Router | None = Field(default=None, exclude=True, repr=False)
    config_file: Annotated[str | os.PathLike[str] | None, BeforeValidator(path_text)] = None
    config_profile: str | None = None
    route: str | None = None
    target: str | None = None
    model: str | None = Field(default=None, validation_alias=AliasChoices("model", "model_name"))
    deadline: float | None = Field(default=None, validation_alias=AliasChoices("deadline", "timeout"))
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: list[str] | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning: ReasoningEffort | None = None
    streaming: bool = False
    extra: dict[str, Any] = Field(default_factory=dict)
    request_metadata: dict[str, str] = Field(default_factory=dict)

    _home: Home | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _drop_what_is_said_elsewhere(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name in _SAID_ELSEWHERE.keys() & values.keys():
            _log.warning("MultiLLMOrchestrator: %s is ignored: %s", name, _SAID_ELSEWHERE[name])
        return {name: value for name, value in values.items() if name not in _SAID_ELSEWHERE}

    @model_validator(mode="after")
    def _find_router(self) -> Self:
        if self.router is not None and (self.config_file is not None or self.config_profile is not None):
            raise ValueError("give either `router`, or `config_file` and `config_profile`")
        if self.router is not None and self.router.is_open:
            self._home = home_of(self.router, None, None)  # only now is the loop known that it is open in
        self._add_version("mlo-langchain", _version())
        return self

    def close(self) -> None:
        """Close the router, for all models that share it, and return at once; a later call opens it again.

        Calls under way may fail. A router that was given open stays open.
        """
        home, self._home = self._home, None
        if home is not None:
            home.close()

    def __getstate__(self) -> dict[Any, Any]:
        return state_without_home(super().__getstate__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return super().__deepcopy__(memo_with(memo, self.router, self._home))

    # LangChain's side

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        fields = self.__dict__  # asked for with each call
        return {name: fields[name] for name in _IDENTIFYING if fields[name] not in _UNSET}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Models are made of plain values; one over a router object says of itself that it cannot be restored."""
        return True

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """The model for LangChain's ``dumps``: which file and route, never what stands in the file."""
        return super().to_json() if self.router is None else self.to_json_not_implemented()

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The part of a cache's key that stands for the model."""
        # a router object is itself only within this process: nobody else may find its answers
        router = "" if self.router is None else f"{os.getpid()}:{id(self.router)}:{id(self.router.settings)}"
        told = {**self._get_invocation_params(stop=stop, **kwargs), "router": router}
        return str(sorted(told.items()))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        told = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        told["ls_provider"] = PROVIDER
        told.setdefault("ls_model_name", self.target or self.route or "default")
        return told

    # calls

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """See :class:`~langchain_core.runnables.Runnable`. Errors are those of :meth:`mlo.Router.route`."""
        return super().invoke(input, config, stop=stop, **with_configurable(config, kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """See :meth:`invoke`."""
        return await super().ainvoke(input, config, stop=stop, **with_configurable(config, kwargs))

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """See :class:`~langchain_core.runnables.Runnable`. Errors are those of :class:`mlo.Stream`."""
        return super().stream(input, config, stop=stop, **with_configurable(config, kwargs))

    def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """See :meth:`stream`."""
        return super().astream(input, config, stop=stop, **with_configurable(config, kwargs))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        return result_of(self._at_home().call(self._question(messages, stop, kwargs).ask))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        return result_of(await self._at_home().call_async(self._question(messages, stop, kwargs).ask))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with closing(self._at_home().stream(self._question(messages, stop, kwargs).stream)) as items:
            for item in items:
                if (chunk := _chunk(item)) is not None:
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._at_home().stream_async(self._question(messages, stop, kwargs).stream)) as items:
            async for item in items:
                if (chunk := _chunk(item)) is not None:
                    yield chunk

    def _question(self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]) -> Question:
        return question_of(self.__dict__, messages, self.stop if stop is None else stop, kwargs)

    def _at_home(self) -> Home:
        home = self._home
        if home is None or not home.usable:
            home = self._home = home_of(self.router, self.config_file, self.config_profile)
        return home

    # more than text

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: ChoiceLike = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools. ``tool_choice`` is a tool's name, ``"auto"``, ``"none"``, ``"any"`` or ``"required"``.

        ``kwargs`` are further arguments of each call.

        Raises:
            InvalidRequest: when ``tool_choice`` names a tool that is not there.
        """
        told = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice_of(tool_choice, [tool["function"]["name"] for tool in told if "function" in tool])
        return self.bind(tools=told, **({} if tool_choice is None else {"tool_choice": tool_choice}), **kwargs)

    def with_structured_output(  # type: ignore[override]  # the schema may be left out in JSON mode, as with OpenAI
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        method: Literal["function_calling", "json_schema", "json_mode"] = "function_calling",
        strict: bool | None = None,
    ) -> Runnable[LanguageModelInput, Any]:
        """This model with its answers read as ``schema``: a dictionary, or an instance of a Pydantic class.

        ``method`` is how the model is asked: by a tool that it has to call, by a JSON Schema that its answer has to
        fit, or for some JSON object whose fields the prompt describes. A target that cannot do it is passed over.
        With ``include_raw`` the result is a dictionary of ``raw``, ``parsed`` and ``parsing_error``.

        Raises:
            ValueError: for a method that is not known or does not go with the other arguments.
        """
        return structured(self, schema, method=method, strict=strict, include_raw=include_raw)


# LangChain asks for the signature of these two with every call; working it out anew costs more than the call itself
for _method in (MultiLLMOrchestrator._generate, MultiLLMOrchestrator._agenerate):  # noqa: SLF001 - our own
    setattr(_method, "__signature__", inspect.signature(_method))  # noqa: B010 - functions have no such field to mypy


def _chunk(item: Streamed) -> ChatGenerationChunk | None:
    return last_chunk(item) if isinstance(item, ChatResponse) else chunk_of(item)
