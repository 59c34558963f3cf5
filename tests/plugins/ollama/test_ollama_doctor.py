from __future__ import annotations

from typing import Any

import pytest

from mlo.api import ConfiguredInstance, DoctorContext, Finding
from mlo_ollama.config import CloudConfig, OllamaConfig
from mlo_ollama.plugin import mlo_doctor
from mlo_sdk.tls import TlsConfig


def found(config: Any) -> list[Finding]:
    instance = ConfiguredInstance(path="providers.x", kind="providers", use="ollama", config=config)
    return list(mlo_doctor(DoctorContext(instances=(instance,))))


def test_the_default_is_well() -> None:
    assert [finding.level for finding in found(OllamaConfig())] == ["ok"]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:11434", "http://[::1]:11434", "http://192.168.1.5:11434", "http://ollama:11434"],
    ids=["name", "ipv6", "private", "container"],
)
def test_clear_text_in_ones_own_network_is_fine(url: str) -> None:
    assert [finding.level for finding in found(OllamaConfig(base_url=url))] == ["ok"]


def test_clear_text_to_the_world_is_not() -> None:
    (warning,) = [each for each in found(OllamaConfig(base_url="http://ai.example.org")) if each.level == "warning"]
    assert "clear text" in warning.message


def test_switched_off_verification_is_told() -> None:
    config = OllamaConfig(base_url="https://10.0.0.1", tls=TlsConfig(verify=False))
    assert "providers.x.tls.verify" in [finding.where for finding in found(config)]


def test_a_wrong_configuration_is_an_error() -> None:
    (error,) = [each for each in found(OllamaConfig(options={"typo": 1})) if each.level == "error"]
    assert error.where == "providers.x.options"


def test_a_window_left_to_the_server_is_told() -> None:
    assert "providers.x.num_ctx" in [finding.where for finding in found(OllamaConfig(num_ctx=None))]


def test_the_hosted_service_is_told() -> None:
    assert [finding.level for finding in found(CloudConfig())] == ["info"]


def test_other_plugins_are_left_alone() -> None:
    assert found(object()) == []
