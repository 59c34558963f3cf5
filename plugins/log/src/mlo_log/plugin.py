"""What ``mlo-log`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from mlo.api import DoctorContext, Environment, Finding, Observer, ObserverSpec
from mlo.hookspecs import hookimpl

from .config import LogConfig

__all__ = ["mlo_api", "mlo_doctor", "mlo_observers"]

mlo_api = (1, 0)


def _open(config: LogConfig, environment: Environment) -> AbstractAsyncContextManager[Observer]:
    from .observer import open_log  # noqa: PLC0415 - loading a plugin must not import structlog

    return open_log(config, environment)


@hookimpl
def mlo_observers() -> Iterable[ObserverSpec[LogConfig]]:
    """The observer ``log``."""
    yield ObserverSpec(name="log", config=LogConfig, summary="One JSON line per call, failure and change", open=_open)


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Log files whose folder does not exist."""
    for instance in context.instances:
        config = instance.config
        if isinstance(config, LogConfig) and config.path is not None:
            folder = Path(config.path).absolute().parent
            if not folder.is_dir():
                yield Finding(
                    level="error",
                    message=f"the folder {str(folder)!r} does not exist, so no log can be written",
                    where=f"{instance.path}.path",
                    fix="make the folder, or choose another path",
                )
