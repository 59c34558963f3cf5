from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from mlo.api import ConfiguredInstance, DoctorContext, Finding
from mlo.secret import Secret
from mlo_emulators.tls import throwaway
from mlo_gigachat.config import GigaChatConfig, OAuthConfig, PasswordConfig
from mlo_gigachat.doctor import findings
from mlo_sdk.tls import TlsConfig

KEY = base64.b64encode(b"id:canary-secret").decode()


def told(config: Any) -> list[Finding]:
    instance = ConfiguredInstance(path="providers.giga", kind="providers", use="gigachat", config=config)
    return list(findings(DoctorContext(instances=(instance,), now=1_760_000_000)))


def levels(found: list[Finding], part: str) -> list[str]:
    return [finding.level for finding in found if part in finding.message]


def test_a_plain_instance_gets_only_hints() -> None:
    found = told(GigaChatConfig())
    assert {finding.level for finding in found} == {"info"}
    assert levels(found, "Russian Trusted Root CA") == ["info"]
    assert levels(found, "sent to Sber") == ["info"]


def test_switched_off_verification_is_reported() -> None:
    found = told(GigaChatConfig(verify_ssl=False))
    assert levels(found, "verification is switched off") == ["warning"]
    assert "providers.giga.verify_ssl" in {finding.where for finding in found}
    assert levels(found, "Russian Trusted Root CA") == []


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (OAuthConfig(key=Secret(KEY), tls=TlsConfig(ca_file="/none.pem")), "providers.giga.tls.ca_file"),
        (GigaChatConfig(tls=TlsConfig(ca_file="/none.pem")), "providers.giga.tls.ca_file"),
    ],
)
def test_a_missing_ca_file_is_an_error(config: Any, where: str) -> None:
    assert [finding.where for finding in told(config) if finding.level == "error"] == [where]


def test_a_foreign_ca_without_its_fingerprint_is_an_error(tmp_path: Path) -> None:
    ca = throwaway(tmp_path).ca_file
    assert levels(told(GigaChatConfig(tls=TlsConfig(ca_file=str(ca)))), "fingerprint") == ["error"]


@pytest.mark.parametrize(("url", "warned"), [("http://giga.example/v1", True), ("http://127.0.0.1:9/v1", False)])
def test_unencrypted_connections_are_reported_unless_local(url: str, *, warned: bool) -> None:
    config = PasswordConfig(user="u", password=Secret("canary-secret"), base_url=url)
    assert bool(levels(told(config), "not encrypted")) is warned


@pytest.mark.parametrize(
    ("key", "level", "part"),
    [
        (KEY, "ok", "well-formed"),
        (f"Basic {KEY}", "info", "tolerated"),
        (base64.b64encode(KEY.encode()).decode(), "error", "twice"),
    ],
    ids=["good", "prefixed", "twice"],
)
def test_keys_are_judged_without_being_shown(key: str, level: str, part: str) -> None:
    found = told(OAuthConfig(key=Secret(key)))
    assert levels(found, part) == [level]
    assert KEY not in str(found)
    assert "canary-secret" not in str(found)


def test_an_unknown_price_is_reported() -> None:
    assert levels(told(GigaChatConfig(model="GigaChat-3-Ultra")), "no price") == ["info"]


def test_kept_uploads_are_reported() -> None:
    assert levels(told(GigaChatConfig(keep_uploads=True)), "pictures") == ["info"]


def test_other_peoples_instances_are_none_of_its_business() -> None:
    assert told(object()) == []
