"""`./dev api`: what would break callers is found between two commits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import api_changes
import pytest

KERNEL = """\
from attrs import field, frozen

from mlo._inner import hidden

__all__ = ["Spec", "open_spec"]


@frozen(kw_only=True)
class Named:
    name: str


@frozen(kw_only=True)
class Spec(Named):
    summary: str = ""
    labels: dict = field(factory=dict)
    _seen: int = field(default=0, init=False)


def open_spec(spec, *, timeout=None): ...
"""
SDK = "from mlo.api import Spec\n\n\nclass Client:\n    def send(self, spec: Spec): ...\n\n    def _sign(self): ...\n"


def _git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(("git", "-C", root, *identity, *arguments), check=True, capture_output=True)


def _commit(root: Path, *, kernel: str = KERNEL, sdk: str = SDK) -> None:
    files = {"core/src/mlo/api.py": kernel, "core/src/mlo/_inner.py": "hidden = 1\n", "sdk/src/mlo_sdk/client.py": sdk}
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    _git(root, "add", ".")
    _git(root, "commit", "--allow-empty", "-m", "a commit")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--initial-branch=main")
    _commit(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("open_spec(spec, *, timeout=None)", "open_spec(spec, *, limit=None)", "open_spec(timeout)"),
        ("def open_spec", "def start_spec", "core/src/mlo/api.py:20: open_spec: Public object was removed"),
        ('    summary: str = ""', "    summary: str", "Spec.__init__(summary)"),
        ("    name: str", "    name: str\n    config: type", "Spec.__init__(config)"),
        ("    labels: dict = field(factory=dict)\n", "", "Spec.labels"),
    ],
)
def test_a_breakage_of_the_kernel_is_found(
    repository: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, named: str
) -> None:
    assert old in KERNEL
    _commit(repository, kernel=KERNEL.replace(old, new))
    assert api_changes.main(["HEAD~1"], repository) == 1
    assert named in capsys.readouterr().out


def test_a_breakage_of_the_sdk_is_found(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _commit(repository, sdk=SDK.replace("spec: Spec", "spec: Spec, retries: int"))
    assert api_changes.main(["HEAD~1"], repository) == 1
    assert "Client.send(retries)" in capsys.readouterr().out


def test_what_is_new_and_optional_or_private_breaks_nothing(repository: Path) -> None:
    kernel = KERNEL.replace("timeout=None", "timeout=None, retry=False").replace('= ""', '= ""\n    about: str = ""')
    kernel = kernel.replace("    _seen: int = field(default=0, init=False)\n", "")
    _commit(repository, kernel=kernel, sdk=SDK.replace("_sign(self)", "_seal(self, key)"))
    assert api_changes.main(["HEAD~1"], repository) == 0


def test_the_release_with_the_highest_version_is_compared_with(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tag in ("v0.9.0", "0.10.0", "0.11.0rc1", "nightly"):
        _git(repository, "tag", tag)
        _commit(repository)
    assert api_changes.main([], repository) == 0
    assert capsys.readouterr().out == "0 breaking changes since 0.10.0\n"


def test_without_a_release_there_is_nothing_to_compare_with(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api_changes.main([], repository) == 0
    assert "no release tag" in capsys.readouterr().out


def test_an_unknown_commit_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert api_changes.main(["nonsense"], repository) == 2
    assert "nonsense" in capsys.readouterr().err
