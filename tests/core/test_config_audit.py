from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from mlo import Secret, hookimpl
from mlo._audit import Audit, audit
from mlo._config import parse_settings
from mlo._effective import as_toml, effective
from mlo._file import load_policy
from mlo._registry import PluginRegistry
from mlo.api import AuthSpec, ObserverSpec, ProviderSpec, StrategySpec
from mlo.errors import ConfigError
from mlo.settings import PluginPolicy, Settings


@frozen(kw_only=True)
class Options:
    key: Secret | None = None
    size: int = 0
    text: str = ""


def nothing(*_: object) -> Any:
    raise NotImplementedError


class Plugin:
    @hookimpl
    def mlo_providers(self) -> Iterator[ProviderSpec[Any]]:
        yield ProviderSpec(name="some", config=Options, open=nothing)

    @hookimpl
    def mlo_auth_schemes(self) -> Iterator[AuthSpec[Any]]:
        yield AuthSpec(name="token", config=Options, open=nothing)

    @hookimpl
    def mlo_observers(self) -> Iterator[ObserverSpec[Any]]:
        yield ObserverSpec(name="watch", config=Options, open=nothing)

    @hookimpl
    def mlo_strategies(self) -> Iterator[StrategySpec[Any]]:
        yield StrategySpec(name="first-available", config=Options, build=nothing)


@pytest.fixture
def registry() -> PluginRegistry:
    registry = PluginRegistry(candidates=[])
    registry.register(Plugin())
    return registry


def settings(text: str) -> Settings:
    return parse_settings(tomllib.loads(text), environ={}, source="mlo.toml")


def run(registry: PluginRegistry, text: str, **environ: str) -> Audit:
    return audit(settings(text), registry, environ=environ)


def problems(found: Audit) -> list[str]:
    return [str(problem) for problem in found.problems]


WHOLE = """
[providers.a]
use = "some"
key = "env:KEY"
auth = { use = "token", key = "env:KEY" }
[observers.w]
use = "watch"
size = 3
[routes.default]
targets = ["a"]
"""


def test_a_sound_configuration_gives_its_instances(registry: PluginRegistry) -> None:
    found = run(registry, WHOLE, KEY="x")
    assert (found.problems, found.warnings) == ((), ())
    assert [(each.path, each.kind, each.use) for each in found.instances] == [
        ("providers.a", "providers", "some"),
        ("providers.a.auth", "auth", "token"),
        ("observers.w", "observers", "watch"),
    ]
    assert found.instances[2].config == Options(size=3)


def test_everything_wrong_is_told(registry: PluginRegistry) -> None:
    text = """
        [providers.a]
        use = "smoe"
        [providers.b]
        use = "some"
        key = "env:KEY"
        size = "x"
        auth = "tokn"
        [routes.default]
        targets = ["a"]
        strategy = { use = "first-available", sise = 1 }
        [observers.w]
        use = "wach"
    """
    found = problems(run(registry, text))
    assert [line.partition(": ")[2].partition(": ")[0] for line in found] == [
        "providers.a.use",
        "providers.b.key",
        "providers.b.size",
        "providers.b.auth.use",
        "routes.default.strategy.sise",
        "observers.w.use",
    ]
    assert "did you mean 'some'?" in found[0]


def test_a_literal_secret_is_a_warning(registry: PluginRegistry) -> None:
    (warning,) = run(registry, '[providers.a]\nuse = "some"\nkey = "abc"\n').warnings
    assert (warning.level, warning.where) == ("warning", "providers.a.key")
    assert "abc" not in str(warning)


# what is in effect


def test_the_effective_configuration_can_be_read_again(registry: PluginRegistry) -> None:
    text = """
        [mlo]
        profile = "p"
        [profiles.p]
        [plugins]
        deny = ["x*"]
        prefer = { some = "mlo-a" }
        [providers."a.b"]
        use = "some"
        key = "env:KEY"
        text = 'say "hi"'
        size = 1
        nested = { list = [1, true, 2.5], day = 2025-01-02 }
        auth = "token"
        concurrency = 3
        capabilities = ["stream", "chat"]
        residency = { region = "RU", on_prem = false }
        price = { prompt = "0.2", completion = 100, cached = "0.000000001", reasoning = 3, request = 0.5 }
        labels = { "with space" = "x" }
        [routes.default]
        targets = ["a.b:model"]
        deadline = 5
        failover_on = ["AuthFailed"]
        [observers.w]
        use = "watch"
    """
    before = settings(text)
    shown = as_toml(effective(before, registry))
    after = settings(shown.replace('profile = "p"\n', ""))
    assert after.providers == before.providers
    assert after.routes == before.routes
    assert after.observers == before.observers
    assert after.breaker == before.breaker
    assert after.plugins.deny == ("x*",)
    price = 'prompt = "0.2", completion = "100", cached = "0.000000001", reasoning = "3", request = "0.5"'
    assert f'price = {{ {price}, currency = "RUB" }}' in shown


def test_secrets_are_masked_and_references_shown(registry: PluginRegistry) -> None:
    text = '[providers.a]\nuse = "some"\nkey = "abc"\n[providers.b]\nuse = "some"\nkey = "env:B"\n'
    shown = effective(settings(text), registry)["providers"]
    assert shown["a"]["key"] == "****"
    assert shown["b"]["key"] == "env:B"


def test_of_an_unknown_plugin_all_text_is_masked(registry: PluginRegistry) -> None:
    shown = effective(settings('[providers.a]\nuse = "gone"\ntext = "abc"\nsize = 1\n'), registry)
    assert shown["providers"]["a"] == {"use": "gone", "text": "****", "size": 1}


def test_an_allow_list_is_shown(registry: PluginRegistry) -> None:
    assert effective(settings('[plugins]\nallow = ["a"]\n'), registry)["plugins"]["allow"] == ["a"]
    assert "allow" not in effective(settings(""), registry)["plugins"]


# the policy on the way to a command


def policy(tmp_path: Path, text: str, **environ: str) -> PluginPolicy:
    file = tmp_path / "mlo.toml"
    file.write_text(text)
    return load_policy({"MLO_CONFIG": str(file), **environ})


def test_a_file_without_a_policy_allows_everything(tmp_path: Path) -> None:
    assert policy(tmp_path, '[providers.a]\nuse = "some"\n') == PluginPolicy()


def test_the_policy_of_the_profile_is_read(tmp_path: Path) -> None:
    text = '[plugins]\ndeny = ["a"]\n[profiles.p.plugins]\ndeny = ["b"]\n'
    assert policy(tmp_path, text).deny == ("a",)
    assert policy(tmp_path, text, MLO_PROFILE="p").deny == ("a", "b")


def test_the_environment_narrows_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_policy({"MLO_PLUGINS_DENY": "a"}).deny_also == ("a",)


MALFORMED: Mapping[str, str] = {
    "misspelt table": '[plugin]\ndeny = ["a"]\n',
    "misspelt key": '[plugins]\ndney = ["a"]\n',
    "unknown profile": '[mlo]\nprofile = "p"\n',
    "not TOML": "[plugins\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_policy_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        policy(tmp_path, MALFORMED[name])


def test_a_profile_without_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="unknown profile 'p'"):
        load_policy({"MLO_PROFILE": "p"})
