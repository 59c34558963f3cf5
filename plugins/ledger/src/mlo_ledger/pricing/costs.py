"""What a call costs: whole nano-units, no rounding but the one at the end."""

from __future__ import annotations

from mlo.models import Price

__all__ = ["cost_of"]


def cost_of(
    price: Price,
    *,
    prompt: int | None,
    completion: int | None,
    cached: int | None = None,
    tool: int | None = None,
    reasoning: int | None = None,
    operation: str = "chat",
) -> int | None:
    """The cost in nano-units of ``price.currency``, as :meth:`mlo.models.Price.cost` counts it; ``None`` if unknown.

    Counts are as in :class:`mlo.responses.Usage`: ``prompt`` includes ``cached`` and ``tool`` tokens, ``completion``
    includes ``reasoning``. The cost is unknown as long as ``prompt`` or ``completion`` is; embeddings have no
    completion, so that theirs may be missing.
    """
    if completion is None and operation == "embed":
        completion = 0
    if prompt is None or completion is None:
        return None
    parts = {"cached": cached or 0, "tool": tool or 0, "reasoning": reasoning or 0}
    return price.cost(
        prompt=max(0, prompt - parts["cached"] - parts["tool"]),
        completion=max(0, completion - parts["reasoning"]),
        **parts,
    ).nano
