"""The strategy that keeps a session with one target."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from hashlib import blake2b

from mlo.routing import Outcome, Request, Step, Target

from .options import RandomOptions, StickyOptions
from .rotation import RandomOrder

__all__ = ["Sticky"]


class Sticky:
    """Requests with the same value of one metadata key go to the same target, in every process and after a restart.

    This is rendezvous hashing: each target gets a score from its name and the value, and the order of scores is the
    order of fallbacks. A target that goes away moves only its own sessions. Without the key the order is random.
    """

    def __init__(self, options: StickyOptions | None = None) -> None:
        options = options or StickyOptions()
        self._key = options.by
        self._random = RandomOrder(RandomOptions(seed=options.seed))

    def route(self, request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        value = request.metadata.get(self._key)
        if value is None:
            return self._random.route(request, targets)
        return _by_score(value, targets)


def _by_score(value: str, targets: Sequence[Target]) -> Generator[Step, Sequence[Outcome], None]:
    for target in sorted(targets, key=lambda target: _score(value, target.name), reverse=True):
        yield Step((target,), probability=1.0)


def _score(value: str, name: str) -> bytes:
    text = f"{name}\0{value}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=8).digest()
