"""What v1 and v2 answers have in common: finish reasons, usage, calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import evolve, frozen

from mlo.errors import ProtocolViolated, ProviderError
from mlo.events import Event
from mlo.messages import ToolCall
from mlo.models import Price
from mlo.responses import FinishReason, Usage
from mlo_sdk.errors import Failure

from .callids import new_call_id
from .choices import Tools
from .errors import API_ERRORS
from .shortcut import TextShortcut
from .wire import Wire, as_int, as_mapping, as_text

__all__ = ["Reader", "Reading", "call_of", "counted", "decoded", "failure_of", "finish_of", "is_failure"]

_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "function_call": FinishReason.TOOL_CALLS,
    "blacklist": FinishReason.CONTENT_FILTER,
    "request_blacklist": FinishReason.CONTENT_FILTER,
    "request_whitelist": FinishReason.CONTENT_FILTER,
    "request_filter": FinishReason.CONTENT_FILTER,
    "response_blacklist": FinishReason.CONTENT_FILTER,
}
_SAMPLE = 200


@frozen(kw_only=True)
class Reading:
    """What one answer is read with: the request's tools, the model's price, the stop sequences to emulate."""

    tools: Tools = Tools()
    price: Price | None = None
    stop: tuple[str, ...] = ()
    request_id: str | None = None


class Reader(Protocol):
    """Turns the chunks of one stream into events."""

    @property
    def complete(self) -> bool:
        """Whether the answer is whole."""

    @property
    def ended(self) -> bool:
        """Whether nothing that follows can matter."""

    @property
    def shortcut(self) -> TextShortcut | None:
        """What reads chunks of nothing but text, if that is possible: their texts need no reading then."""

    def feed_text(self, data: str, event: str = "message", /) -> Sequence[Event]:
        """The events of one chunk, which came as ``data`` under the name ``event``.

        Raises:
            ProviderError: the failure that it is.
        """

    def done(self) -> None:
        """The server said ``[DONE]``."""

    def end(self) -> Sequence[Event]:
        """The events after the last chunk."""


def finish_of(reason: str) -> FinishReason:
    """A finish reason; ``error`` (the model wrote unusable arguments) and unknown ones are ``OTHER``."""
    return _FINISH.get(reason, FinishReason.OTHER)


def counted(prompt: int | None, cached: int | None, completion: int | None, price: Price | None) -> Usage:
    """Usage in the kernel's convention; ``prompt`` are the tokens *beside* the cached ones, as GigaChat counts.

    What the vendor does not say stays unknown; the cost is known when price and counts are.
    """
    whole = None if prompt is None else prompt + (cached or 0)
    total = None if whole is None or completion is None else whole + completion
    cost = None
    if price is not None and prompt is not None and completion is not None:
        cost = price.cost(prompt=prompt, completion=completion, cached=cached or 0)
    return Usage(prompt_tokens=whole, completion_tokens=completion, cached_tokens=cached, total_tokens=total, cost=cost)


def call_of(wire: Wire, state: object, reading: Reading) -> ToolCall:
    """A function call as a tool call with an id of its own.

    Raises:
        ProtocolViolated: for a call without a name.
    """
    name, arguments = as_text(wire.get("name")), wire.get("arguments")
    if not name:
        raise ProtocolViolated("a function call without a name", request_id=reading.request_id)
    if isinstance(arguments, dict):
        text = json.dumps(reading.tools.restored(name, arguments), ensure_ascii=False)
    else:
        text = as_text(arguments) or "{}"
    return ToolCall(id=new_call_id(as_text(state) or None), name=name, arguments=text)


def decoded(text: str, event: str, request_id: str | None) -> Wire:
    """One piece of a stream, which came under the name ``event``.

    Raises:
        ProviderError: the failure that it is; ``ProtocolViolated`` when it is not a JSON object.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ProtocolViolated("a chunk is not JSON", sample=text[:_SAMPLE], request_id=request_id) from error
    if not isinstance(data, dict):
        raise ProtocolViolated("a chunk is not a JSON object", sample=text[:_SAMPLE], request_id=request_id)
    if event == "error" or is_failure(data):
        raise failure_of(data, request_id)
    return data


def is_failure(data: Mapping[str, Any]) -> bool:
    """Whether a body that came with a status of success says that the call failed."""
    if data.get("error") or as_mapping(data.get("detail")):
        return True
    status = data.get("status")
    return isinstance(status, int) and status >= 400 and "message" in data


def failure_of(data: Wire, request_id: str | None) -> ProviderError:
    """The failure that :func:`is_failure` found, as the table of the API has it."""
    known = Failure.of_body(data)
    return API_ERRORS.error(evolve(known, status=as_int(data.get("status")), request_id=request_id))
