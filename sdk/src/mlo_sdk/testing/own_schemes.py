"""How the auth schemes of the SDK keep their contract: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from mlo_sdk.auth.plugin import mlo_auth_schemes

from .auth import AuthContract

__all__ = ["TestApiKey", "TestBasic", "TestBearer", "TestNone", "TestOAuth2", "TokenServer", "token_server"]

_SPECS = {spec.name: spec for spec in mlo_auth_schemes()}


class TokenServer(ThreadingHTTPServer):
    """Gives out tokens, counts how often it was asked, and refuses when told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issued = 0
        self.refusing = False

    def refuse(self) -> None:
        """From now on, give out no tokens."""
        self.refusing = True

    def allow(self) -> None:
        """Give them out again."""
        self.refusing = False


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.issued += 1
        body = {"error": "invalid_client"} if self.server.refusing else self._token()
        data = json.dumps(body).encode()
        self.send_response(401 if self.server.refusing else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _token(self) -> dict[str, object]:
        return {"access_token": f"made-up-token-{self.server.issued}", "token_type": "bearer", "expires_in": 1800}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        pass


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """A token endpoint on this machine."""
    with TokenServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class TestNone(AuthContract):
    """No credentials."""

    spec = _SPECS["none"]
    anonymous = True


class TestBearer(AuthContract):
    """A fixed token."""

    spec = _SPECS["bearer"]
    options: ClassVar = {"token": "made-up-token-1"}


class TestApiKey(AuthContract):
    """A key in a header of its own."""

    spec = _SPECS["api-key"]
    options: ClassVar = {"key": "made-up-key-1", "header": "Authorization", "prefix": "Api-Key"}


class TestBasic(AuthContract):
    """A user and a password."""

    spec = _SPECS["basic"]
    options: ClassVar = {"username": "somebody", "password": "made-up-password"}


class TestOAuth2(AuthContract):
    """Tokens of a server, renewed in time."""

    spec = _SPECS["oauth2-client-credentials"]

    @pytest.fixture
    def issuer(self) -> Iterator[TokenServer]:
        """The token endpoint."""
        with token_server() as server:
            yield server

    @pytest.fixture
    def table(self, issuer: TokenServer) -> Mapping[str, Any]:
        """A client of that endpoint."""
        return {
            "token_url": f"http://127.0.0.1:{issuer.server_port}/token",
            "client_id": "somebody",
            "client_secret": "made-up-secret",
        }
