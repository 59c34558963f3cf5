"""Arguments of one call, read as the fields of a model are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mlo.errors import InvalidRequest
from mlo.requests import ReasoningEffort

__all__ = ["ALIASES", "checked"]

ALIASES = {"timeout": "deadline", "model_name": "model"}
"""Names that other chat models have for our arguments."""


class _Arguments(BaseModel):
    route: str | None = None
    target: str | None = None
    model: str | None = None
    deadline: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning: ReasoningEffort | None = None
    extra: dict[str, Any] | None = None
    request_metadata: dict[str, str] | None = None


def checked(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments, converted as fields of a model would be; those that are no fields stay as they are.

    Raises:
        InvalidRequest: for values of the wrong kind; names the arguments, without repeating what they held.
    """
    try:
        told = _Arguments.model_validate(arguments)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
        raise InvalidRequest(f"arguments of the call: {wrong}") from None  # the cause would repeat the values
    return {**arguments, **{name: getattr(told, name) for name in told.model_fields_set}}
