from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlo._config import load_settings, parse_settings, profiles_of
from mlo.errors import ConfigError
from mlo.models import Capability, Price, Residency
from mlo.settings import ComponentSettings, RetrySettings, Settings


def parse(text: str, *, profile: str | None = None, **environ: str) -> Settings:
    return parse_settings(tomllib.loads(text), profile=profile, environ=environ)


def refused(text: str, *, profile: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, profile=profile, **environ)
    return str(caught.value)


PROVIDER = '[providers.giga-main]\nuse = "gigachat"\n'


# what the tables say


def test_nothing_gives_the_defaults() -> None:
    assert parse("") == Settings()


def test_a_provider_keeps_the_keys_of_its_plugin_as_options() -> None:
    settings = parse(PROVIDER + 'scope = "env:SCOPE"\ntimeouts = { read = 5 }\n')
    provider = settings.providers["giga-main"]
    assert (provider.use, provider.path) == ("gigachat", "providers.giga-main")
    assert provider.options == {"scope": "env:SCOPE", "timeouts": {"read": 5}}


def test_the_keys_of_the_kernel_are_read() -> None:
    text = """
        auth = { use = "bearer", token = "env:T" }
        concurrency = 0
        capabilities = ["chat", "json-schema"]
        residency = { region = "RU", on_prem = false }
        price = { prompt = "0.2", completion = 1, cached = 0.05, currency = "USD" }
        labels = { tier = "gold" }
    """
    provider = parse(PROVIDER + text).providers["giga-main"]
    assert provider.options == {}
    assert provider.auth == ComponentSettings(use="bearer", options={"token": "env:T"}, path="providers.giga-main.auth")
    assert provider.concurrency == 0
    assert provider.capabilities == frozenset({Capability.CHAT, Capability.JSON_SCHEMA})
    assert provider.residency == Residency(region="RU", on_prem=False)
    assert provider.price == Price(prompt=200_000_000, completion=10**9, cached=50_000_000, currency="USD")
    assert provider.labels == {"tier": "gold"}


def test_every_kind_of_token_may_have_its_price() -> None:
    price = 'price = { prompt = "0.2", completion = 1, tool = "0.1", reasoning = 2, request = "0.000000003" }\n'
    found = parse(PROVIDER + price).providers["giga-main"].price
    assert found == Price(prompt=2 * 10**8, completion=10**9, tool=10**8, reasoning=2 * 10**9, request=3)


def test_auth_and_strategy_may_be_just_a_name() -> None:
    settings = parse(PROVIDER + 'auth = "none"\n[routes.r]\ntargets = ["giga-main"]\nstrategy = "random"\n')
    auth = settings.providers["giga-main"].auth
    assert auth is not None
    assert (auth.use, auth.path) == ("none", "providers.giga-main.auth")
    assert settings.routes["r"].strategy == ComponentSettings(use="random", path="routes.r.strategy")


def test_a_route_is_read() -> None:
    text = """
        [routes.default]
        targets = ["giga-main", "giga-main:GigaChat-2:x/y"]
        strategy = { use = "weighted", weights = { giga-main = 3 } }
        deadline = 60
        attempt_timeout = 2.5
        retry = { rounds = 3, base = 0, cap = 1 }
        failover_on = ["AuthFailed", "ContentBlocked"]
    """
    route = parse(PROVIDER + text).routes["default"]
    assert route.targets == ("giga-main", "giga-main:GigaChat-2:x/y")
    assert route.strategy.options == {"weights": {"giga-main": 3}}
    assert (route.deadline, route.attempt_timeout) == (60.0, 2.5)
    assert route.retry == RetrySettings(rounds=3, base=0.0, cap=1.0)
    assert route.failover_on == ("AuthFailed", "ContentBlocked")
    assert route.path == "routes.default"


def test_the_kernel_table_is_read() -> None:
    text = """
        [mlo]
        capture = "content"
        breaker = { failures = 2, open_for = 1, max_open_for = 3.5 }
        [mlo.retry]
        ratio = 0.5
        reserve = 0
    """
    settings = parse(text)
    assert settings.capture == "content"
    assert (settings.breaker.failures, settings.breaker.open_for, settings.breaker.max_open_for) == (2, 1.0, 3.5)
    assert (settings.retry_ratio, settings.retry_reserve) == (0.5, 0.0)


def test_observers_are_read() -> None:
    observer = parse('[observers.log]\nuse = "log"\nlevel = "info"\n').observers["log"]
    assert observer == ComponentSettings(use="log", options={"level": "info"}, path="observers.log")


# what is refused

MISTAKES: Mapping[str, tuple[str, str]] = {
    "unknown table": ("[provider.x]", "provider: unknown key (did you mean 'providers'"),
    "unknown key": ("[mlo]\nprofil = 'x'", "mlo.profil: unknown key (did you mean 'profile'?)"),
    "section is no table": ("providers = 5", "providers: expected a table, got an integer"),
    "provider is no table": ("[providers]\nx = 'gigachat'", "providers.x: expected a table, got text"),
    "no use": ("[providers.x]", "providers.x.use: this key is required"),
    "use is no text": ("[providers.x]\nuse = 5", "providers.x.use: expected text, got an integer"),
    "bad name": ("[providers.'a b']\nuse = 'x'", 'providers."a b": a name holds neither spaces nor colons'),
    "colon in name": ("[routes.'a:b']\ntargets = ['x']", "a name holds neither spaces nor colons"),
    "reserved name": ("[providers.route]\nuse = 'x'", "the name route is reserved"),
    "concurrency": (PROVIDER + "concurrency = -1", "concurrency: expected an integer that is at least 0"),
    "concurrency is no bool": (PROVIDER + "concurrency = true", "concurrency: expected an integer, got a boolean"),
    "capability": (PROVIDER + "capabilities = ['chatt']", "capabilities[0]: expected one of"),
    "residency": (PROVIDER + "residency = { regoin = 'RU' }", "residency.regoin: unknown key (did you mean 'region'?)"),
    "price misses": (PROVIDER + "price = { prompt = 1 }", "price.completion: this key is required"),
    "price is no number": (
        PROVIDER + "price = { prompt = 'x', completion = 1 }",
        "expected a number in decimal notation",
    ),
    "price is negative": (PROVIDER + "price = { prompt = -1, completion = 1 }", "a price is not negative"),
    "price is endless": (PROVIDER + "price = { prompt = inf, completion = 1 }", "expected a finite number"),
    "price is too exact": (PROVIDER + "price = { prompt = '1e-10', completion = 1 }", "at most nine decimals"),
    "price is a bool": (PROVIDER + "price = { prompt = true, completion = 1 }", "expected a number, got a boolean"),
    "currency": (PROVIDER + "price = { prompt = 1, completion = 1, currency = '₽' }", "expected an ISO 4217 code"),
    "targets is text": ("[routes.r]\ntargets = 'x'", "routes.r.targets: expected a list, got text"),
    "no targets": ("[routes.r]", "routes.r.targets: this key is required"),
    "deadline zero": ("[routes.r]\ntargets = ['x']\ndeadline = 0", "expected a number greater than 0"),
    "deadline endless": ("[routes.r]\ntargets = ['x']\ndeadline = inf", "expected a finite number"),
    "deadline nan": ("[routes.r]\ntargets = ['x']\ndeadline = nan", "expected a finite number"),
    "rounds": ("[routes.r]\ntargets = ['x']\nretry = { rounds = 0 }", "expected an integer that is at least 1"),
    "base": ("[routes.r]\ntargets = ['x']\nretry = { base = -1 }", "expected a number that is not negative"),
    "failover": ("[routes.r]\ntargets = ['x']\nfailover_on = ['AuthFaild']", "did you mean 'AuthFailed'?"),
    "failover late": ("[routes.r]\ntargets = ['x']\nfailover_on = ['StreamInterrupted']", "unknown error class"),
    "capture": ("[mlo]\ncapture = 'all'", "mlo.capture: expected one of none, content"),
    "allow is text": ("[plugins]\nallow = 'mock'", "plugins.allow: expected a list, got text"),
    "allow holds a number": ("[plugins]\nallow = [1]", "plugins.allow[0]: expected text, got an integer"),
    "pattern": ("[plugins]\ndeny = ['provider:x']", "plugins.deny[0]: unknown scope 'provider'"),
    "empty pattern": ("[plugins]\ndeny = ['']", "plugins.deny[0]: an empty pattern"),
    "require": ("[plugins]\nrequire = { mlo-x = 1.4 }", "plugins.require.mlo-x: expected text, got a number"),
    "require a specifier": ("[plugins]\nrequire = { mlo-x = '>=0.1' }", "'>=0.1' is no beginning of a version"),
    "pin a wildcard": ("[plugins]\npin = { mlo-x = '*' }", "plugins.pin.mlo-x: '*' is no beginning of a version"),
    "require empty": ("[plugins]\nrequire = { mlo-x = '' }", "expected text without spaces around it"),
    "strict": ("[plugins]\nstrict = 'yes'", "plugins.strict: expected true or false, got text"),
    "sleeping profile": ("[profiles.p.plugins]\ndney = ['x']", "profiles.p.plugins.dney: unknown key"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_place(name: str) -> None:
    text, message = MISTAKES[name]
    assert message in refused(text)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[mlo]\ncapture = 'x'\n[providers.a]\nconcurrency = 'x'\n[plugins]\nallow = 5\n")
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {"mlo.capture", "providers.a.use", "providers.a.concurrency", "plugins.allow"}
    assert "4 problems" in str(caught.value)


# profiles

PROFILES = """
[mlo]
profile = "dev"
[plugins]
allow = ["mock", "first-*"]
deny = ["base-*"]
require = { mlo-core = "0", mlo-a = "1" }
[providers.main]
use = "mock"
answer = "base"
[providers.spare]
use = "mock"
[profiles.dev]
[profiles.staging]
extends = "dev"
plugins = { deny = ["staging-*"], strict = true }
[profiles.prod]
extends = "staging"
[profiles.prod.plugins]
allow = ["gigachat*"]
deny = ["prod-*"]
require = { mlo-a = "2" }
prefer = { gigachat = "mlo-gigachat" }
pin = { mlo-b = "3" }
[profiles.prod.providers.main]
use = "gigachat"
[profiles.prod.routes.default]
targets = ["main"]
[profiles.prod.observers.log]
use = "log"
"""


def test_the_file_names_the_profile() -> None:
    assert parse(PROFILES).profile == "dev"


def test_the_variable_overrides_the_file_and_the_argument_both() -> None:
    assert parse(PROFILES, MLO_PROFILE="staging").profile == "staging"
    assert parse(PROFILES, profile="prod", MLO_PROFILE="staging").profile == "prod"
    assert parse(PROFILES, MLO_PROFILE="").profile == "dev"


def test_a_profile_replaces_whole_tables_by_name() -> None:
    settings = parse(PROFILES, profile="prod")
    assert list(settings.providers) == ["main", "spare"]
    main = settings.providers["main"]
    assert (main.use, main.options, main.path) == ("gigachat", {}, "profiles.prod.providers.main")
    assert settings.routes["default"].path == "profiles.prod.routes.default"
    assert settings.observers["log"].path == "profiles.prod.observers.log"


def test_allow_is_replaced_and_deny_adds_up() -> None:
    policy = parse(PROFILES, profile="prod").plugins
    assert policy.allow == ("gigachat*",)
    assert policy.deny == ("base-*", "staging-*", "prod-*")
    assert policy.require == {"mlo-core": "0", "mlo-a": "2"}
    assert policy.prefer == {"gigachat": "mlo-gigachat"}
    assert policy.pin == {"mlo-b": "3"}
    assert policy.strict is True
    assert policy.path == "profiles.prod.plugins"


def test_a_profile_without_a_policy_keeps_the_base() -> None:
    policy = parse(PROFILES).plugins
    assert policy.allow == ("mock", "first-*")
    assert policy.strict is False


def test_an_unknown_profile_lists_the_known() -> None:
    assert "unknown profile 'prdo' (did you mean 'prod'?)" in refused(PROFILES, profile="prdo")
    assert "unknown profile 'x' (there are none)" in refused("", profile="x")
    assert "known: dev, prod, staging" in refused(PROFILES, MLO_PROFILE="zzz")


def test_an_unknown_ancestor_is_told_with_its_place() -> None:
    text = '[profiles.a]\nextends = "b"\n'
    assert refused(text, profile="a").startswith("profiles.a.extends: unknown profile 'b'")


def test_profiles_in_a_circle_are_refused() -> None:
    text = '[profiles.a]\nextends = "b"\n[profiles.b]\nextends = "a"\n'
    assert "circle: a -> b -> a" in refused(text, profile="a")


# the environment narrows


def test_the_environment_narrows() -> None:
    policy = parse(PROFILES, MLO_PLUGINS_ALLOW="mock, giga*", MLO_PLUGINS_DENY="dist:x").plugins
    assert policy.allow == ("mock", "first-*")
    assert policy.allow_also == (("mock", "giga*"),)
    assert policy.deny_also == ("dist:x",)


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert parse("", MLO_PLUGINS_ALLOW="", MLO_PLUGINS_DENY="") == Settings()


@pytest.mark.parametrize("value", [",", "a,,b", " ", "provider:x", "dist:"])
@pytest.mark.parametrize("name", ["MLO_PLUGINS_ALLOW", "MLO_PLUGINS_DENY"])
def test_a_malformed_variable_is_refused(name: str, value: str) -> None:
    assert refused("", **{name: value}).startswith(f"{name}: ")


# files


def test_without_a_file_there_are_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}) == Settings()


def test_the_file_here_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlo.toml").write_text(PROVIDER)
    settings = load_settings(environ={})
    assert settings.source == "mlo.toml"
    assert list(settings.providers) == ["giga-main"]


def test_the_variable_names_the_file_and_the_argument_overrides_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('[providers.one]\nuse = "mock"\n')
    two.write_text("\ufeff[providers.two]\nuse = 'mock'\n", encoding="utf-8")
    environ = {"MLO_CONFIG": str(one)}
    assert list(load_settings(environ=environ).providers) == ["one"]
    assert list(load_settings(two, environ=environ).providers) == ["two"]


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlo.toml").write_text(PROFILES)
    monkeypatch.setenv("MLO_CONFIG", str(tmp_path / "mlo.toml"))
    monkeypatch.setenv("MLO_PROFILE", "prod")
    assert load_settings().profile == "prod"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[mlo\n", ":1:5: not valid TOML"),
        (b'[mlo]\nprofile = "dev\n', ":2:15: not valid TOML: Illegal character"),
        (b"a = 1\na = 2\n", "not valid TOML: Cannot overwrite a value"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
    ids=["table", "string", "twice", "binary"],
)
def test_a_file_that_is_not_toml_is_refused_with_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "mlo.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={})
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_settings(tmp_path / name, environ={})


def test_errors_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mlo.toml"
    file.write_text("[mlo]\nx = 1\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={})
    assert str(caught.value) == f"{file}: mlo.x: unknown key (known: breaker, capture, profile, retry)"


def test_profiles_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "mlo.toml"
    file.write_text(PROFILES)
    assert profiles_of(file) == ["dev", "staging", "prod"]
    file.write_text("[profile.x]\n")
    with pytest.raises(ConfigError, match="unknown key"):
        profiles_of(file)


def test_settings_do_not_show_options() -> None:
    shown = repr(parse(PROVIDER + 'key = "very secret"\n'))
    assert "very secret" not in shown
    assert os.environ.get("MLO_NO_SUCH") is None
