"""Toolkit for writing plugins: HTTP, stream parsers, authentication, TLS, and the wire of OpenAI-compatible servers.

Importing this package loads nothing: each public name is imported from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .auth.oauth2 import TOKEN_ERRORS as TOKEN_ERRORS
    from .auth.static import StaticAuth as StaticAuth
    from .auth.tokens import TokenCell as TokenCell
    from .auth.tokens import TokenSource as TokenSource
    from .auth.tokens import shared_cell as shared_cell
    from .errors import ErrorRule as ErrorRule
    from .errors import ErrorTable as ErrorTable
    from .errors import Failure as Failure
    from .http import HttpClient as HttpClient
    from .ndjson import NdjsonParser as NdjsonParser
    from .provider import BaseProvider as BaseProvider
    from .replies import JsonReply as JsonReply
    from .replies import StreamReply as StreamReply
    from .settings import HttpSettings as HttpSettings
    from .settings import Timeouts as Timeouts
    from .sse import SseEvent as SseEvent
    from .sse import SseParser as SseParser
    from .tls import InsecureTransport as InsecureTransport
    from .tls import TlsConfig as TlsConfig

_HOMES = {
    "BaseProvider": "provider",
    "ErrorRule": "errors",
    "ErrorTable": "errors",
    "Failure": "errors",
    "HttpClient": "http",
    "HttpSettings": "settings",
    "InsecureTransport": "tls",
    "JsonReply": "replies",
    "NdjsonParser": "ndjson",
    "SseEvent": "sse",
    "SseParser": "sse",
    "StaticAuth": "auth.static",
    "StreamReply": "replies",
    "TOKEN_ERRORS": "auth.oauth2",
    "Timeouts": "settings",
    "TlsConfig": "tls",
    "TokenCell": "auth.tokens",
    "TokenSource": "auth.tokens",
    "shared_cell": "auth.tokens",
}

__all__ = [
    "TOKEN_ERRORS",
    "BaseProvider",
    "ErrorRule",
    "ErrorTable",
    "Failure",
    "HttpClient",
    "HttpSettings",
    "InsecureTransport",
    "JsonReply",
    "NdjsonParser",
    "SseEvent",
    "SseParser",
    "StaticAuth",
    "StreamReply",
    "Timeouts",
    "TlsConfig",
    "TokenCell",
    "TokenSource",
    "shared_cell",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 - not before a name is used

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
