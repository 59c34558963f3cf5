"""The router that a command uses: the configured one, or a demo that says that it is one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from mlo import ConfigError, Router

from .options import UsageProblem
from .run import note
from .texts import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Aim", "Setup", "open_router"]

DEMO = "mock"
_DEMO_PACKAGE = "mlo_mock"


@frozen(kw_only=True)
class Setup:
    """Which configuration applies; ``None`` leaves it to ``MLO_CONFIG`` and ``MLO_PROFILE``."""

    config: Path | None = None
    profile: str | None = None


@frozen(kw_only=True)
class Aim:
    """Who is to answer, and within which time in seconds."""

    route: str | None = None
    target: str | None = None
    model: str | None = None
    deadline: float | None = None

    @classmethod
    def of(cls, *, route: str | None, target: str | None, model: str | None, deadline: float | None) -> Aim:
        """The aim that the options name.

        Raises:
            UsageProblem: when a route and a target are given: a target is asked directly, past all routes.
        """
        if route is not None and target is not None:
            raise UsageProblem(text("usage.route_and_target"))
        return cls(route=route, target=target, model=model, deadline=deadline)

    def arguments(self) -> Mapping[str, Any]:
        """The keyword arguments for a call of the router; what is not set is not passed."""
        values = {"route": self.route, "target": self.target, "model": self.model, "deadline": self.deadline}
        return {name: value for name, value in values.items() if value is not None}


def open_router(setup: Setup) -> Router:
    """A router, to be entered with ``async with``.

    Without any provider in the configuration it is a demo over the provider ``mock``, and standard error says so.

    Raises:
        ConfigError: when the configuration is wrong, or there is none and no ``mock`` either.
    """
    router = Router.from_file(None if setup.config is None else str(setup.config), profile=setup.profile)
    if not router.providers:
        if find_spec(_DEMO_PACKAGE) is None:
            raise ConfigError("providers", text("no_provider"), hint=text("no_provider.hint"))
        router.add_provider(DEMO, use=DEMO)
        note(text("demo"))
    return router
