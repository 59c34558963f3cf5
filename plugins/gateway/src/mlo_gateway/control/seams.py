"""What the control plane works on. Light: FastAPI is loaded by what uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from attrs import field, frozen

from mlo.responses import Health
from mlo_gateway.accounts.config import ControlConfig
from mlo_gateway.accounts.keyring import KeyRing
from mlo_gateway.accounts.service import Accounts

__all__ = ["Control", "ModelSource", "Reloaded"]


class ModelSource(Protocol):
    """What the router tells about providers."""

    @property
    def providers(self) -> Mapping[str, object]:
        """The instances of the configuration, by name."""

    async def health(self, provider: str | None = None) -> Mapping[str, Health]:
        """How they are."""


class Reloaded(Protocol):
    """What a reload came to."""

    @property
    def error(self) -> str:
        """Why the old configuration stays."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """What needs a restart."""


@frozen(kw_only=True)
class Control:
    """What the control plane works on. Without ``reload`` the configuration cannot be read again by it."""

    accounts: Accounts = field(repr=False)
    ring: KeyRing = field(repr=False)
    router: ModelSource = field(repr=False)
    config: ControlConfig = ControlConfig()
    reload: Callable[[], Awaitable[Reloaded]] | None = None
