"""Options of the auth schemes."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from mlo.secret import Secret
from mlo_sdk.settings import HttpSettings
from mlo_sdk.tls import TlsConfig

__all__ = ["ApiKeyConfig", "BasicConfig", "BearerConfig", "NoAuthConfig", "OAuth2Config"]


@frozen
class NoAuthConfig:
    """Nothing to set."""


@frozen
class BearerConfig:
    """``Authorization: Bearer TOKEN``."""

    token: Secret


@frozen(kw_only=True)
class ApiKeyConfig:
    """A key in a header of the vendor's choice; ``prefix`` stands before it, separated by a space."""

    key: Secret
    header: str = "X-API-Key"
    prefix: str = ""


@frozen(kw_only=True)
class BasicConfig:
    """HTTP Basic."""

    username: str
    password: Secret


@frozen(kw_only=True)
class OAuth2Config:
    """The client credentials grant of RFC 6749, section 4.4.

    ``client_auth`` says where id and secret go: into an HTTP Basic header (what the RFC prefers) or into the body.
    ``refresh_before`` is how many seconds before its end a token is renewed; ``extra`` are further form fields, such as
    ``audience``.
    """

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    client_auth: Literal["basic", "body"] = "basic"
    refresh_before: float = 60.0
    extra: dict[str, str] = field(factory=dict)
    http: HttpSettings = HttpSettings()
    tls: TlsConfig = TlsConfig()
