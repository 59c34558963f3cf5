"""Authentication: ready-made schemes, and the token source that vendor plugins build theirs on."""

from __future__ import annotations

from .config import ApiKeyConfig, BasicConfig, BearerConfig, NoAuthConfig, OAuth2Config
from .tokens import TokenCell, TokenSource, shared_cell

__all__ = [
    "ApiKeyConfig",
    "BasicConfig",
    "BearerConfig",
    "NoAuthConfig",
    "OAuth2Config",
    "TokenCell",
    "TokenSource",
    "shared_cell",
]
