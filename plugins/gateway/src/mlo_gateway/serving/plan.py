"""The configuration of a gateway: what the file says, the command line's last word, and what neither has to say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs
from attrs import frozen

from mlo import Router
from mlo.errors import ConfigError
from mlo.settings import Settings, section
from mlo_gateway.config import GatewayConfig

from .certificates import check_certificate
from .config import ServeConfig
from .hints import with_hints
from .observing import with_demo, with_observers
from .places import data_folder, database_url

__all__ = ["Overrides", "Plan", "read_plan"]


@frozen(kw_only=True)
class Overrides:
    """What the command line says, and the configuration does not."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    auth: Literal["keys", "off"] | None = None

    def applied_to(self, config: GatewayConfig) -> GatewayConfig:
        """The configuration with the command line's last word."""
        serve = attrs.evolve(
            config.serve,
            host=config.serve.host if self.host is None else self.host,
            port=config.serve.port if self.port is None else self.port,
            workers=config.serve.workers if self.workers is None else self.workers,
        )
        return attrs.evolve(config, serve=serve, auth=self.auth or config.auth)


@frozen(kw_only=True)
class Plan:
    """The configuration, read and checked. ``demo`` says that the provider is made up."""

    settings: Settings
    config: GatewayConfig
    demo: bool


def read_plan(overrides: Overrides) -> Plan:
    """Read the configuration file that ``MLO_CONFIG`` and ``MLO_PROFILE`` name, and complete what it leaves out.

    Raises:
        ConfigError: when it is wrong, or asks for a gateway without keys that others can reach.
    """
    found = Router.from_file().settings
    config = overrides.applied_to(section(found, "gateway", GatewayConfig))
    if config.auth == "off" and not config.serve.is_local:
        hint = 'set host = "127.0.0.1", or auth = "keys"'
        reason = f"without keys anybody who reaches {config.serve.host} could use the gateway"
        raise ConfigError("gateway.auth", reason, hint=hint, source=found.source)
    config = attrs.evolve(config, serve=_with_paths(found, config.serve))
    check_certificate(config.serve)
    settings = with_hints(with_observers(with_demo(found), _ledger_options(found, config)))
    return Plan(settings=settings, config=config, demo=not found.providers)


def _with_paths(settings: Settings, serve: ServeConfig) -> ServeConfig:
    """The same with files looked for beside the configuration file."""
    if serve.tls_cert is None or serve.tls_key is None:
        return serve
    base = Path.cwd() if settings.source is None else Path(settings.source).absolute().parent
    return attrs.evolve(serve, tls_cert=str(base / serve.tls_cert), tls_key=str(base / serve.tls_key))


def _ledger_options(settings: Settings, config: GatewayConfig) -> dict[str, str]:
    """The options of the ledger where it is not configured."""
    # whatever begins like a reference is meant literally here
    url = database_url(settings, config).reveal()
    return {"url": f"literal:{url}", "journal": f"literal:{data_folder(settings, config) / 'journal'}"}
