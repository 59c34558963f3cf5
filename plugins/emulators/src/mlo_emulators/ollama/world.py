"""The state behind the routes."""

from __future__ import annotations

from typing import Any

from mlo_emulators.journal import Journal

from .catalogue import Model, with_tag
from .chat import Job
from .generation import Shape, generated, merged
from .options import Options
from .pulls import Downloads
from .reading import text_of
from .replies import Faults, Slow
from .scheduler import Scheduler
from .wire import Refused

__all__ = ["World"]


class World:
    """The state behind the routes. ``options`` may be replaced while the server runs."""

    def __init__(self, options: Options, journal: Journal) -> None:
        self.options = options
        self.journal = journal
        self.models: dict[str, Model] = {model.name: model for model in options.models}
        self.scheduler = Scheduler(journal)
        self.downloads = Downloads(journal)
        self.blobs: set[str] = set()

    def find(self, body: dict[str, Any]) -> tuple[str, Model]:
        """The model that a request names, and the name it used.

        Raises:
            Refused: 400 without a name, 404 for a model that is not there.
        """
        name = text_of(body, "model") or text_of(body, "name")
        if not name:
            raise Refused(400, "model is required")
        if any(character in name for character in " \t\n\\"):
            raise Refused(400, "invalid model name")
        model = self.models.get(with_tag(name))
        if model is None:
            old = self.options.old_not_found
            raise Refused(
                404, f'model "{name}" not found, try pulling it first' if old else f"model '{name}' not found"
            )
        return name, model

    def faults(self) -> Faults:
        """The faults of the generation that starts now; counts it."""
        self.journal.count("generations")
        first = self.options.fail_first
        if first is not None and self.journal["generations"] > first:
            return Faults()
        return Faults.of(self.options)

    def run(self, job: Job, shape: Shape) -> Slow:
        """An answer that is generated while it is sent."""
        return Slow(
            generated(job, self.options, self.scheduler, shape),
            merge=None if job.stream else lambda objects: merged(objects, shape),
            faults=self.faults(),
            wire_chunk=self.options.wire_chunk,
            journal=self.journal,
        )
