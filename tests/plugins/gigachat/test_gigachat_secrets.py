"""A canary in every secret: it must not come out anywhere."""

from __future__ import annotations

import base64
import logging
import traceback
import uuid
from pathlib import Path
from typing import Any

import pytest

from mlo import Router
from mlo._cli.main import main
from mlo.errors import MloError
from mlo.settings import RetrySettings, Settings
from mlo_emulators.gigachat import Emulator
from mlo_gigachat.commands import gigachat
from mlo_sdk.testing.watching import texts_of

CANARY = "canary7f3a91"


@pytest.fixture
def canary_key(monkeypatch: pytest.MonkeyPatch) -> str:
    key = base64.b64encode(f"{uuid.uuid4()}:{CANARY}".encode()).decode()
    monkeypatch.setenv("GIGACHAT_KEY", key)
    monkeypatch.setenv("GIGACHAT_PASSWORD", CANARY)
    return key


def clean(text: str, key: str) -> bool:
    return CANARY not in text and key not in text and key[:24] not in text and "emulated." not in text


FAULTS: list[dict[str, Any]] = [
    {},
    {"key": "b3RoZXI6a2V5"},
    {"key_scopes": ("GIGACHAT_API_CORP",)},
    {"oauth_down": True},
    {"revoke_after": 0},
    {"fail_first": 9, "fail_status": 502},
    {"fail_first": 9, "fail_status": 422},
    {"cut_after_bytes": 200},
    {"stream_error": "openai"},
    {"drop_first": 9},
]


@pytest.mark.parametrize("faults", FAULTS, ids=str)
@pytest.mark.parametrize("scheme", ["gigachat-oauth", "gigachat-password", "bearer"])
@pytest.mark.anyio
async def test_no_call_shows_a_secret(
    url: str,
    emulator: Emulator,
    canary_key: str,
    caplog: pytest.LogCaptureFixture,
    faults: dict[str, Any],
    scheme: str,
) -> None:
    emulator.configure(**faults)
    caplog.set_level(logging.DEBUG)
    auth: dict[str, Any] = {
        "gigachat-oauth": {"key": "env:GIGACHAT_KEY", "auth_url": f"{url}/api/v2/oauth"},
        "gigachat-password": {"user": "u", "password": "env:GIGACHAT_PASSWORD", "base_url": f"{url}/v1"},
        "bearer": {"token": "env:GIGACHAT_PASSWORD"},
    }[scheme]
    shown: list[str] = []
    async with Router(Settings()) as router:
        router.add_provider("giga", use="gigachat", base_url=f"{url}/v1", auth={"use": scheme, **auth})
        router.add_route("once", targets=["giga"], retry=RetrySettings(rounds=1))
        shown += [repr(router), repr(router.settings), repr(router.providers)]
        try:
            shown.append(repr(await router.route("привет", route="once")))
            async with router.route_stream("привет", route="once") as stream:
                shown += [repr(event) async for event in stream]
        except MloError as error:
            shown += [*texts_of(error), "".join(traceback.format_exception(error))]
        shown.append(repr(await router.health()))
    assert all(clean(text, canary_key) for text in shown)
    assert clean(caplog.text, canary_key)


def _config(tmp_path: Path, url: str) -> str:
    file = tmp_path / "mlo.toml"
    file.write_text(
        f"""
        [providers.giga]
        use = "gigachat"
        base_url = "{url}/v1"
        verify_ssl = false
        auth = {{ use = "gigachat-oauth", key = "env:GIGACHAT_KEY", auth_url = "{url}/api/v2/oauth" }}
        """
    )
    return str(file)


@pytest.mark.parametrize(
    "arguments",
    [
        ["plugins", "doctor"],
        ["plugins", "doctor", "--json"],
        ["config", "show"],
        ["config", "check"],
        ["plugins", "show", "gigachat"],
    ],
    ids=" ".join,
)
def test_no_command_of_mlo_shows_a_secret(
    arguments: list[str],
    tmp_path: Path,
    canary_key: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLO_CONFIG", _config(tmp_path, "https://127.0.0.1:1"))
    main(arguments)
    captured = capsys.readouterr()
    assert captured.out
    assert clean(captured.out + captured.err, canary_key)


def test_check_shows_no_secret(
    url: str, emulator: Emulator, canary_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.configure()
    assert gigachat(["check", "--auth-url", f"{url}/api/v2/oauth"]) == 0
    assert clean(capsys.readouterr().out, canary_key)
