"""Names of models: what a client may write, and where that leads. Policy, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from attrs import frozen

from mlo.errors import ConfigError
from mlo_gateway.contracts import GatewayError, Principal

__all__ = ["Destination", "Names", "allowed"]

_MOST_SHOWN = 100


@frozen(kw_only=True)
class Destination:
    """Where a name leads: along a route, or to a target without one."""

    name: str
    route: str | None = None
    target: str | None = None


class Names:
    """The names of one configuration.

    An alias goes before an instance, and an instance before a route of the same name; ``instance/model`` is a model of
    an instance. A route may be written ``route:NAME``, too.

    Raises:
        ConfigError: for an alias that leads nowhere.
    """

    def __init__(self, instances: Iterable[str], routes: Iterable[str], aliases: Mapping[str, str]) -> None:
        self._instances = frozenset(instances)
        self._known = {name: _route(name) for name in routes}
        self._known |= {f"route:{name}": destination for name, destination in self._known.items()}
        self._known |= {name: Destination(name=name, target=name) for name in sorted(self._instances)}
        found = {alias: self._found(name) for alias, name in aliases.items()}
        for alias, destination in found.items():
            if destination is None:
                raise ConfigError(
                    f"gateway.aliases.{alias}",
                    f"{aliases[alias]!r} is neither a provider instance, nor INSTANCE/MODEL, nor a route",
                    hint=f"known are {', '.join(sorted(self._known)) or 'none'}",
                )
            self._known[alias] = Destination(name=alias, route=destination.route, target=destination.target)
        self._listed = tuple(name for name in self._known if not name.startswith("route:"))

    def destination(self, name: str, principal: Principal) -> Destination:
        """Where ``name`` leads.

        Raises:
            GatewayError: 404 when there is no such name, and in the same words when the key may not use it.
        """
        found = self._found(name)
        if found is None or not allowed(principal, name):
            message = f"The model `{name[:_MOST_SHOWN]}` does not exist or you do not have access to it."
            raise GatewayError(404, "model_not_found", "invalid_request_error", message, param="model")
        return found

    def listed(self, principal: Principal) -> Iterator[str]:
        """The names that need no knowledge of a provider's models, as far as the key may use them."""
        return (name for name in self._listed if allowed(principal, name))

    def _found(self, name: str) -> Destination | None:
        found = self._known.get(name)
        if found is not None:
            return found
        instance, slash, model = name.partition("/")
        if slash and model and instance in self._instances:
            return Destination(name=name, target=f"{instance}:{model}")
        return None


def allowed(principal: Principal, name: str) -> bool:
    """Whether the key may use the model of that name."""
    patterns = principal.models
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)


def _route(name: str) -> Destination:
    return Destination(name=name, route=name)
