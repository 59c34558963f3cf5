"""Rendering the plugin template, as somebody outside this repository would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.house.sources import ROOT

KINDS: Mapping[str, Mapping[str, str]] = {
    "own-wire": {"kind": "provider", "wire": "own", "plugin_id": "acme-chat"},
    "openai-wire": {"kind": "provider", "wire": "openai", "plugin_id": "gate", "language": "ru", "licence": "MIT"},
    "no-server": {"kind": "provider", "wire": "none", "plugin_id": "parrot", "licence": "BSD-3-Clause"},
    "strategy": {"kind": "strategy", "plugin_id": "near-first", "licence": "LicenseRef-Proprietary"},
    "auth": {"kind": "auth", "plugin_id": "corp-token", "language": "ru"},
    "observer": {"kind": "observer", "plugin_id": "count-calls"},
    "command": {"kind": "command", "plugin_id": "words", "language": "ru"},
}
"""Answers for every kind of plugin, with all languages and licences among them."""

# one process for all: importing copier takes longer than rendering
_RENDER = """
import json, sys
from copier import run_copy
template, jobs = json.loads(sys.argv[1])
for folder, answers in jobs.items():
    try:
        run_copy(template, folder, data=answers, defaults=True, quiet=True)
    except ValueError as error:
        print(error)
"""


def template_copy(folder: Path) -> Path:
    """The template outside git: what is being edited counts, not what is committed."""
    shutil.copytree(ROOT / "plugin-template", folder / "plugin-template")
    shutil.copy(ROOT / "copier.yml", folder)
    return folder


def render(template: Path, jobs: Mapping[Path, Mapping[str, str]]) -> str:
    """Render each of the folders with its answers; what copier says of answers that it refuses."""
    order = json.dumps([str(template), {str(folder): dict(answers) for folder, answers in jobs.items()}])
    done = subprocess.run((sys.executable, "-c", _RENDER, order), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_below(folder: Path) -> set[str]:
    """The names of all files."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
