"""One installation, two profiles: each loads its own plugins, and what it denies is not even imported."""

from __future__ import annotations

import json

import pytest

from tests.packaging.conftest import Install, Installation

pytestmark = pytest.mark.timeout(120)

_SETTINGS = """
[mlo]
profile = "dev"

[profiles.dev.plugins]
allow = ["mock", "first-available"]

[profiles.dev.providers.main]
use = "mock"

[profiles.prod.plugins]
deny = ["mock"]

[profiles.prod.providers.main]
use = "openai-compat"
base_url = "http://127.0.0.1:9/v1"
model = "any"
"""
# asks the provider `main`, whichever it is, and tells which packages of ours that took
_ASK = """
import json, sys
from mlo import BlockingRouter, MloError
try:
    with BlockingRouter.from_file("mlo.toml") as router:
        answer = router.route("Привет").text
except MloError as error:
    answer = type(error).__name__
print(json.dumps([answer, sorted({name.partition(".")[0] for name in sys.modules if name.startswith("mlo_")})]))
"""


@pytest.fixture(scope="module")
def installation(install: Install) -> Installation:
    made = install("mlo-core", "mlo-mock", "mlo-openai-compat")
    (made.folder / "mlo.toml").write_text(_SETTINGS)
    return made


def _providers(installation: Installation, profile: str) -> dict[str, str]:
    rows = installation.plugins(MLO_PROFILE=profile)
    return {row["id"]: row["verdict"] for row in rows if row["kind"] == "providers"}


def test_profiles_allow_different_plugins(installation: Installation) -> None:
    assert _providers(installation, "dev") == {"mock": "available", "openai-compat": "blocked"}
    assert _providers(installation, "prod") == {"mock": "blocked", "openai-compat": "available"}


def test_dev_loads_the_mock_only(installation: Installation) -> None:
    answer, loaded = json.loads(installation.run("python", "-c", _ASK, MLO_PROFILE="dev"))
    assert "Привет" in answer
    assert loaded == ["mlo_mock"]


def test_prod_never_imports_the_mock(installation: Installation) -> None:
    answer, loaded = json.loads(installation.run("python", "-c", _ASK, MLO_PROFILE="prod"))
    assert answer == "AttemptsExhausted"  # nobody listens on that port
    assert "mlo_openai_compat" in loaded
    assert "mlo_mock" not in loaded


def test_environment_narrows_a_profile(installation: Installation) -> None:
    denied = json.loads(installation.run("python", "-c", _ASK, MLO_PROFILE="dev", MLO_PLUGINS_DENY="mock"))
    assert denied == ["PluginBlocked", []]
