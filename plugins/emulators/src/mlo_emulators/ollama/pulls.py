"""Pulling a model: layers that arrive in steps, and go on where they stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio

from mlo_emulators.journal import Journal

from .catalogue import Model
from .options import Options
from .wire import Refused

__all__ = ["Downloads"]


class Downloads:
    """What has been downloaded so far, by digest."""

    def __init__(self, journal: Journal) -> None:
        self._done: dict[str, int] = {}
        self._journal = journal

    async def pull(self, model: Model | None, server: Options) -> AsyncGenerator[dict[str, Any], None]:
        """The progress of a pull; the last object is a success or an error.

        Raises:
            Refused: never before the first object; an unknown model is an error line, as on the real server.
        """
        yield {"status": "pulling manifest"}
        if model is None:
            yield {"error": "pull model manifest: file does not exist"}
            return
        for digest, total in _layers(model):
            async for progress in self._layer(digest, total, server):
                yield progress
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            yield {"status": status}

    async def _layer(self, digest: str, total: int, server: Options) -> AsyncGenerator[dict[str, Any], None]:
        started_at = self._done.get(digest, 0)
        step = max(1, total // max(1, server.pull_steps))
        while True:
            done = self._done.get(digest, 0)
            shown = {"completed": done} if done else {}  # a zero is left out, like everywhere
            yield {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total, **shown}
            if done >= total:
                return
            if server.pull_cut and started_at == 0 and done * 2 >= total:
                raise Refused(500, "max retries exceeded: EOF")
            await anyio.sleep(server.pull_delay)
            self._done[digest] = min(total, done + step)
            self._journal.count("pulled bytes", self._done[digest] - done)


def _layers(model: Model) -> tuple[tuple[str, int], ...]:
    return ((f"sha256:{model.digest}", model.size), (f"sha256:{model.digest[::-1]}", 1024))
