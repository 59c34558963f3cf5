from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlo._cli.main import main
from mlo.testing import installed
from tests.core.samples import HEAD, provider_dist

pytestmark = pytest.mark.usefixtures("workplace")

PLUGIN = (
    HEAD
    + """
from mlo import Secret

@frozen(kw_only=True)
class Options:
    key: Secret
    size: int = 1

@hookimpl
def mlo_providers():
    return [ProviderSpec(name="example", config=Options, open=opened)]
"""
)
GOOD = """
[providers.a]
use = "example"
key = "env:EXAMPLE_KEY"
[routes.default]
targets = ["a"]
"""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed provider that needs a key, which is there."""
    monkeypatch.setenv("EXAMPLE_KEY", "hidden")
    return provider_dist(tmp_path, source=PLUGIN)


def run(example: Path, workplace: Path, text: str, *argv: str) -> int:
    (workplace / "mlo.toml").write_text(text)
    with installed(example):
        return main(argv)


def test_a_sound_configuration(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, GOOD, "config", "check") == 0
    assert capsys.readouterr().out == "mlo.toml: ok (providers: 1, routes: 1, observers: 0)\n"


def test_all_mistakes_are_shown_with_the_file(
    example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace('"env:EXAMPLE_KEY"', '"env:NO_SUCH_KEY"\nsiez = 1') + 'strategy = "randum"\n'
    assert run(example, workplace, text, "config", "check") == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: mlo.toml: providers.a.key: the environment variable NO_SUCH_KEY is not set")
    assert lines[1] == "error: mlo.toml: providers.a.siez: unknown key (did you mean 'size'?)"
    assert lines[2].startswith("error: mlo.toml: routes.default.strategy.use: no installed distribution offers")


def test_mistakes_of_shape_are_shown_each_on_its_line(
    example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(example, workplace, "[mlo]\nx = 1\n[providers.a]\n", "config", "check") == 2
    assert [line.split(": ")[2] for line in capsys.readouterr().err.splitlines()] == ["mlo.x", "providers.a.use"]


def test_a_literal_secret_is_a_warning(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("env:EXAMPLE_KEY", "0123-very-secret")
    assert run(example, workplace, text, "config", "check") == 0
    assert run(example, workplace, text, "config", "check", "--strict") == 1
    printed = capsys.readouterr()
    assert "warning: providers.a.key: a secret stands in the file itself" in printed.err
    assert "very-secret" not in printed.err + printed.out


PROFILES = (
    GOOD
    + """
[profiles.sound]
[profiles.strict.plugins]
require = { mlo-nowhere = "1" }
[profiles.broken.providers.a]
use = "exampel"
"""
)


def test_the_profile_decides(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, PROFILES, "--profile", "sound", "config", "check") == 0
    assert capsys.readouterr().out == "mlo.toml, profile sound: ok (providers: 1, routes: 1, observers: 0)\n"
    assert run(example, workplace, PROFILES, "--profile", "strict", "config", "check") == 2
    assert "mlo-nowhere 1 is required (profiles.strict.plugins.require) but not installed" in capsys.readouterr().err


def test_all_profiles_at_once(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, PROFILES, "config", "check", "--all") == 2
    printed = capsys.readouterr()
    assert "profile sound" in printed.out
    assert "mlo-nowhere" in printed.err
    assert "profiles.broken.providers.a.use" in printed.err


def test_check_as_json(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("env:EXAMPLE_KEY", "literal") + "x = 1\n"
    assert run(example, workplace, text, "config", "check", "--json") == 2
    report = json.loads(capsys.readouterr().out)
    assert report["problems"][0]["path"] == "routes.default.x"
    assert report["problems"][0]["source"] == "mlo.toml"


def test_check_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "no configuration file: nothing to check\n"
    assert main(["config", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"problems": [], "warnings": []}


def test_check_of_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "gone.toml", "config", "check"]) == 2
    assert "error: gone.toml: cannot read the configuration" in capsys.readouterr().err


def test_show_masks_secrets(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD + '[providers.b]\nuse = "example"\nkey = "literal"\n'
    assert run(example, workplace, text, "config", "show") == 0
    printed = capsys.readouterr().out
    assert '[providers.a]\nuse = "example"\nkey = "env:EXAMPLE_KEY"\n' in printed
    assert '[providers.b]\nuse = "example"\nkey = "****"\n' in printed
    assert "hidden" not in printed


def test_show_as_json(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, GOOD, "config", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["routes"]["default"]["targets"] == ["a"]


def test_schema_knows_the_plugins(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, GOOD, "config", "schema") == 0
    branches = json.loads(capsys.readouterr().out)["$defs"]["provider"]["oneOf"]
    (branch,) = (branch for branch in branches if branch["properties"]["use"]["const"] == "example")
    assert branch["required"] == ["use", "key"]


def test_schema_goes_to_a_file(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example, workplace, GOOD, "config", "schema", "--output", "schema.json") == 0
    assert json.loads((workplace / "schema.json").read_text())["title"] == "mlo.toml"
    assert capsys.readouterr().out == ""
