"""Tables of commands in ``mlo.toml``: found by installed metadata, read by the command, known to ``mlo config``."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from jsonschema import Draft202012Validator

from mlo import Secret
from mlo._audit import Audit, audit
from mlo._config import parse_settings, profiles_of
from mlo._effective import as_toml, effective
from mlo._registry import PluginRegistry
from mlo._schema import document_schema
from mlo.errors import ConfigError
from mlo.settings import PluginPolicy, SectionSettings, Settings, section
from mlo.testing import fake_dist, installed

SOURCE = """
from attrs import frozen
from mlo import Secret

@frozen(kw_only=True)
class Keys:
    token: Secret | None = None

@frozen(kw_only=True)
class Config:
    port: int = 8000
    keys: Keys = Keys()

def main(argv):
    return 0

silent = main
"""


@frozen(kw_only=True)
class Limits:
    requests: int = 60
    burst: int | None = None


@frozen(kw_only=True)
class GateConfig:
    port: int = 8000
    secret: Secret | None = None
    folder: Path = Path()
    limits: Limits = Limits()
    plans: dict[str, Limits] = field(factory=dict)


@pytest.fixture(autouse=True)
def _commands(tmp_path: Path) -> Iterator[None]:
    modules = {
        "doors.gate": SOURCE + 'mlo_section = "doors.gate:Config"\n',
        "doors.silent": SOURCE,
        "doors.wrong": SOURCE + 'mlo_section = "doors.gate:main"\n',
    }
    commands = {name: f"doors.{name}:main" for name in ("gate", "silent", "wrong")}
    with installed(fake_dist(tmp_path / "dist", "mlo-doors", entry_points={"commands": commands}, modules=modules)):
        yield


def parse(text: str, profile: str | None = None) -> Settings:
    return parse_settings(tomllib.loads(text), profile=profile, environ={}, source="conf/mlo.toml")


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


# reading


def test_a_table_named_like_a_command_is_kept_for_it() -> None:
    settings = parse('[gate]\nport = 1\nsecret = "env:GATE"\n[providers.a]\nuse = "x"\n')
    assert settings.sections == {"gate": SectionSettings(options={"port": 1, "secret": "env:GATE"}, path="gate")}
    assert list(settings.providers) == ["a"]
    assert "doors.gate" not in sys.modules


def test_the_command_gets_its_class_with_references_followed() -> None:
    settings = parse('[gate]\nsecret = "env:GATE"\nfolder = "data"\n[gate.plans.free]\nrequests = 5\n')
    config = section(settings, "gate", GateConfig, environ={"GATE": "hidden"})
    assert config.secret is not None
    assert (config.secret.reveal(), config.folder) == ("hidden", Path("conf/data"))
    assert config.plans == {"free": Limits(requests=5)}
    assert "hidden" not in repr((settings, config))


def test_without_a_table_the_command_gets_its_defaults() -> None:
    assert section(parse(""), "gate", GateConfig) == GateConfig()
    assert section(Settings(), "gate", GateConfig) == GateConfig()


def test_mistakes_in_a_table_are_told_with_their_places() -> None:
    settings = parse('[gate]\nprot = 1\nport = "x"\n[gate.limits]\nrequests = 0.5\n')
    with pytest.raises(ConfigError) as caught:
        section(settings, "gate", GateConfig)
    assert [(each.path, each.source) for each in caught.value.problems] == [
        ("gate.port", "conf/mlo.toml"),
        ("gate.limits.requests", "conf/mlo.toml"),
        ("gate.prot", "conf/mlo.toml"),
    ]
    assert "did you mean 'port'?" in str(caught.value)


def test_a_program_may_give_a_section_itself() -> None:
    settings = Settings(sections={"gate": SectionSettings(options={"port": 7})})
    assert section(settings, "gate", GateConfig).port == 7
    with pytest.raises(ConfigError, match=r"^gate\.nothing: unknown key"):
        section(Settings(sections={"gate": SectionSettings(options={"nothing": 7})}), "gate", GateConfig)


# profiles

PROFILES = """
[gate]
port = 1
secret = "env:GATE"
[profiles.base.gate]
port = 2
[profiles.prod]
extends = "base"
[profiles.far]
extends = "base"
gate = { port = "three" }
"""


@pytest.mark.parametrize(
    ("profile", "port", "path"),
    [
        (None, 1, "gate"),
        ("base", 2, "profiles.base.gate"),
        ("prod", 2, "profiles.base.gate"),
        ("far", "three", "profiles.far.gate"),
    ],
)
def test_the_table_of_a_profile_stands_in_for_the_one_outside(profile: str | None, port: object, path: str) -> None:
    found = parse(PROFILES, profile).sections["gate"]
    assert (found.options["port"], found.path) == (port, path)
    assert ("secret" in found.options) == (profile is None)


def test_profiles_with_tables_of_commands_are_listed(tmp_path: Path) -> None:
    (tmp_path / "mlo.toml").write_text(PROFILES)
    assert profiles_of(tmp_path / "mlo.toml") == ["base", "prod", "far"]


# what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gaet]", "gaet: unknown key (did you mean 'gate'?)"),
        ("[gateway-of-another-world]", "gateway-of-another-world: unknown key (known: mlo, observers, plugins,"),
        ("gate = 5", "gate: expected a table, got an integer"),
        ("[[gate]]", "gate: expected a table, got a list"),
        ("[profiles.p.gaet]", "profiles.p.gaet: unknown key (did you mean 'gate'?)"),
        ("[profiles.p]\ngate = 'x'", "profiles.p.gate: expected a table, got text"),
        ("profiles = 5\n[gate]", "profiles: expected a table, got an integer"),
        ("[profiles]\np = 5\n[gate]", "profiles.p: expected a table, got an integer"),
    ],
)
def test_what_is_nobodys_is_refused(text: str, message: str) -> None:
    assert message in refused(text)


def test_mistakes_of_both_kinds_are_told_at_once() -> None:
    text = refused("[gaet]\n[mlo]\nprofil = 1\n[profiles.p.gaet]\n")
    assert [line.split(": ")[0].strip() for line in text.splitlines()[1:]] == ["gaet", "profiles.p.gaet", "mlo.profil"]


def test_the_installation_is_only_scanned_for_unknown_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    def scan() -> list[Any]:
        raise AssertionError("scanned")

    monkeypatch.setattr("mlo._discovery.scan", scan)
    parse('[mlo]\ncapture = "none"\n[profiles.p]\n')
    with pytest.raises(AssertionError, match="scanned"):
        parse("[gate]")


# `mlo config`


def examined(text: str, policy: PluginPolicy | None = None) -> Audit:
    return audit(parse(text), PluginRegistry(policy or PluginPolicy()), environ={})


def test_check_finds_what_is_wrong_in_the_tables() -> None:
    found = examined('[gate]\nprot = 1\nkeys = { token = "env:GONE" }\n')
    assert [each.path for each in found.problems] == ["gate.keys.token", "gate.prot"]
    assert found.instances == ()


def test_check_warns_of_secrets_in_the_tables() -> None:
    known = examined('[gate]\nkeys = { token = "abc" }\n')
    assert [each.where for each in known.warnings] == ["gate.keys.token"]
    unknown = examined('[silent]\nkeys = { token = "abc" }\n')
    assert [each.where for each in unknown.warnings] == ["silent.keys.token"]
    assert (known.problems, unknown.problems) == ((), ())


def test_check_passes_over_the_table_of_a_blocked_command() -> None:
    found = examined("[gate]\nprot = 1\n", PluginPolicy(deny=("commands:gate",)))
    assert (found.problems, found.warnings) == ((), ())
    assert "doors.gate" not in sys.modules


def test_check_tells_of_a_command_that_names_no_class() -> None:
    (problem,) = examined("[wrong]\n").problems
    assert problem.path == "wrong"
    assert "mlo_section must name an attrs class" in str(problem)


def test_the_effective_tables_are_shown_without_secrets() -> None:
    text = '[gate]\nport = 5\nkeys = { token = "abc" }\n[silent]\nplain = "abc"\nsize = 1\n'
    shown = as_toml(effective(parse(text), PluginRegistry()))
    assert '[gate]\nport = 5\nkeys = { token = "****" }' in shown
    assert '[silent]\nplain = "****"\nsize = 1' in shown


def test_the_schema_knows_the_tables() -> None:
    allowed = PluginPolicy(allow=("commands:gate", "commands:silent", "commands:wrong"))
    schema = Draft202012Validator(document_schema(PluginRegistry(allowed)))
    Draft202012Validator.check_schema(schema.schema)
    assert schema.is_valid({"gate": {"port": 1}, "silent": {"x": 1}, "wrong": {}, "profiles": {"p": {"gate": {}}}})
    assert not schema.is_valid({"gate": {"prot": 1}})
    assert not schema.is_valid({"profiles": {"p": {"gate": {"port": "x"}}}})
    assert not schema.is_valid({"ask": {}})
