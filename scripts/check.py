"""Run the checks and sum them up: `./dev test [STAGE …]`.

Stages: {stages}. Without names: all of them. mypy runs in the background while the others go on.
The exit code is 0 only if every stage passed. The last line counts tests, as pytest's own closing line does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPORTS = (ROOT / ".dev" / "junit-kernel.xml", ROOT / ".dev" / "junit.xml")
COVERED = ("tests/core", "tests/kernel", "tests/sdk")
TOOLS = ROOT / ".dev" / "tools"

Command = tuple[str | Path, ...]


@dataclass(frozen=True)
class Result:
    """How one stage ended; `seconds` is wall time."""

    stage: str
    code: int
    seconds: float


def format_check() -> list[Command]:
    """Formatting of Python files and of Python blocks in Markdown."""
    return [(BIN / "ruff", "format", "--check", "--quiet", ".")]


def lint() -> list[Command]:
    """Lint rules."""
    return [(BIN / "ruff", "check", "--quiet", ".")]


def files() -> list[Command]:
    """Workflows against their schema and for safety; a licence for every file."""
    folders = [ROOT / ".github", ROOT / "plugin-template" / "template" / ".github"]
    workflows = [file for folder in folders for file in sorted(folder.glob("workflows/*.yml"))]
    return [
        (BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows),
        (BIN / "check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"),
        (BIN / "zizmor", "--offline", "--quiet", "--no-progress", *folders),
        (BIN / "reuse", "lint", "--quiet"),
    ]


def lock() -> list[Command]:
    """The committed hashes against what uv resolves."""
    return [(sys.executable, "scripts/lock.py", os.environ["UV"], "--check")]


def types() -> list[Command]:
    """Strict types over sources, tests and scripts."""
    return [(BIN / "mypy", "--no-error-summary")]


def docs() -> list[Command]:
    """Both languages of the documentation, strictly."""
    return [(sys.executable, "scripts/build_docs.py")]


def unit() -> list[Command]:
    """All tests: those of kernel and SDK with the coverage gate, the others without what that costs."""
    # by file: the blocks of one page share their state
    command = (sys.executable, "-m", "pytest", "-q", "-n", "auto", "--maxprocesses=4", "--dist=loadfile")
    kernel, others = (f"--junitxml={report}" for report in REPORTS)
    return [
        (*command, "--cov", "--cov-report=term", kernel, *COVERED),
        (*command, others, *(f"--ignore={folder}" for folder in COVERED)),
    ]


STAGES: dict[str, Callable[[], list[Command]]] = {
    "types": types,  # first: it runs beside all that follow
    "format": format_check,
    "lint": lint,
    "files": files,
    "lock": lock,
    "docs": docs,
    "unit": unit,
}


class Background:
    """A stage of one command that runs beside others; its output waits in the pipe until asked for."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._started = time.monotonic()
        (command,) = STAGES[stage]()
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def result(self) -> Result:
        """Wait for the end, show the output and tell how it went."""
        output, _ = self._process.communicate()
        sys.stdout.write(output.decode(errors="replace"))
        return Result(self._stage, self._process.returncode, time.monotonic() - self._started)


def run(stage: str) -> Result:
    """Run the commands of a stage, all of them even if one fails."""
    started = time.monotonic()
    print(f"── {stage}", flush=True)
    codes = [subprocess.call(command, cwd=ROOT) for command in STAGES[stage]()]
    return Result(stage, max(codes), time.monotonic() - started)


def run_all(stages: Sequence[str]) -> list[Result]:
    """Run the stages in order, `types` beside the others."""
    background = Background("types") if "types" in stages else None
    results = [run(stage) for stage in stages if stage != "types"]
    if background is not None:
        print("── types", flush=True)
        results.append(background.result())
    return results


def closing_line() -> str:
    """The counts of the test reports, worded as pytest words them; a missing report is a failure."""
    if not all(report.exists() for report in REPORTS):
        return "0 passed, 1 failed (pytest ended without a report)"
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for report in REPORTS:
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own pytest
            counts = {key: counts[key] + int(suite.get(key, "0")) for key in counts}
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    return f"{passed} passed, {failed} failed, {counts['skipped']} skipped"


def provide_commands() -> None:
    """Have git, which checks ask for files, and curl, which pages use: as root with apt, install what is missing."""
    missing = [name for name in ("curl", "git") if shutil.which(name) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"── missing: {', '.join(missing)}; installing with apt-get", flush=True)
        apt("update")
        apt("install", "--yes", "--no-install-recommends", *missing)
    if still := [name for name in missing if shutil.which(name) is None]:
        sys.exit(f"./dev test: missing, and the checks need it (Debian: apt install …): {', '.join(still)}")


def provide_prometheus() -> None:
    """Have a Prometheus server, which tests start on a port of their own; without one they say that they could not run.

    The programs are taken out of Debian's package instead of installing it: that would make it a service of the
    machine, with a user and a database.
    """
    if shutil.which("promtool") or (TOOLS / "usr" / "bin" / "promtool").exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return
    print("── Prometheus is missing: unpacking Debian's package into .dev/tools", flush=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    try:
        if not fetch_prometheus() and os.geteuid() == 0:
            apt("update")
            fetch_prometheus()
        for package in TOOLS.glob("prometheus_*.deb"):
            subprocess.run(("dpkg-deb", "--extract", package, TOOLS), check=True)
            package.unlink()
    except subprocess.CalledProcessError as error:
        print(f"./dev test: no Prometheus: {error}", file=sys.stderr)


def fetch_prometheus() -> bool:
    """Download the package; no if apt does not know it, or only a version that is gone from the mirror."""
    command = ("apt-get", "--quiet=2", "download", "prometheus")
    return subprocess.run(command, cwd=TOOLS, capture_output=True, check=False).returncode == 0


def apt(*arguments: str) -> None:
    """Run apt-get without its questions."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(("apt-get", "--quiet=2", *arguments), env=quiet, stdout=subprocess.DEVNULL, check=True)


def main(arguments: list[str]) -> int:
    """Run the chosen stages; 0 if all of them passed, 2 for an unknown stage."""
    if "--help" in arguments:
        print((__doc__ or "").format(stages=", ".join(STAGES)), end="")
        return 0
    if unknown := set(arguments) - set(STAGES):
        print(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 2
    provide_commands()
    if not arguments or "unit" in arguments:
        provide_prometheus()
    for report in REPORTS:
        report.unlink(missing_ok=True)
    results = run_all([stage for stage in STAGES if not arguments or stage in arguments])
    print()
    for result in results:
        print(f"{result.stage:<8}{result.seconds:7.1f} s  {'ok' if result.code == 0 else 'FAILED'}")
    if any(result.stage == "unit" for result in results):
        print(closing_line())
    return int(any(result.code for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
