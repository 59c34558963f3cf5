"""A forced tool call where the API has no ``tool_choice``: the answer is constrained to the tool's schema instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlo.errors import InvalidRequest, ProtocolViolated
from mlo.messages import ToolCall, ToolDef
from mlo.requests import ChatRequest

__all__ = ["ForcedCall", "forced_call"]


@frozen(kw_only=True)
class ForcedCall:
    """How to ask for a call, and how to read it. ``name`` is ``None`` where the model chooses among several tools."""

    name: str | None
    schema: Mapping[str, Any]
    instruction: str

    def read(self, text: str, call_id: str) -> ToolCall:
        """The call that a constrained answer means.

        Raises:
            ProtocolViolated: when the answer was cut off, or does not fit its schema.
        """
        try:
            value = json.loads(text)
            name = self.name or value["name"]
            arguments = value if self.name else value["arguments"]
        except (ValueError, KeyError, TypeError) as error:
            raise ProtocolViolated("the forced tool call is not the JSON asked for", sample=text[:200]) from error
        return ToolCall(id=call_id, name=name, arguments=json.dumps(arguments, ensure_ascii=False))


def forced_call(request: ChatRequest) -> ForcedCall | None:
    """The call that the request's ``tool_choice`` forces; ``None`` if the model is free.

    Raises:
        InvalidRequest: when it names a tool that the request does not have.
    """
    choice = request.tool_choice
    if choice is None or choice.mode in {"auto", "none"}:
        return None
    tools = [tool for tool in request.tools if choice.name in {None, tool.name}]
    if not tools:
        raise InvalidRequest(f"tool_choice wants {choice.name or 'some tool'!r}, but the request has no such tool")
    if len(tools) == 1:
        return ForcedCall(
            name=tools[0].name,
            schema=dict(tools[0].parameters),
            instruction=f"Call the function {_described(tools[0])}. Answer only with its arguments as JSON.",
        )
    return _choice_of(tools)


def _choice_of(tools: list[ToolDef]) -> ForcedCall:
    shared: dict[str, Any] = {}
    branches: list[dict[str, Any]] = []
    for tool in tools:
        parameters = dict(tool.parameters)
        for keyword in ("$defs", "definitions"):  # references start at the root, so definitions must stand there
            shared.setdefault(keyword, {}).update(parameters.pop(keyword, {}))
        branches.append(
            {
                "type": "object",
                "properties": {"name": {"type": "string", "enum": [tool.name]}, "arguments": parameters},
                "required": ["name", "arguments"],
            }
        )
    listed = "; ".join(_described(tool) for tool in tools)
    return ForcedCall(
        name=None,
        schema={"anyOf": branches, **{keyword: found for keyword, found in shared.items() if found}},
        instruction=f"Call one of these functions: {listed}. Answer only with its name and arguments as JSON.",
    )


def _described(tool: ToolDef) -> str:
    return f"{tool.name} ({tool.description})" if tool.description else tool.name
