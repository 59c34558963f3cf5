"""``mlo plugins lock`` and ``verify``, and a start that refuses what has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlo import BlockingRouter
from mlo._cli.main import main
from mlo.errors import ConfigError, PluginError
from mlo.settings import PluginPolicy, Settings
from mlo.testing import fake_dist, installed
from tests.core.samples import provider

STRICT = """
[plugins]
allow = ["example", "first-available", "hello"]
strict = true
lock = "locks/prod.lock"
"""


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Path]:
    """An installed distribution with a provider and a command."""
    folder = fake_dist(
        tmp_path / "site",
        entry_points={"providers": {"example": "mlo_example.plugin"}, "commands": {"hello": "mlo_example.hello:run"}},
        modules={
            "mlo_example.plugin": provider("example"),
            "mlo_example.hello": "def run(argv):\n    print('hello')\n    return 0\n",
        },
    )
    with installed(folder):
        yield folder


@pytest.fixture
def locked(example: Path, workplace: Path) -> Path:
    """The same with a strict configuration and its lock; gives the lock."""
    (workplace / "mlo.toml").write_text(STRICT)
    (workplace / "locks").mkdir()
    assert main(["plugins", "lock"]) == 0
    return workplace / "locks" / "prod.lock"


def test_a_lock_holds_versions_plugins_and_digests(locked: Path) -> None:
    text = locked.read_text()
    assert '[distributions."mlo-example"]\nversion = "1.0"\nplugins = ["commands:hello", "providers:example"]' in text
    for file in ("METADATA", "entry_points.txt", "mlo_example/__init__.py", "mlo_example/plugin.py"):
        assert f'"{file}" = "sha256:' in text
    assert "mlo-mock" not in text  # not allowed, so not active


def test_an_unchanged_installation_verifies_and_starts(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "verify"]) == 0
    assert "the plugins are as locked" in capsys.readouterr().out
    with BlockingRouter.from_file() as router:
        assert router is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda site: (site / "mlo_example" / "plugin.py").write_text("1 / 0"), "mlo_example/plugin.py has changed"),
        (lambda site: (site / "mlo_example" / "more.py").touch(), "mlo_example/more.py was added"),
        (lambda site: (site / "mlo_example" / "hello.py").unlink(), "mlo_example/hello.py is gone"),
    ],
    ids=["changed", "added", "removed"],
)
def test_a_changed_file_is_found_before_it_is_imported(
    locked: Path, example: Path, change: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(change)
    change(example)
    assert main(["plugins", "verify"]) == 1
    assert f"mlo-example 1.0: {said}" in capsys.readouterr().out
    with pytest.raises(PluginError, match=said) as caught:
        with BlockingRouter.from_file():
            pass
    assert "ZeroDivisionError" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_command_of_a_changed_plugin_does_not_run(
    locked: Path, example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hello"]) == 0
    (example / "mlo_example" / "hello.py").write_text("raise RuntimeError('imported')\n")
    assert main(["hello"]) == 1
    assert "the plugins are not those of" in capsys.readouterr().err


def test_caches_of_the_interpreter_do_not_count(locked: Path, example: Path) -> None:
    (example / "mlo_example" / "__pycache__").mkdir(exist_ok=True)
    (example / "mlo_example" / "__pycache__" / "plugin.pyc").write_bytes(b"x")
    assert main(["plugins", "verify"]) == 0


def test_a_plugin_that_came_later_is_a_difference(
    locked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = fake_dist(tmp_path / "later", "mlo-later", entry_points={"strategies": {"example": "mlo_later"}})
    with installed(later):
        assert main(["plugins", "verify", "--json"]) == 1
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["faults"] == [
        "mlo-later 1.0 gives strategies:example, but is not locked"
    ]


def test_without_strict_the_start_goes_on_and_the_doctor_warns(
    locked: Path, example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "mlo.toml").write_text(STRICT.replace("strict = true", ""))
    (example / "mlo_example" / "more.py").touch()
    with BlockingRouter.from_file():
        pass
    assert main(["plugins", "doctor"]) == 0
    assert "warning: plugins.lock: mlo-example 1.0: mlo_example/more.py was added" in capsys.readouterr().out


def test_in_strict_mode_the_doctor_calls_it_an_error(
    locked: Path, example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example / "mlo_example" / "more.py").touch()
    assert main(["plugins", "doctor"]) == 1
    assert "error: plugins.lock: mlo-example 1.0: mlo_example/more.py was added" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "no lock"], ids=["missing", "damaged"])
def test_a_lock_that_cannot_be_read_is_refused(
    locked: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is None:
        locked.unlink()
    else:
        locked.write_text(text)
    with pytest.raises(ConfigError, match=r"plugins\.lock: .*mlo plugins lock"):
        with BlockingRouter.from_file():
            pass
    assert main(["plugins", "verify"]) == 2
    assert main(["plugins", "doctor"]) == 1
    assert "plugins.lock: " in capsys.readouterr().out


def test_a_profile_has_a_lock_of_its_own(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "mlo.toml").write_text('[profiles.prod.plugins]\nallow = ["example"]\nlock = "prod.lock"\n')
    assert main(["--profile", "prod", "plugins", "lock"]) == 0
    assert f"{workplace / 'prod.lock'}" in str((workplace / "prod.lock").resolve())
    assert "strict = true" in capsys.readouterr().out
    assert main(["--profile", "prod", "plugins", "verify"]) == 0


def test_without_a_configuration_the_lock_stands_here(
    example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "lock"]) == 0
    assert (workplace / "mlo.plugins.lock").is_file()
    assert main(["plugins", "lock", "other.lock"]) == 0
    assert (workplace / "other.lock").read_text() == (workplace / "mlo.plugins.lock").read_text()
    assert main(["plugins", "lock", "no/such/folder.lock"]) == 2
    assert "cannot write the lock" in capsys.readouterr().err


def test_a_plugin_of_the_program_needs_no_lock(locked: Path) -> None:
    class Mine:
        """A plugin without hooks."""

    policy = PluginPolicy(allow=("example", "first-available", "hello"), strict=True, lock=str(locked))
    with BlockingRouter(Settings(plugins=policy), plugins=[Mine()]) as router:
        assert router is not None
