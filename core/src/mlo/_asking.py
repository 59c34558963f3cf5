"""From what callers write to what the kernel runs: components, plans, requests, deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

import anyio
import attrs

from ._plan import RoutePlan
from ._wiring import Wiring
from .api import Embedder, Provider
from .errors import ConfigError
from .models import Capability
from .requests import ChatRequest, Prompt, RequestFields
from .settings import ComponentSettings

__all__ = ["abilities_of", "component_of", "deadline_of", "plan_of", "request_of"]


def component_of(table: Mapping[str, Any], path: str) -> ComponentSettings:
    """A plugin and its options from a table such as ``{"use": "bearer", "token": "env:TOKEN"}``."""
    options = dict(table)
    use = options.pop("use", None)
    if not isinstance(use, str):
        raise ConfigError(path, "`use` is missing", hint='name the plugin: {"use": "bearer", ...}')
    return ComponentSettings(use=use, options=options, path=path)


def abilities_of(provider: Provider) -> frozenset[Capability]:
    """What a provider object can do, as far as its methods tell."""
    everything = frozenset(Capability)
    return everything if isinstance(provider, Embedder) else everything - {Capability.EMBEDDINGS}


def plan_of(wiring: Wiring, route: str | None, target: str | None) -> tuple[RoutePlan, str | None]:
    """The route to take, and the model that the target names."""
    if target is None:
        return wiring.plan(route or "default"), None
    if route is not None:
        raise ConfigError("route", "a call goes along a route or to a target, not both", hint="leave one of them out")
    return wiring.plan_for(target)


def request_of(prompt: Prompt, model: str | None, fields: RequestFields) -> ChatRequest:
    """The request that the prompt and the fields beside it add up to."""
    request = ChatRequest.of(prompt)
    if not request.messages:
        raise ConfigError("prompt", "there are no messages", hint="give a text or at least one message")
    if model is not None:
        return attrs.evolve(request, model=model, **fields)
    return attrs.evolve(request, **fields) if fields else request


def deadline_of(plan: RoutePlan, seconds: float | None) -> float | None:
    """The shorter of the caller's and the route's limits, on the clock of :func:`anyio.current_time`.

    Raises:
        ConfigError: when the caller's is NaN.
    """
    limits = [limit for limit in (seconds, plan.deadline) if limit is not None]
    if not limits:
        return None
    if seconds is not None and isnan(seconds):
        raise ConfigError("deadline", "NaN is not a time", hint="give seconds, or None for no limit")
    return anyio.current_time() + min(limits)
