"""Passing a client's bytes on to a provider that speaks the client's wire, and its answer's bytes back.

A :class:`RelayRequest` holds what a client sent in two forms: its bytes, for a target that can take them as they are,
and a chat request for every other one. Which of the two a call needs is settled at each attempt; routes, limits,
circuit breakers and accounting are the same for both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from attrs import field, frozen

from .responses import CallInfo, FinishReason, Usage

if TYPE_CHECKING:
    from .api import CallContext
    from .requests import ChatRequest

__all__ = ["Relay", "RelayRequest", "RelaySource", "RelaySummary", "Relayed"]

_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*"(?:[^"\\]|\\.)*"')
# the key in any spelling: each letter may be escaped
_MODEL_KEY = re.compile(rb'"(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])"[ \t\r\n]*:')
_OPENING = re.compile(rb"[ \t\r\n]*\{")


def _compact(document: object) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which the client escaped, too
        return json.dumps(document, separators=(",", ":")).encode()


@frozen(kw_only=True)
class RelayRequest:
    """A client's request as it came.

    ``wire`` names the protocol, such as ``openai.chat``. ``raw`` is the body, a JSON object, and ``document`` the same
    parsed; ``chat`` is what it means (see :meth:`mlo.requests.ChatRequest.deferred`). ``stream`` says whether the
    client wants the answer as it is written, ``wants_usage`` whether it asked for token counts in the stream: if not,
    those that only accounting wants are kept from it. ``encode`` writes a changed document.
    """

    wire: str
    raw: bytes = field(repr=lambda raw: f"<{len(raw)} bytes>")
    document: Mapping[str, Any] = field(repr=False)
    chat: ChatRequest = field(repr=False)
    stream: bool = False
    wants_usage: bool = False
    encode: Callable[[Any], bytes] = field(default=_compact, repr=False)

    def body(self, changes: Mapping[str, Any]) -> bytes:
        """The body with these fields in place of the client's: every other byte as it came, where that can be.

        A second ``model``, which a server might believe instead of the first, never goes through, nor does a ``Model``:
        some servers do not tell letters by their case.
        """
        document = self.document
        changed = {key: value for key, value in changes.items() if key not in document or document[key] != value}
        alike = [key for key in document if key.lower() == "model" and key != "model"]
        if alike or not self._has_one_model():
            return self.encode({key: value for key, value in {**document, **changed}.items() if key not in alike})
        if not changed:
            return self.raw
        return self._spliced(changed) or self.encode({**document, **changed})

    def _has_one_model(self) -> bool:
        """Whether the key that was parsed as the model is the only one that may be taken for it."""
        raw = self.raw
        if "model" not in self.document or (b"\\u" not in raw and raw.count(b'"model"') == 1):
            return True
        return len(_MODEL_KEY.findall(raw)) == 1

    def _spliced(self, changed: dict[str, Any]) -> bytes | None:
        """The bytes with a new model and further fields in front; ``None`` where only a parser can tell the places."""
        raw = self.raw
        opening = _OPENING.match(raw)
        added = {key: value for key, value in changed.items() if key not in self.document}
        replaced = changed.keys() - added.keys()
        if opening is None or not self.document or not replaced <= {"model"}:
            return None
        if replaced:
            found = _MODEL.search(raw)
            if found is None:
                return None
            raw = b"".join((raw[: found.start()], self.encode({"model": changed["model"]})[1:-1], raw[found.end() :]))
        if added:
            start = opening.end()
            raw = b"".join((raw[:start], self.encode(added)[1:-1], b",", raw[start:]))
        return raw


@frozen(kw_only=True)
class RelaySummary:
    """What accounting needs to know of an answer that was passed on; what is not cheap to know is ``None``.

    ``characters`` is how much text the model wrote, as far as it was counted.
    """

    usage: Usage = Usage()
    finish_reason: FinishReason | None = None
    model: str | None = None
    request_id: str | None = None
    characters: int = 0


@frozen(kw_only=True)
class Relayed:
    """A whole answer as the server sent it. ``call`` says how it came about: filled in by the kernel."""

    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    content_type: str = "application/json"
    status: int = 200
    summary: RelaySummary = RelaySummary()
    call: CallInfo | None = None


class RelaySource(Protocol):
    """A streamed answer as the server sends it. One reader; no cancel scope is open between two calls.

    ``is_bounded`` says that :meth:`receive` ends by the deadline of the attempt's context by itself, which spares the
    kernel a scope for each piece.
    """

    @property
    def is_bounded(self) -> bool:
        """Whether no call of :meth:`receive` lasts beyond the deadline."""

    @property
    def content_type(self) -> str:
        """The media type of the stream."""

    async def receive(self) -> bytes:
        """The next bytes for the client, whole frames if the wire has frames; none at the end.

        Raises:
            ProviderError: when the stream breaks, or ends before the answer does.
        """

    def summary(self) -> RelaySummary:
        """What is known so far; everything once :meth:`receive` has come to the end."""

    async def aclose(self) -> None:
        """Hang up. May be called at any time, and again."""


@runtime_checkable
class Relay(Protocol):
    """A provider that can also pass a client's bytes on.

    ``model`` is the model to ask for, ``None`` for the provider's own; the client's is not to be believed.
    """

    def relays(self, request: RelayRequest, /) -> bool:
        """Whether this server takes the request as it is; otherwise it is asked as ever. Asked at each attempt."""

    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        """The whole answer.

        Raises:
            ProviderError: one of its leaves, as ``generate`` does.
        """

    async def relay_stream(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> RelaySource:
        """The answer as it comes, once the server has accepted the request.

        Raises:
            ProviderError: one of its leaves, as ``generate_stream`` does before its first event.
        """
