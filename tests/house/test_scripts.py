"""The scripts behind `./dev`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import check
import griffe_roles
import lock
import pytest
import reference

from tests.house.sources import ROOT

_REPORT = '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/></testsuites>'


def test_generated_pages_are_current() -> None:
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("hook", reference.hooks())
def test_every_hook_is_documented_with_its_exact_signature(hook: str, language: str) -> None:
    page = (ROOT / "docs" / language / "reference" / "hooks.md").read_text()
    assert f"\n{reference.signature(hook)}\n" in page


@pytest.mark.parametrize("hook", reference.hooks())
def test_every_hook_has_a_test_of_its_name(hook: str) -> None:
    name = f"def test_hook_{hook.removeprefix('mlo_')}"
    assert [path for path in (ROOT / "tests").rglob("test_*.py") if name in path.read_text()]


def test_pins_replace_the_pins_before_them() -> None:
    project = f'a\n{lock.OPENING}constraint-dependencies = [\n    "old==1",\n]\n{lock.CLOSING}b\n'
    pinned = lock.with_pins(project, "new==2 ; python_full_version < '3.12'\nother==3\n")
    assert '"new==2 ; python_full_version < \'3.12\'",\n    "other==3",\n]' in pinned
    assert "old" not in pinned
    assert lock.with_pins(pinned, "") == lock.with_pins(project, "")


def test_closing_line_counts_errors_as_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(_REPORT)
    monkeypatch.setattr(check, "REPORTS", (report,))
    assert check.closing_line() == "3 passed, 2 failed, 2 skipped"


def test_missing_report_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "REPORTS", (tmp_path / "junit.xml",))
    assert "1 failed" in check.closing_line()


def test_unknown_stage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["lint", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_launcher_explains_itself_without_installing_anything() -> None:
    help_text = subprocess.run((ROOT / "dev", "--help"), capture_output=True, text=True, check=True).stdout
    assert "./dev test" not in help_text.splitlines()[0]
    assert "test [STAGE …]" in help_text


def test_docstrings_become_markdown() -> None:
    text = "See :class:`~mlo.Router` and :func:`anyio.run`.\n\n::\n\n    a::b\n\nSo::\n\n    c\n"
    assert griffe_roles.as_markdown(text) == "See `Router` and `anyio.run`.\n\n\n\n    a::b\n\nSo:\n\n    c\n"
