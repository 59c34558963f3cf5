"""How ``mlo-gigachat`` is opened for the contract kit: against the emulator."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from attrs import frozen

from mlo.api import AuthSpec, Environment, Provider, ProviderSpec
from mlo.errors import AuthFailed, ModelNotFound, RateLimited, ServerFault, TransportFailed
from mlo_emulators.gigachat import Emulator, Options, create_app
from mlo_emulators.server import running
from mlo_sdk.testing import AuthContract, Failure, FixedAuth, LoneEnvironment, ProviderContract, offered

__all__ = ["Door", "TestOAuth", "TestPassword", "TestV1", "TestV2", "door"]

_TOKEN = FixedAuth()


@frozen
class Door:
    """A running emulator: its state, and where it is."""

    emulator: Emulator
    url: str

    @property
    def issued(self) -> int:
        """How often tokens have been asked for."""
        return self.emulator.journal["oauth requests"] + self.emulator.journal["password logins"]

    def refuse(self) -> None:
        """From now on, give out no tokens."""
        self.emulator.configure(key="another", password="another")  # noqa: S106 - made up

    def allow(self) -> None:
        """Give them out again."""
        self.emulator.configure()


@pytest.fixture(scope="module", name="door")
def door() -> Iterator[Door]:
    """One emulator for all."""
    app = create_app(Options(concurrency=0))
    with running(app) as server:
        yield Door(app.state.emulator, server.url)


class _GigaChat(ProviderContract):
    spec = offered(ProviderSpec, "gigachat")
    deterministic = True
    version = "v1"

    @pytest.fixture
    def environment(self) -> Environment:
        """A token that the emulator knows without having issued it."""
        return LoneEnvironment(scheme=_TOKEN)

    @pytest.fixture
    def table(self, door: Door) -> Mapping[str, Any]:
        """The emulator, word by word and with pauses."""
        self._emulator = door.emulator
        door.emulator.configure(access_token=_TOKEN.token.reveal(), words_per_chunk=1, trickle=0.001)
        return {"base_url": f"{door.url}/v1", "api": self.version}

    @pytest.fixture
    def failures(self, door: Door) -> Mapping[str, Failure]:
        """What the real service does on bad days."""
        told = partial(partial, door.emulator.configure, access_token=_TOKEN.token.reveal())
        other = partial(door.emulator.configure, access_token="another")  # noqa: S106 - made up
        return {
            "wrong token": Failure(error=AuthFailed, prepare=other),
            "no such model": Failure(error=ModelNotFound, table={"model": "GigaChat-9"}, prepare=told()),
            "too many calls": Failure(error=RateLimited, prepare=told(fail_first=9, fail_status=429)),
            "a web page": Failure(error=ServerFault, prepare=told(fail_first=9, fail_status=502)),
            "no answer": Failure(error=TransportFailed, prepare=told(drop_first=9)),
        }

    def open_connections(self, provider: Provider) -> int | None:  # noqa: ARG002 - the server knows as well
        """Calls under way at the emulator."""
        return self._emulator.accounts.busy


class TestV1(_GigaChat):
    """The first API."""


class TestV2(_GigaChat):
    """The second API."""

    version = "v2"


class TestOAuth(AuthContract):
    """Tokens for an authorization key."""

    spec = offered(AuthSpec, "gigachat-oauth")

    @pytest.fixture
    def issuer(self, door: Door) -> Door:
        """The emulator, as new."""
        door.allow()
        return door

    @pytest.fixture
    def table(self, issuer: Door) -> Mapping[str, Any]:
        """A key that nobody has used: tokens are shared by all who have the same one."""
        key = base64.b64encode(f"{uuid.uuid4()}:made-up-secret".encode()).decode()
        return {"key": key, "auth_url": f"{issuer.url}/api/v2/oauth"}


class TestPassword(AuthContract):
    """Tokens for user and password."""

    spec = offered(AuthSpec, "gigachat-password")

    @pytest.fixture
    def issuer(self, door: Door) -> Door:
        """The emulator, as new."""
        door.allow()
        return door

    @pytest.fixture
    def table(self, issuer: Door) -> Mapping[str, Any]:
        """A user that nobody has been."""
        return {"user": f"user-{uuid.uuid4()}", "password": "made-up-password", "base_url": f"{issuer.url}/v1"}
