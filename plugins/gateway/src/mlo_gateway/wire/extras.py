"""What becomes of the fields of a request that have no place in the kernel's requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import Factory, field, frozen

from mlo_gateway.config import UnknownParameters

from .fields import surplus, unknown_parameter, unsupported

__all__ = ["Fields"]

# a plain "no" is what servers do anyway; that several tools may not be called at once is a wish at most elsewhere
_HARMLESS: tuple[Any, ...] = (None, False, [], {}, "")


@frozen(kw_only=True)
class Fields:
    """The fields of one endpoint.

    ``mapped`` become part of the kernel's request. ``idle`` change nothing about an answer (a hint for a cache, whose
    end user it is), and are not sent on. ``special`` OpenAI knows, but only a server that speaks the same language can
    serve: each has a test of whether a value asks for what every server does anyway. ``known`` are all of them.
    """

    mapped: frozenset[str]
    idle: frozenset[str] = frozenset()
    special: Mapping[str, Callable[[Any], bool]]
    known: frozenset[str] = field(
        init=False, default=Factory(lambda fields: fields.mapped | fields.idle | fields.special.keys(), takes_self=True)
    )

    def check(self, body: Mapping[str, Any], policy: UnknownParameters) -> None:
        """Refuse what nobody knows, if that is the policy.

        Raises:
            GatewayError: 400, naming the field.
        """
        if policy != "refuse":
            return
        for name in surplus(body, self.known):
            raise unknown_parameter(name, self.known)

    def kept(self, body: dict[str, Any], policy: UnknownParameters) -> dict[str, Any]:
        """The body for a provider of the same language: without what nobody knows, if it is to be dropped."""
        if policy != "drop":
            return body
        gone = set(surplus(body, self.known))
        return {name: value for name, value in body.items() if name not in gone} if gone else body

    def sent_on(self, body: Mapping[str, Any], policy: UnknownParameters) -> dict[str, Any]:
        """What a provider of another language is sent besides.

        Raises:
            GatewayError: 400, for a field that asks for something special, unless the policy lets it pass.
        """
        rest = surplus(body, self.mapped | self.idle)
        if not rest or policy == "drop":
            return {}
        extra = {}
        for name in rest:
            value = body[name]
            common = self.special.get(name)
            if common is not None and (value in _HARMLESS or common(value)):
                continue
            if common is not None and policy == "refuse":
                raise unsupported(name, f"'{name}' = {value!r:.40} is not supported by this model here.")
            extra[name] = value
        return extra
