from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve, frozen

from mlo_emulators.gigachat import Emulator
from mlo_gigachat.plugin import mlo_auth_schemes
from mlo_sdk.testing import AuthContract
from mlo_sdk.testing.auth import Issuer

from .conftest import new_key

OAUTH, PASSWORD = mlo_auth_schemes()


@frozen
class Counter:
    """The token endpoint of the emulator, as the contract wants to see it."""

    emulator: Emulator
    counted: str
    refusing: Mapping[str, Any]

    @property
    def issued(self) -> int:
        return self.emulator.journal[self.counted]

    def refuse(self) -> None:
        self.emulator.options = evolve(self.emulator.options, **self.refusing)

    def allow(self) -> None:
        self.emulator.options = evolve(self.emulator.options, oauth_down=False, password=None)


class TestOAuth(AuthContract):
    spec = OAUTH

    @pytest.fixture
    def table(self, url: str) -> Mapping[str, Any]:
        return {"key": new_key(), "auth_url": f"{url}/api/v2/oauth"}

    @pytest.fixture
    def issuer(self, emulator: Emulator) -> Issuer:
        return Counter(emulator, "oauth requests", {"oauth_down": True})


class TestPassword(AuthContract):
    spec = PASSWORD

    @pytest.fixture
    def table(self, url: str) -> Mapping[str, Any]:
        return {"user": new_key(), "password": "made-up-secret", "base_url": f"{url}/v1"}

    @pytest.fixture
    def issuer(self, emulator: Emulator) -> Issuer:
        return Counter(emulator, "password logins", {"password": "another"})
