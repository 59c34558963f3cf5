"""The table ``[gateway]`` of ``mlo.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import Attribute, field, frozen

from mlo.secret import Secret

from .accounts.config import AccountsConfig, ControlConfig, PlanConfig
from .limits.config import AdmissionConfig, LimitsConfig
from .serving.config import ServeConfig

__all__ = ["DataConfig", "GatewayConfig", "UnknownParameters"]

UnknownParameters: TypeAlias = Literal["refuse", "pass", "drop"]


def _positive(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be > 0, got {value!r}")


@frozen(kw_only=True)
class DataConfig:
    """``[gateway.data]``: what the data plane takes from clients.

    ``unknown_parameters`` says what becomes of fields of a request that the gateway does not know: ``refuse`` them with
    an error, ``pass`` them to the provider, or ``drop`` them. ``body_limit`` is in bytes, ``depth_limit`` in levels of
    nested JSON. ``body_timeout`` is how many seconds a body may take to arrive, ``send_timeout`` how many a client may
    leave a piece of an answer unread. ``deadline`` bounds everything from the first byte of a request to the last one
    of its answer; a route may have a shorter one.

    Raises:
        ValueError: when a limit is not positive.
    """

    unknown_parameters: UnknownParameters = "refuse"
    body_limit: int = field(default=20 * 1024 * 1024, validator=_positive)
    depth_limit: int = field(default=64, validator=_positive)
    body_timeout: float = field(default=30.0, validator=_positive)
    send_timeout: float = field(default=60.0, validator=_positive)
    deadline: float = field(default=600.0, validator=_positive)


@frozen(kw_only=True)
class GatewayConfig:
    """``[gateway]``.

    ``auth`` is ``keys``, or ``off`` for a gateway that nobody but this machine can reach. ``aliases`` are further names
    of models: each stands for an instance, ``instance/model`` or a route. ``folder`` is where the gateway keeps what
    it writes, ``database`` the URL of accounts and ledger; see :mod:`mlo_gateway.serving.places` for the defaults.
    """

    auth: Literal["keys", "off"] = "keys"
    aliases: Mapping[str, str] = field(factory=dict)
    folder: str | None = None
    database: Secret | None = None
    data: DataConfig = DataConfig()
    accounts: AccountsConfig = AccountsConfig()
    control: ControlConfig = ControlConfig()
    plans: Mapping[str, PlanConfig] = field(factory=dict)
    limits: LimitsConfig = LimitsConfig()
    admission: AdmissionConfig = AdmissionConfig()
    serve: ServeConfig = ServeConfig()
