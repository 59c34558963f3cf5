"""What a model can do, where it runs, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from attrs import field, frozen

__all__ = ["Capability", "ModelInfo", "Money", "Price", "Residency"]

_MILLION = 1_000_000


class Capability(StrEnum):
    """An ability that a request may need and a target may lack."""

    CHAT = "chat"
    STREAM = "stream"
    TOOLS = "tools"
    JSON_OBJECT = "json-object"
    JSON_SCHEMA = "json-schema"
    VISION = "vision"
    FILES = "files"
    REASONING = "reasoning"
    EMBEDDINGS = "embeddings"


@frozen(kw_only=True)
class Residency:
    """Where a prompt goes. ``None`` means that nobody has said, never "no".

    ``region`` is an ISO 3166-1 country code such as ``"RU"``; ``on_prem`` says that the prompt does not leave the
    operator's own machines; ``stores_prompts`` that the vendor keeps what it was sent.
    """

    region: str | None = None
    on_prem: bool | None = None
    stores_prompts: bool | None = None


@frozen
class Money:
    """An exact amount. ``nano`` counts billionths of the currency unit: 1 RUB is 1_000_000_000."""

    nano: int
    currency: str = "RUB"

    def __str__(self) -> str:
        sign = "-" if self.nano < 0 else ""
        whole, fraction = divmod(abs(self.nano), 1_000_000_000)
        return f"{sign}{whole}.{fraction:09d} {self.currency}"


@frozen(kw_only=True)
class Price:
    """Nano-units of ``currency`` per million tokens, and ``request`` nano-units per call.

    ``cached`` and ``tool`` tokens are parts of the prompt, ``reasoning`` tokens part of the completion; a kind without
    a price of its own is ``None`` and costs like the rest of that part. ``source`` says where the price is from,
    ``checked_on`` the day (ISO 8601) on which it was last compared with that.
    """

    prompt: int
    completion: int
    cached: int | None = None
    currency: str = "RUB"
    tool: int | None = None
    reasoning: int | None = None
    request: int = 0
    source: str | None = field(default=None, eq=False)
    checked_on: str | None = field(default=None, eq=False)

    def cost(self, *, prompt: int, completion: int, cached: int = 0, tool: int = 0, reasoning: int = 0) -> Money:
        """The price of one call, rounded half up to a nano-unit.

        ``prompt`` and ``completion`` count the tokens of no kind that is named beside them.
        """
        total = prompt * self.prompt + completion * self.completion
        total += cached * (self.prompt if self.cached is None else self.cached)
        total += tool * (self.prompt if self.tool is None else self.tool)
        total += reasoning * (self.completion if self.reasoning is None else self.reasoning)
        return Money((total + _MILLION // 2) // _MILLION + self.request, self.currency)


def _capabilities(capabilities: Iterable[Capability]) -> frozenset[Capability]:
    return frozenset(capabilities)


@frozen(kw_only=True)
class ModelInfo:
    """One model that a provider offers. What the provider does not say is ``None``."""

    id: str
    provider: str = ""
    capabilities: frozenset[Capability] = field(default=frozenset(), converter=_capabilities)
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    residency: Residency = Residency()
    price: Price | None = None
    owned_by: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
