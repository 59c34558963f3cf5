"""Credentials that never change."""

from __future__ import annotations

import base64

from mlo.api import Credentials
from mlo.errors import AuthFailed, ConfigError
from mlo.secret import Secret

__all__ = ["StaticAuth", "basic_header", "header_text"]


class StaticAuth:
    """An auth scheme of fixed headers."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._credentials = Credentials(headers=headers)

    async def credentials(self, stale: int | None = None) -> Credentials:
        """The headers.

        Raises:
            AuthFailed: when a server has rejected them: there are no others.
        """
        if stale is not None:
            raise AuthFailed("the server rejected the key, and a fixed key cannot be renewed")
        return self._credentials


def header_text(secret: Secret, path: str) -> str:
    """A secret as it may stand in a header: without the white space around it that files and pastes bring along.

    Raises:
        ConfigError: when nothing is left, or it holds what a header cannot.
    """
    text = secret.reveal().strip()
    if not text:
        raise ConfigError(path, "is empty", hint="is the variable or the file that it refers to filled?")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(path, "holds a space, a line break or a letter outside ASCII", hint="paste it again")
    return text


def basic_header(username: str, password: str) -> str:
    """The value of an ``Authorization`` header for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
