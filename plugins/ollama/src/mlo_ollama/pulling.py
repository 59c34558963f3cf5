"""Pulling models: progress as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

__all__ = ["PullProgress", "progress_of"]


@frozen(kw_only=True)
class PullProgress:
    """One report. ``digest``, ``total`` and ``completed`` (bytes) belong to the layer under way, if there is one."""

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None

    @property
    def done(self) -> bool:
        """Whether the model is there now."""
        return self.status == "success"


def progress_of(line: Mapping[str, Any]) -> PullProgress:
    """A report from the wire; a layer without ``completed`` is at its beginning, because zeros are left out."""
    total = line.get("total")
    return PullProgress(
        status=str(line.get("status") or ""),
        digest=line.get("digest"),
        total=total,
        completed=None if total is None else line.get("completed") or 0,
    )
