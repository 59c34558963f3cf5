"""Configuration: what cannot work is told when the provider opens or by the doctor, never by a 400."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlo import Capability, ModelInfo, Router, Secret
from mlo.api import ConfiguredInstance, DoctorContext, Finding
from mlo.errors import ConfigError, ModelNotFound
from mlo_sdk.testing import LoneEnvironment, build, hosted
from mlo_yandexgpt.catalog import generations_at_once, price_for
from mlo_yandexgpt.config import YandexApiKeyConfig, YandexConfig, YandexIamConfig
from mlo_yandexgpt.model_info import described
from mlo_yandexgpt.opening import open_yandexgpt
from mlo_yandexgpt.places import hosts
from mlo_yandexgpt.plugin import mlo_doctor, mlo_providers
from mlo_yandexgpt.uris import model_uri

from .cloud import KEY, emulated, routed
from .keys import new_key, write_key_file

FOLDER = "b1gabcdefghijklmnopq"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "path", "said"),
    [
        ({}, "providers.yandex.folder_id", "no folder id"),
        ({"folder_id": "ajeabcdefghijklmnopq"}, "providers.yandex.folder_id", "id of a service account"),
        ({"folder_id": "my folder"}, "providers.yandex.folder_id", "not a folder id"),
        ({"folder_id": FOLDER, "model": "yandex gpt"}, "providers.yandex.model", "is not a model"),
        ({"folder_id": FOLDER, "model": "ds://tuned"}, "providers.yandex.model", "2025-05-15"),
        ({"folder_id": FOLDER, "model": "gpt:/x/y"}, "providers.yandex.model", "is not a model"),
        ({"model": "gpt://aje0000000000000000/yandexgpt"}, "providers.yandex.model", "id of a service account"),
    ],
)
async def test_what_cannot_be_is_told_at_opening(options: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        async with hosted(open_yandexgpt, YandexConfig(**options), LoneEnvironment(path="providers.yandex")):
            pass
    assert caught.value.path == path


@pytest.mark.anyio
async def test_no_auth_table_is_told() -> None:
    async with Router() as router:
        router.add_provider("yandexgpt", folder_id=FOLDER)
        with pytest.raises(ConfigError, match="needs an auth scheme"):
            await router.route("Привет")


@pytest.mark.anyio
async def test_a_wrong_secret_is_found_where_it_stands() -> None:
    async with Router() as router:
        router.add_provider("y", use="yandexgpt", folder_id=FOLDER, auth={"use": "yandex-api-key", "key": "t1.token"})
        with pytest.raises(ConfigError, match="an IAM token") as caught:
            await router.route("Привет")
    assert caught.value.path == "providers.y.auth.key"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("yandexgpt", f"gpt://{FOLDER}/yandexgpt/latest"),
        ("yandexgpt/rc", f"gpt://{FOLDER}/yandexgpt/rc"),
        (" yandexgpt-lite/latest@tuned-1 ", f"gpt://{FOLDER}/yandexgpt-lite/latest@tuned-1"),
        ("gpt://b1gother/yandexgpt-5.1", "gpt://b1gother/yandexgpt-5.1/latest"),
        (f"emb://{FOLDER}/text-search-doc/latest", f"emb://{FOLDER}/text-search-doc/latest"),
    ],
)
def test_models_by_name_or_uri(text: str, whole: str) -> None:
    assert str(model_uri(text, FOLDER)) == whole


@pytest.mark.parametrize("text", ["", "a/b/c", "gpt://", "gpt://b1g", "http//x", "gpt://b1g/a/b/c"])
def test_what_is_no_model(text: str) -> None:
    with pytest.raises(ModelNotFound):
        model_uri(text, FOLDER)


@pytest.mark.parametrize(
    ("model", "roubles"),
    [
        ("yandexgpt", "1.200000000"),
        ("yandexgpt/rc", "0.800000000"),
        ("yandexgpt-lite/latest@tuned", "0.200000000"),
        (f"emb://{FOLDER}/text-search-doc/latest", "0.010200000"),
        ("aliceai-llm-flash", "0.100000000"),
    ],
)
def test_prices_are_roubles_per_thousand(model: str, roubles: str) -> None:
    price = price_for(YandexConfig(folder_id=FOLDER), model)
    assert price is not None
    assert str(price.cost(prompt=1000, completion=0)) == f"{roubles} RUB"


def test_unknown_prices_stay_unknown() -> None:
    config = YandexConfig(folder_id=FOLDER)
    assert price_for(config, "yandexgpt/deprecated") is None
    assert price_for(config, "brand-new-model") is None
    assert price_for(config, "not a model") is None


@pytest.mark.parametrize(
    ("model", "day", "tool"),
    [
        ("yandexgpt", "2026-03-16", 300),
        ("aliceai-llm-flash", "2026-08-23", None),
        ("emb://f/text-search-doc", "2026-03-16", None),
    ],
)
def test_prices_say_where_and_when_they_were_found(model: str, day: str, tool: int | None) -> None:
    price = price_for(YandexConfig(folder_id=FOLDER), model.replace("//f/", f"//{FOLDER}/"))
    assert price is not None
    assert (price.source or "").startswith("Yandex AI Studio documentation")
    assert (price.checked_on, price.tool) == (day, None if tool is None else tool * 10**9)


def test_async_mode_has_its_own_price_and_no_gauge() -> None:
    config = YandexConfig(folder_id=FOLDER, mode="async")
    price = price_for(config, None)
    assert price is not None
    assert str(price.cost(prompt=1000, completion=0)) == "0.610000000 RUB"
    assert (generations_at_once(config), generations_at_once(YandexConfig())) == (None, 10)


def test_hosts_move_together() -> None:
    assert hosts(YandexConfig()).compat == "https://ai.api.cloud.yandex.net/v1"
    moved = hosts(YandexConfig(base_url="http://localhost:8080/"))
    assert (moved.compat, moved.operations) == ("http://localhost:8080/v1", "http://localhost:8080")
    assert hosts(YandexConfig(base_url="http://a", openai_base_url="http://b/v1")).compat == "http://b/v1"


def test_models_that_are_no_uris_are_listed_too() -> None:
    found = described(ModelInfo(id="something else"), stores_prompts=False)
    assert (found.capabilities, found.residency.stores_prompts) == (frozenset(), False)
    vector = described(ModelInfo(id=f"emb://{FOLDER}/text-search-doc/latest"), stores_prompts=False)
    assert vector.capabilities == {Capability.EMBEDDINGS}
    image = described(ModelInfo(id=f"gpt://{FOLDER}/gemma-3-27b-it/latest"), stores_prompts=False)
    assert Capability.VISION in image.capabilities
    labels = described(ModelInfo(id=f"cls://{FOLDER}/yandexgpt-lite/latest"), stores_prompts=False)
    assert (labels.context_tokens, labels.price) == (None, None)


def findings(config: object, kind: str = "providers") -> list[Finding]:
    instance = ConfiguredInstance(path="providers.y", kind=kind, use="yandexgpt", config=config)  # type: ignore[arg-type]  # one of the three
    return list(mlo_doctor(DoctorContext(instances=(instance,), now=1_790_000_000.0)))


def levels(config: object, kind: str = "providers") -> list[tuple[str, str]]:
    return [(finding.level, finding.where) for finding in findings(config, kind)]


def test_doctor_is_content_with_a_good_provider() -> None:
    [finding] = findings(YandexConfig(folder_id=FOLDER))
    assert (finding.level, finding.message[-31:]) == ("ok", "(x-data-logging-enabled: false)")


def test_doctor_sees_what_is_wrong_with_a_provider() -> None:
    config = YandexConfig(folder_id="aje1", model="brand-new", base_url="http://10.0.0.1", data_logging=True)
    assert levels(config) == [
        ("error", "providers.y.folder_id"),
        ("info", "providers.y.model"),
        ("warning", "providers.y.data_logging"),
        ("warning", "providers.y.base_url"),
        ("warning", "providers.y.openai_base_url"),
    ]


def test_doctor_looks_at_credentials(tmp_path: Path) -> None:
    good = write_key_file(tmp_path / "key.json", new_key())
    assert levels(YandexApiKeyConfig(key=Secret(KEY)), "auth") == []
    assert levels(YandexApiKeyConfig(key=Secret("t1.x")), "auth") == [("error", "providers.y.key")]
    assert levels(YandexIamConfig(key_file=str(good)), "auth") == []
    assert levels(YandexIamConfig(key_file=str(tmp_path)), "auth") == [("error", "providers.y.key_file")]
    assert levels(YandexIamConfig(token=Secret("t1.x")), "auth") == [("warning", "providers.y.token")]
    assert levels(YandexIamConfig(oauth_token=Secret("y0_x")), "auth") == [("info", "providers.y.oauth_token")]
    assert levels(YandexIamConfig(key=Secret("{}")), "auth") == [("error", "providers.y.key")]


def test_the_table_is_what_people_write() -> None:
    [spec] = mlo_providers()
    config = build(spec, {"folder_id": FOLDER, "http": {"timeouts": {"idle": 5}}, "tls": {"verify": True}})
    assert config.http.timeouts.idle == 5


@pytest.mark.anyio
async def test_a_canary_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    canary = "AQVNcanary0123456789"
    with emulated() as cloud, caplog.at_level("DEBUG"):
        async with routed(cloud, auth={"use": "yandex-api-key", "key": canary}) as router:
            with pytest.raises(Exception, match="Unknown api key") as caught:
                await router.route("Привет")
            shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {router.settings!r} {caplog.text}"
    assert cloud.journal.requests[0].headers["authorization"] == f"Api-Key {canary}"
    assert canary not in shown
    assert canary not in repr(cloud.journal.requests)


def test_loading_the_plugin_is_light() -> None:
    code = "import sys, mlo_yandexgpt.plugin; print(sorted({'httpx', 'cryptography', 'cattrs'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
