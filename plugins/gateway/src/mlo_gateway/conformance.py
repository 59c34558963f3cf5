"""How the contract of observers is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from mlo_gateway.serving.hints import Hints
from mlo_sdk.testing import ObserverContract

__all__ = ["TestHints"]


class TestHints(ObserverContract):
    """The observer by which replicas tell each other of ill targets."""

    published = False  # the gateway puts it there itself
    (spec,) = Hints().mlo_observers()
