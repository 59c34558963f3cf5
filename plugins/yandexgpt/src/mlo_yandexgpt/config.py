"""Options of the provider and of its auth schemes."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from mlo.secret import Secret
from mlo_sdk.settings import HttpSettings, Timeouts
from mlo_sdk.tls import TlsConfig

__all__ = ["YandexApiKeyConfig", "YandexConfig", "YandexIamConfig"]

_GENERATION = HttpSettings(timeouts=Timeouts(first_byte=180.0))  # the vendor's own client waits that long


@frozen(kw_only=True)
class YandexConfig:
    """A YandexGPT account.

    ``folder_id`` is the cloud folder's id (``b1g…``); only a ``model`` that is a whole URI can do without.
    ``model`` is a name (``yandexgpt``), a name and branch (``yandexgpt/rc``, ``yandexgpt-lite/latest@SUFFIX``), or a
    URI (``gpt://FOLDER/yandexgpt/latest``). ``api`` chooses the wire: ``auto`` takes the native one for Yandex's own
    models and the OpenAI-compatible one for the others.

    ``base_url`` replaces the vendor's hosts, for an emulator or a gateway: the OpenAI-compatible side is then expected
    under ``/v1`` and operations under ``/operations`` of it, unless ``openai_base_url`` or ``operations_url`` say else.

    ``data_logging`` lets the vendor keep what it is sent. ``user_account`` says that the IAM token is a person's and
    not a service account's: such tokens need the folder in a header.

    ``mode = "async"`` generates at half the price, in seconds to hours; ``poll_first`` and ``poll_max`` are the
    shortest and the longest pause between two looks, in seconds.

    ``on_rewrite`` is what happens when the model takes back text that it has already streamed: an error, or, with
    ``buffer``, no text before all of it is final. ``stop = "client"`` cuts the answer at stop sequences on this side,
    since the vendor has none. ``embeddings_per_second`` is the quota that embeddings are paced to.
    """

    folder_id: str = ""
    model: str = "yandexgpt"
    api: Literal["auto", "native", "openai"] = "auto"
    mode: Literal["sync", "async"] = "sync"
    base_url: str | None = None
    openai_base_url: str | None = None
    operations_url: str | None = None
    document_model: str = "text-search-doc"
    query_model: str = "text-search-query"
    embeddings_per_second: int = 10
    data_logging: bool = False
    user_account: bool = False
    on_rewrite: Literal["error", "buffer"] = "error"
    stop: Literal["refuse", "client"] = "refuse"
    poll_first: float = 1.0
    poll_max: float = 15.0
    http: HttpSettings = _GENERATION
    tls: TlsConfig = TlsConfig()


@frozen
class YandexApiKeyConfig:
    """``Authorization: Api-Key KEY``; the key is the secret part, which the console shows once."""

    key: Secret


@frozen(kw_only=True)
class YandexIamConfig:
    """IAM tokens from exactly one source.

    ``token`` is a token as it is; ``oauth_token`` a person's OAuth token (``y0_…``); ``key_file`` the path of a service
    account's authorised key, ``key`` its JSON text; ``metadata`` asks the service of a virtual machine.
    A token is renewed every ``refresh_after`` seconds: it may live for 12 hours, and the vendor advises one an hour.
    """

    token: Secret | None = None
    oauth_token: Secret | None = None
    key_file: str | None = None
    key: Secret | None = None
    metadata: bool = False
    iam_url: str = "https://iam.api.cloud.yandex.net"
    metadata_url: str = "http://169.254.169.254"
    refresh_after: float = 3600.0
    http: HttpSettings = field(default=HttpSettings())
    tls: TlsConfig = TlsConfig()
