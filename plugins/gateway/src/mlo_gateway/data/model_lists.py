"""Which models the providers have, as they say themselves."""

from __future__ import annotations

from time import monotonic

import anyio

from mlo import Router
from mlo.models import ModelInfo

__all__ = ["ModelLists"]

_FRESH = 300.0
_PATIENCE = 5.0


class ModelLists:
    """What providers say which models they have, asked at most every five minutes and five seconds long.

    A provider that cannot say is left out: its name alone is a model, too.
    """

    def __init__(self) -> None:
        self._found: tuple[tuple[str, ModelInfo], ...] = ()
        self._asked = -_FRESH
        self._settings: object = None
        self._asking = anyio.Lock()

    async def of(self, router: Router) -> tuple[tuple[str, ModelInfo], ...]:
        """Pairs of an instance and a model of it."""
        async with self._asking:
            if monotonic() - self._asked > _FRESH or self._settings is not router.settings:
                found: tuple[tuple[str, ModelInfo], ...] = ()
                with anyio.move_on_after(_PATIENCE):
                    lists = await router.models()
                    found = tuple((name, model) for name, models in lists.items() for model in _listed(models))
                self._found, self._asked, self._settings = found, monotonic(), router.settings
            return self._found


def _listed(models: object) -> tuple[ModelInfo, ...]:
    return models if isinstance(models, tuple) else ()
