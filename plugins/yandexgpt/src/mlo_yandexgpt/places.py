"""Which host serves what."""

from __future__ import annotations

from attrs import frozen

from .config import YandexConfig

__all__ = ["Hosts", "hosts"]

_NATIVE = "https://llm.api.cloud.yandex.net"
_COMPAT = "https://ai.api.cloud.yandex.net/v1"
_OPERATIONS = "https://operation.api.cloud.yandex.net"


@frozen(kw_only=True)
class Hosts:
    """Base URLs."""

    native: str
    compat: str
    operations: str


def hosts(config: YandexConfig) -> Hosts:
    """The hosts of the cloud; where only ``base_url`` is set, all that it stands for: an emulator or a gateway."""
    native = (config.base_url or _NATIVE).rstrip("/")
    moved = native != _NATIVE
    return Hosts(
        native=native,
        compat=config.openai_base_url or (f"{native}/v1" if moved else _COMPAT),
        operations=config.operations_url or (native if moved else _OPERATIONS),
    )
