"""How ``mlo-yandexgpt`` is opened for the contract kit: against the emulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from attrs import frozen

from mlo.api import AuthSpec, Environment, ProviderSpec
from mlo.errors import ContextTooLong, InvalidRequest, Overloaded, QuotaExhausted, RateLimited
from mlo.models import Capability
from mlo_emulators.server import running
from mlo_emulators.yandexgpt import Options, World, create_app
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.testing import AuthContract, Failure, LoneEnvironment, ProviderContract, offered

__all__ = ["Cloud", "TestApiKey", "TestIam", "TestNative", "TestOpenWeights", "cloud", "running_cloud"]

_KNOWN = Options()
_OPTIONS = Options(frame_chars=4, gauge=None)
_KEY, _OAUTH = _KNOWN.api_keys[0], _KNOWN.oauth_tokens[0]


@frozen
class Cloud:
    """A running emulator: its state, and where it is."""

    world: World
    url: str

    @property
    def table(self) -> Mapping[str, Any]:
        """A provider of this cloud."""
        return {"folder_id": _KNOWN.folder_id, "base_url": self.url}

    @property
    def issued(self) -> int:
        """How often IAM has been asked for a token."""
        return self.world.journal["iam exchanges"]

    def refuse(self) -> None:
        """From now on, give out no tokens."""
        self.world.change(oauth_tokens=())

    def allow(self) -> None:
        """Give them out again."""
        self.world.change(oauth_tokens=(_OAUTH,))


@pytest.fixture(scope="module", name="running_cloud")
def running_cloud() -> Iterator[Cloud]:
    """One emulator for all."""
    app = create_app(_OPTIONS)
    with running(app) as server:
        yield Cloud(app.state.world, server.url)


@pytest.fixture(name="cloud")
def cloud(running_cloud: Cloud) -> Cloud:
    """The emulator, as new."""
    running_cloud.world.options = _OPTIONS
    return running_cloud


class _Yandex(ProviderContract):
    spec = offered(ProviderSpec, "yandexgpt")
    deterministic = True

    @pytest.fixture
    def table(self, cloud: Cloud) -> Mapping[str, Any]:
        """The emulator and its folder."""
        return cloud.table

    @pytest.fixture
    def environment(self) -> Environment:
        """A key that the emulator knows."""
        return LoneEnvironment(scheme=StaticAuth({"authorization": f"Api-Key {_KEY}"}))


class TestNative(_Yandex):
    """The vendor's own protocol."""

    @pytest.fixture
    def failures(self, cloud: Cloud) -> Mapping[str, Failure]:
        """What the real service does on bad days."""
        change = cloud.world.change
        return {
            "busy": Failure(error=Overloaded, prepare=lambda: change(status=503)),
            "gauge": Failure(error=RateLimited, prepare=lambda: change(status=None, gauge=0)),
            "hour": Failure(error=QuotaExhausted, prepare=lambda: change(gauge=None, generations_per_hour=0)),
            "empty": Failure(error=InvalidRequest, prompt="", prepare=lambda: change(generations_per_hour=None)),
            "long": Failure(error=ContextTooLong, prompt="я" * 100_001),
        }


class TestOpenWeights(_Yandex):
    """Models of others, which the vendor runs behind another protocol."""

    model = "qwen3-235b-a22b-fp8/latest"
    capabilities = frozenset({Capability.CHAT, Capability.STREAM, Capability.JSON_OBJECT, Capability.JSON_SCHEMA})


class TestApiKey(AuthContract):
    """A fixed key."""

    spec = offered(AuthSpec, "yandex-api-key")
    options: ClassVar[Mapping[str, Any]] = {"key": _KEY}


class TestIam(AuthContract):
    """Tokens of IAM."""

    spec = offered(AuthSpec, "yandex-iam")

    @pytest.fixture
    def issuer(self, cloud: Cloud) -> Cloud:
        """The emulator."""
        return cloud

    @pytest.fixture
    def table(self, cloud: Cloud) -> Mapping[str, Any]:
        """A user's token, exchanged at the emulator."""
        return {"oauth_token": _OAUTH, "iam_url": cloud.url}
