"""The auth schemes of the SDK keep the contract of auth schemes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from mlo_sdk.auth.plugin import mlo_auth_schemes
from mlo_sdk.testing import AuthContract, Issuer

SPECS = {spec.name: spec for spec in mlo_auth_schemes()}


class TokenServer(ThreadingHTTPServer):
    """Gives out tokens, counts how often it was asked, and refuses when told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), TokenHandler)
        self.issued = 0
        self.refusing = False

    def refuse(self) -> None:
        self.refusing = True

    def allow(self) -> None:
        self.refusing = False


class TokenHandler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.issued += 1
        body = {"error": "invalid_client"} if self.server.refusing else self.token()
        data = json.dumps(body).encode()
        self.send_response(401 if self.server.refusing else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def token(self) -> dict[str, object]:
        return {"access_token": f"made-up-token-{self.server.issued}", "token_type": "bearer", "expires_in": 1800}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        pass


class TestNone(AuthContract):
    spec = SPECS["none"]
    anonymous = True


class TestBearer(AuthContract):
    spec = SPECS["bearer"]
    options: ClassVar = {"token": "made-up-token-1"}


class TestApiKey(AuthContract):
    spec = SPECS["api-key"]
    options: ClassVar = {"key": "made-up-key-1", "header": "Authorization", "prefix": "Api-Key"}


class TestBasic(AuthContract):
    spec = SPECS["basic"]
    options: ClassVar = {"username": "somebody", "password": "made-up-password"}


class TestOAuth2(AuthContract):
    spec = SPECS["oauth2-client-credentials"]

    @pytest.fixture
    def issuer(self) -> Iterator[Issuer]:
        with TokenServer() as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    @pytest.fixture
    def table(self, issuer: TokenServer) -> Mapping[str, Any]:
        return {
            "token_url": f"http://127.0.0.1:{issuer.server_port}/token",
            "client_id": "somebody",
            "client_secret": "made-up-secret",
        }


def test_checks_that_do_not_apply_are_named() -> None:
    assert TestOAuth2.switched_off == {
        "test_fixed_credentials_that_are_rejected_cannot_be_renewed": "needs fixed credentials"
    }
    assert "test_many_who_wait_share_one_renewal" in TestBearer.switched_off
