"""What the server's errors mean, and what to do about them. Pure: finding out more is the provider's business."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from attrs import evolve, frozen

from mlo.errors import (
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    ProtocolViolated,
    ProviderError,
    QuotaExhausted,
    ServerFault,
    TransportFailed,
    Unsupported,
)
from mlo_sdk.errors import ErrorRule, ErrorTable, Failure

from .names import similar

__all__ = [
    "ERRORS",
    "ability_in",
    "again",
    "context_advice",
    "missing_model",
    "names_model",
    "no_api",
    "no_server",
    "raise_as",
    "refused_host",
    "unable_model",
]

_NAMED = re.compile(r"model ['\"].*['\"] not found", re.IGNORECASE)
_RULES = (
    ErrorRule(ContextTooLong, code="exceed_context_size_error"),
    ErrorRule(
        ContextTooLong,
        message=r"exceeds? (the )?(available |maximum |max )?context|longer than the context|prompt too long",
    ),
    ErrorRule(Unsupported, message=r"does not support (chat|generate|thinking|tools|insert|vision|embed)"),
    ErrorRule(Unsupported, message=r"model does not support multimodal|only supports image generation"),
    ErrorRule(InvalidRequest, message=r'option ".*" must be|invalid (format|think|role|input type)|illegal base64'),
    ErrorRule(ModelNotFound, message=r"model ['\"].*['\"] not found|pull model manifest|file does not exist"),
    ErrorRule(QuotaExhausted, status=429, message=r"(hourly|daily|weekly|monthly|session) usage limit"),
    ErrorRule(TransportFailed, status=499),
    ErrorRule(ServerFault, status=500),
)


@frozen(kw_only=True)
class _Table(ErrorTable):
    """Looks into messages that are JSON themselves: newer servers pass on what their inner server said."""

    def error(self, failure: Failure) -> ProviderError:
        """The error for ``failure``."""
        return ErrorTable.error(self, _unwrapped(failure))


ERRORS = _Table(rules=_RULES)
"""The error table of the native API."""


def _unwrapped(failure: Failure) -> Failure:
    if not failure.message.startswith("{"):
        return failure
    try:
        inner = Failure.of_body(json.loads(failure.message))
    except ValueError:
        return failure
    code = _type_of(failure.message) or inner.code
    return evolve(failure, code=code, message=inner.message) if inner.message else failure


def _type_of(text: str) -> str | None:
    """The inner server's ``code`` is only a number again; its ``type`` says what happened."""
    found: Any = json.loads(text)
    error = found.get("error") if isinstance(found, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return kind if isinstance(kind, str) else None


def raise_as(told: ProviderError, error: ProviderError) -> NoReturn:
    """Raise ``told`` because of ``error``, which may be the same: nothing must be its own cause.

    Raises:
        ProviderError: ``told``.
    """
    if told is error:
        raise error
    raise told from error


def again(error: ProviderError, message: str) -> ProviderError:
    """The same error with another message; raise it from ``error``."""
    if isinstance(error, ProtocolViolated):
        return ProtocolViolated(message, sample=error.sample, status=error.status, request_id=error.request_id)
    return type(error)(
        message,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        retryable=error.retryable,
        failover=error.failover,
    )


def names_model(said: str) -> bool:
    """Whether a 404 is about a model, and not about the address."""
    return _NAMED.search(said) is not None


def no_api(url: str) -> str:
    """What to say when something else answers than Ollama."""
    return f"there is no Ollama API at {url}: check base_url (it has no /api or /v1 at its end)"


def missing_model(name: str, installed: Sequence[str] | None) -> str:
    """What to say about a model that is not there; ``installed`` is ``None`` if nobody could say."""
    said = f"Ollama has no model {name!r}: pull it with `mlo ollama pull {name}` (or `ollama pull {name}`)"
    if installed is None:
        return said
    near = similar(name, installed)
    if near:
        return f"{said}; similar and there: {', '.join(near)}"
    shown = ", ".join(installed[:5]) + (" …" if len(installed) > 5 else "")
    return f"{said}; there are: {shown}" if installed else f"{said}; no model has been pulled yet"


def unable_model(said: str, able: Sequence[str]) -> str:
    """What to say about a model that lacks an ability; ``able`` are pulled models that have it."""
    hint = f"models here that do: {', '.join(able[:5])}" if able else "no model that has been pulled does"
    return f"{said}; {hint}"


def ability_in(said: str) -> str:
    """The ability, in the server's words, that an error says a model lacks."""
    if "multimodal" in said:
        return "vision"
    word = said.rpartition(" support ")[2].split()[0].strip(".\"'")
    return {"chat": "completion", "generate": "completion"}.get(word, word)


def no_server(said: str, url: str) -> str:
    """What to say when nobody listens."""
    return f"{said} — no Ollama server at {url}: start it with `ollama serve`, or set base_url to where it runs"


def refused_host(url: str) -> str:
    """What to say about a 403 without a word: the guard of a server that is bound to its own machine."""
    return (
        f"the server at {url} refuses requests under this host name (it is bound to its own machine): "
        "use http://127.0.0.1:11434, or start it with OLLAMA_HOST=0.0.0.0"
    )


def context_advice(said: str, num_ctx: int | None, path: str, model: str) -> str:
    """What to say about a prompt that does not fit."""
    window = f"num_ctx is {num_ctx}" if num_ctx is not None else "num_ctx is not set"
    where = f"{path}.models.{json.dumps(model)}.num_ctx" if path else "num_ctx"
    return f"{said} ({window}: shorten the prompt, or raise {where}; a larger window takes more memory)"
