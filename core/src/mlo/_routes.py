"""Where targets lead: to provider instances that exist, and to routes that do not lead back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ._explain import near
from ._faults import Fault, dotted
from .settings import RouteSettings

__all__ = ["ROUTE_PREFIX", "parse_target", "route_faults"]

ROUTE_PREFIX = "route:"


def parse_target(target: str) -> tuple[str, str | None]:
    """``INSTANCE`` or ``INSTANCE:MODEL`` as a pair. A model may hold colons itself."""
    instance, colon, model = target.partition(":")
    return instance, (model if colon else None)


def route_faults(providers: Collection[str], routes: Mapping[str, RouteSettings]) -> list[Fault]:
    """What is wrong with the targets of all routes."""
    faults = [fault for name, route in routes.items() for fault in _target_faults(name, route, providers, routes)]
    if not faults:
        faults += _circles(routes)
    return faults


def _target_faults(
    name: str, route: RouteSettings, providers: Collection[str], routes: Mapping[str, RouteSettings]
) -> Iterator[Fault]:
    under = _where(name, route)
    if not route.targets:
        yield Fault(("targets",), "a route needs at least one target", under=under)
    for index, target in enumerate(route.targets):
        reason, hint = _wrong(target, providers, routes)
        if target in route.targets[:index]:
            reason, hint = f"the target {target!r} is listed twice", ""
        if reason:
            yield Fault(("targets", index), reason, hint, under)


def _wrong(target: str, providers: Collection[str], routes: Collection[str]) -> tuple[str, str]:
    """What is wrong with one target and what may help; both empty if nothing is."""
    instance, model = parse_target(target)
    if target.startswith(ROUTE_PREFIX):
        inner = target.removeprefix(ROUTE_PREFIX)
        return ("", "") if inner in routes else (f"unknown route {inner!r}", near(inner, routes))
    if instance not in providers:
        return f"unknown provider instance {instance!r}", near(instance, providers)
    if model is not None and not model.strip():
        return f"the target {target!r} names no model after the colon", "INSTANCE or INSTANCE:MODEL"
    return "", ""


def _where(name: str, route: RouteSettings) -> str:
    return route.path or dotted(("routes", name))


def _circles(routes: Mapping[str, RouteSettings]) -> Iterator[Fault]:
    """Each circle once, told where it begins."""
    done: set[str] = set()
    for start in routes:
        circle = _walk(start, routes, (), done)
        if circle:
            shown = " -> ".join(f"route:{name}" for name in circle)
            under = _where(circle[0], routes[circle[0]])
            yield Fault(("targets",), f"routes lead in a circle: {shown}", under=under)


def _walk(name: str, routes: Mapping[str, RouteSettings], trail: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    if name in trail:
        return (*trail[trail.index(name) :], name)
    if name in done:
        return ()
    for target in routes[name].targets:
        if target.startswith(ROUTE_PREFIX):
            circle = _walk(target.removeprefix(ROUTE_PREFIX), routes, (*trail, name), done)
            if circle:
                done.update(trail, (name,))
                return circle
    done.add(name)
    return ()
