"""The options of the provider and of its auth schemes, as ``mlo.toml`` has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from mlo.secret import Secret
from mlo_sdk.settings import HttpSettings
from mlo_sdk.tls import TlsConfig

__all__ = ["API_URL", "AUTH_URL", "SCOPES", "GigaChatConfig", "OAuthConfig", "PasswordConfig", "Scope"]

API_URL = "https://api.giga.chat/v1"
"""The current host. Earlier clients used ``https://gigachat.devices.sberbank.ru/api/v1``, which is to be retired."""

AUTH_URL = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"

Scope = Literal["GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP"]
SCOPES: tuple[Scope, ...] = ("GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP")
"""Individuals, companies that prepay, companies that pay as they go."""


_KEEP_ALIVE = 10.0  # the servers say `Keep-Alive: timeout=15`; who reuses a connection later may lose a call


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@frozen(kw_only=True)
class GigaChatConfig:
    """A GigaChat instance.

    ``api`` chooses the version of the chat API; files, embeddings and models are always version 1.
    ``client_id`` and ``session_id`` become the headers ``X-Client-ID`` (files belong to it) and ``X-Session-ID`` (a
    stable one makes the prompt cache hit more often); a request may override both.
    ``update_interval`` is the least time between chunks of a stream in seconds. ``functions`` are built-in functions
    that the model may use, such as ``text2image``.
    ``system_messages``: GigaChat takes one, the first. ``merge`` joins several into one, ``refuse`` raises.
    ``stop``: GigaChat has no stop sequences. ``emulate`` cuts the answer on this side, ``refuse`` raises.
    ``seed``: GigaChat has none. ``deterministic`` sends the lowest temperature instead, ``refuse`` raises.
    ``tool_schemas``: ``rewrite`` adapts JSON Schemas to what GigaChat accepts and raises where that would change their
    meaning; ``as-is`` sends them unchanged.
    ``tool_role`` is the role of function results in version 2.
    ``keep_uploads``: leave pictures that were uploaded for a request on the server; else they are deleted on closing.
    ``verify_ssl = false`` switches TLS verification off, and warns. ``tls.ca_sha256`` defaults to the published
    fingerprint of Russian Trusted Root CA.
    ``extra`` are further fields of every chat request.
    """

    base_url: str = API_URL
    api: Literal["v1", "v2"] = "v1"
    model: str = "GigaChat-2"
    embedding_model: str = "Embeddings"
    embedding_batch: int = 64
    client_id: str | None = None
    session_id: str | None = None
    update_interval: float | None = None
    profanity_check: bool | None = None
    functions: tuple[str, ...] = field(default=(), converter=_names)
    system_messages: Literal["merge", "refuse"] = "merge"
    stop: Literal["emulate", "refuse"] = "refuse"
    seed: Literal["deterministic", "refuse"] = "refuse"
    tool_schemas: Literal["rewrite", "as-is"] = "rewrite"
    tool_role: Literal["function", "tool"] = "function"
    keep_uploads: bool = False
    verify_ssl: bool = True
    tls: TlsConfig = TlsConfig()
    http: HttpSettings = HttpSettings(keep_alive=_KEEP_ALIVE)
    extra: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class OAuthConfig:
    """An authorization key (the base64 text from the account's page), exchanged for tokens that live 30 minutes.

    ``refresh_before`` is how many seconds before its end a token is renewed. TLS is set here as well as at the
    provider: the two servers are different ones.
    """

    key: Secret
    scope: Scope = "GIGACHAT_API_PERS"
    auth_url: str = AUTH_URL
    refresh_before: float = 60.0
    verify_ssl: bool = True
    tls: TlsConfig = TlsConfig()
    http: HttpSettings = HttpSettings()


@frozen(kw_only=True)
class PasswordConfig:
    """User and password, exchanged for tokens at ``{base_url}/token`` (``api.giga.chat`` does not offer that)."""

    user: str
    password: Secret
    base_url: str
    refresh_before: float = 60.0
    verify_ssl: bool = True
    tls: TlsConfig = TlsConfig()
    http: HttpSettings = HttpSettings()
