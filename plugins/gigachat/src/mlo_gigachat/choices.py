"""Sampling, tools and output format of a request in GigaChat's terms, the same for v1 and v2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import ToolChoice, ToolDef
from mlo.requests import ChatRequest, JsonObject, JsonSchema, Sampling

from .config import GigaChatConfig
from .schemas import Fitted, fitted

__all__ = ["LOWEST_TEMPERATURE", "Tools", "effort", "output_format", "sampling_fields", "tools_of"]

LOWEST_TEMPERATURE = 0.0001
"""What temperature 0 becomes: GigaChat wants it above 0, and below 0.001 its answers are deterministic."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_ANY_OBJECT = {"type": "object", "properties": {}}
_EFFORTS = frozenset({"low", "medium", "high"})


def sampling_fields(request: ChatRequest, config: GigaChatConfig) -> dict[str, Any]:
    """``temperature``, ``top_p``, ``max_tokens`` and ``repetition_penalty``, those that are set.

    Raises:
        InvalidRequest: for a value out of range.
        Unsupported: for a parameter that GigaChat does not have, unless the configuration emulates it.
    """
    sampling = request.sampling
    _refuse_absent(sampling, config)
    fields = {
        "temperature": _temperature(sampling, config),
        "top_p": _within("top_p", sampling.top_p, 0, 1),
        "max_tokens": _positive("max_tokens", sampling.max_tokens),
        "repetition_penalty": _positive("repetition_penalty", sampling.repetition_penalty),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _refuse_absent(sampling: Sampling, config: GigaChatConfig) -> None:
    for name in ("top_k", "frequency_penalty", "presence_penalty"):
        if getattr(sampling, name) is not None:
            raise Unsupported(f"GigaChat has no parameter {name!r}: leave it out, or use another provider")
    if sampling.stop and config.stop == "refuse":
        raise Unsupported("GigaChat has no stop sequences (stop = 'emulate' cuts the answer on this side)")
    if sampling.seed is not None and config.seed == "refuse":
        raise Unsupported("GigaChat has no seed (seed = 'deterministic' sends the lowest temperature instead)")


def _temperature(sampling: Sampling, config: GigaChatConfig) -> float | None:
    value = sampling.temperature
    if sampling.seed is not None and config.seed == "deterministic":
        return LOWEST_TEMPERATURE
    if value is None:
        return None
    if value < 0:
        raise InvalidRequest(f"temperature must not be negative, got {value:g}")
    return max(value, LOWEST_TEMPERATURE)


def _within(name: str, value: float | None, low: float, high: float) -> float | None:
    if value is not None and not low <= value <= high:
        raise InvalidRequest(f"{name} must be between {low:g} and {high:g}, got {value:g}")
    return value


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and value <= 0:
        raise InvalidRequest(f"{name} must be above 0, got {value:g}")
    return value


@frozen
class Tools:
    """The functions of a request. ``choice`` is ``auto``, ``none`` or a function's name; ``None`` without functions."""

    functions: tuple[Mapping[str, Any], ...] = ()
    builtins: tuple[str, ...] = ()
    choice: str | None = None
    fits: Mapping[str, Fitted] = field(factory=dict, repr=False)

    def restored(self, name: str, arguments: Any) -> Any:
        """The arguments of a call as the tool's own schema has them."""
        return self.fits[name].restored(arguments) if name in self.fits else arguments


_NO_TOOLS = Tools()


def tools_of(request: ChatRequest, config: GigaChatConfig) -> Tools:
    """The request's tools as functions.

    Raises:
        InvalidRequest: for a name that GigaChat does not take, or a choice of a tool that is not there.
        Unsupported: for a schema or a choice that GigaChat does not know.
    """
    if not request.tools and not config.functions and request.tool_choice is None:
        return _NO_TOOLS
    fits: dict[str, Fitted] = {}
    functions = []
    for tool in request.tools:
        if not _NAME.fullmatch(tool.name):
            rule = "Latin letters, digits, _, - and ., with a letter first"
            raise InvalidRequest(f"tools.{tool.name}: GigaChat takes names of {rule}")
        parameters: Mapping[str, Any] = tool.parameters
        if config.tool_schemas == "rewrite":
            fits[tool.name] = fitted(tool)
            parameters = fits[tool.name].parameters
        functions.append({"name": tool.name, "description": tool.description, "parameters": parameters})
    choice = _choice(request.tool_choice, request.tools)
    return Tools(tuple(functions), config.functions, choice, fits)


def _choice(choice: ToolChoice | None, tools: Sequence[ToolDef]) -> str:
    if choice is None or choice.mode == "auto":
        return "auto"
    if choice.mode == "none":
        return "none"
    if choice.mode == "named":
        if choice.name not in {tool.name for tool in tools}:
            raise InvalidRequest(f"tool_choice names {choice.name!r}, which is not among the tools")
        return str(choice.name)
    if len(tools) != 1:
        raise Unsupported("GigaChat cannot be forced to call any one of several tools: name one in tool_choice")
    return tools[0].name


def output_format(request: ChatRequest) -> dict[str, Any] | None:
    """``response_format``, flat as GigaChat has it; ``None`` for free text.

    Any JSON object is the schema of an object that requires nothing: so the model chooses its own fields.
    """
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        if not wanted.schema:
            raise InvalidRequest("response_format: the schema is empty")
        return {"type": "json_schema", "schema": wanted.schema, "strict": wanted.strict}
    if isinstance(wanted, JsonObject):
        return {"type": "json_schema", "schema": _ANY_OBJECT, "strict": False}
    return None


def effort(request: ChatRequest) -> str | None:
    """The reasoning effort to ask for; ``None`` leaves reasoning off."""
    return request.reasoning if request.reasoning in _EFFORTS else None
