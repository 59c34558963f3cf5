"""Choose the newest allowed version of every dependency and write them down without any host name.

    python scripts/lock.py UV            rewrite the pins in pyproject.toml, and the lock files
    python scripts/lock.py UV --check    compare the lock files with what would be installed now

`uv.lock` names the index it was resolved from and stays out of the repository. What is committed instead: exact
versions, with markers, between two comment lines in pyproject.toml (uv reads them as constraints), and the same with
file hashes in requirements.lock (pip reads it with --require-hashes), and the part of that which the container image of
the gateway needs in deploy/docker/requirements.lock.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "requirements.lock"
IMAGE_LOCK = ROOT / "deploy" / "docker" / "requirements.lock"
IMAGE_EXTRAS = ("gateway", "gigachat", "ledger", "log", "ollama", "openai-compat", "otel", "prometheus", "yandexgpt")
OPENING, CLOSING = "# >>> pins (written by ./dev lock)\n", "# <<< pins\n"


EVERYTHING = ("--all-packages", "--all-groups", "--all-extras")
IMAGE = ("--no-default-groups", "--package=multi-llm-orchestrator", *(f"--extra={name}" for name in IMAGE_EXTRAS))


def export(uv: str, *options: str) -> str:
    """Third-party requirements of the workspace, those that the options choose, as requirements.txt text."""
    command = [uv, "export", "-q", "--frozen", "--no-emit-workspace", "--no-header", "--no-annotate", *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def with_pins(project: str, pins: str) -> str:
    """The text of pyproject.toml with its block of pins replaced; the block is empty when `pins` is."""
    before, rest = project.split(OPENING)
    _, after = rest.split(CLOSING)
    block = "".join(f'    "{line}",\n' for line in pins.replace('"', "'").splitlines())
    return f"{before}{OPENING}constraint-dependencies = [\n{block}]\n{CLOSING}{after}"


def rewrite(uv: str) -> None:
    """Resolve anew without the old pins, then write the new ones."""
    project = PROJECT.read_text()
    PROJECT.write_text(with_pins(project, ""))
    try:
        subprocess.run([uv, "lock", "-q", "--upgrade"], cwd=ROOT, check=True)
        project = with_pins(project, export(uv, *EVERYTHING, "--no-hashes"))
    finally:
        PROJECT.write_text(project)
    subprocess.run([uv, "lock", "-q"], cwd=ROOT, check=True)
    LOCK.write_text(export(uv, *EVERYTHING))
    IMAGE_LOCK.write_text(export(uv, *IMAGE))


def check(uv: str) -> int:
    """Exit code: whether the committed hashes are those of the files that uv would install."""
    subprocess.run([uv, "lock", "-q"], cwd=ROOT, check=True)
    stale = [
        file for file, chosen in ((LOCK, EVERYTHING), (IMAGE_LOCK, IMAGE)) if export(uv, *chosen) != file.read_text()
    ]
    for file in stale:
        print(f"{file.relative_to(ROOT)} is not what pyproject.toml resolves to. Run: ./dev lock", file=sys.stderr)
    return 1 if stale else 0


def main(arguments: list[str]) -> int:
    """Rewrite, or only compare."""
    uv, *options = arguments
    if options == ["--check"]:
        return check(uv)
    rewrite(uv)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
