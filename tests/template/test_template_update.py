"""The template changes after a project was rendered: `copier update` carries the change over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlo._cli.main import main
from tests.template.rendering import template_copy

pytestmark = pytest.mark.timeout(60)

_ANSWERS = ("--defaults", "--data", "plugin_id=acme", "--data", "wire=none")


def git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(("git", *names, *arguments), cwd=folder, capture_output=True, check=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The template in a repository of its own, with its first tag."""
    folder = template_copy(tmp_path / "repository")
    git(folder, "init", "-q")
    commit(folder, "first")
    git(folder, "tag", "1.0.0")
    return folder


def test_an_update_carries_a_change_of_the_template_over(repository: Path, tmp_path: Path) -> None:
    project, place = tmp_path / "plugin", f"git+file://{repository}"
    assert main(["plugins", "new", str(project), "--template", place, "--ref", "1.0.0", *_ANSWERS]) == 0
    git(project, "init", "-q")
    answers = project / "src" / "acme_for_mlo" / "answers.py"
    answers.write_text(answers.read_text().replace("The answer to a request.", "My own words."))
    commit(project, "mine")

    ignored = repository / "plugin-template" / "template" / ".gitignore"
    ignored.write_text(f"{ignored.read_text()}.coverage\n")
    commit(repository, "second")
    git(repository, "tag", "1.1.0")

    command = (sys.executable, "-m", "copier", "update", "--defaults", "--quiet")
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (project / ".gitignore").read_text().endswith(".coverage\n")
    assert "_commit: 1.1.0" in (project / ".copier-answers.yml").read_text()
    assert "My own words." in answers.read_text()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").touch()
    assert main(["plugins", "new", str(tmp_path), "--template", "somewhere"]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").touch()
    assert main(["plugins", "new", str(tmp_path / "mine.txt"), "--template", "somewhere"]) == 1
    assert "mine.txt is a file" in capsys.readouterr().err


def test_without_copier_it_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlo._cli.new.find_spec", lambda _name: None)
    assert main(["plugins", "new", str(tmp_path / "new"), "--template", "somewhere"]) == 1
    assert "uvx copier copy somewhere" in capsys.readouterr().err


def test_the_place_of_the_template_comes_from_the_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlo._discovery.project_url", lambda _name, _label: None)
    assert main(["plugins", "new", str(tmp_path / "new")]) == 1
    assert "give --template" in capsys.readouterr().err


def test_an_answer_that_is_missing_or_refused_is_an_error_and_no_traceback(
    repository: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    order = ["plugins", "new", str(tmp_path / "new"), "--template", str(repository), "--ref", "1.0.0", "--defaults"]
    assert main(order) == 1
    assert capfd.readouterr().err.splitlines()[-1] == 'error: nothing was rendered: Question "plugin_id" is required'
    assert main([*order, "--data", "plugin_id=Acme"]) == 1
    printed = capfd.readouterr().err
    assert "error: nothing was rendered: Validation error for question 'plugin_id'" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "new").exists()


def test_an_answer_without_a_name_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ["plugins", "new", str(tmp_path / "new"), "--template", "somewhere", "--data", "acme"]
    assert main(order) == 2
    assert "--data: 'acme' is not an answer (say NAME=VALUE" in capsys.readouterr().err
