"""Run the tests with the lowest versions that the requirements admit: `./dev lowest`.

Works in a clone below .dev/, on what is committed, because the pins have to go for that.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from lock import PROJECT, ROOT, with_pins

CLONE = ROOT / ".dev" / "lowest"


def must(*command: str | Path) -> None:
    """Run a command in the clone; an exception if it fails."""
    subprocess.run(command, cwd=CLONE, check=True)


def main(uv: str, *arguments: str) -> int:
    """Clone, resolve downwards, test; the exit code is pytest's."""
    shutil.rmtree(CLONE, ignore_errors=True)
    subprocess.run(("git", "clone", "-q", "--local", ROOT, CLONE), check=True)
    project = CLONE / PROJECT.name
    project.write_text(with_pins(project.read_text(), ""))
    lowest = ("--resolution", "lowest-direct", "--python", sys.executable)
    must(uv, "sync", "-q", "--all-packages", "--all-extras", *lowest)
    # packaging tests resolve by themselves; house tests read the files, not the installed packages
    ignored = ["--ignore=tests/house", "--ignore=tests/packaging"]
    pins = "tests/template/test_template_answers.py::test_tools_are_pinned_to_what_this_repository_is_tested_with"
    ignored += [f"--deselect={pins}"]  # it compares with the pins, which are gone here
    return subprocess.call((".venv/bin/python", "-m", "pytest", "-q", *ignored, *arguments), cwd=CLONE)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
