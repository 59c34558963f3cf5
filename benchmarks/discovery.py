"""What a list of plugins costs among many distributions: CPU time of whole processes, as ratios within one run.

Goal: ``mlo plugins list`` at most 3 × a bare scan of all entry points, and no plugin module imported.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import print_table

from mlo.testing import fake_dist

ROUNDS = 9
OURS = 10
MLO = str(Path(sys.executable).with_name("mlo"))
SCAN = [sys.executable, "-c", "import importlib_metadata; importlib_metadata.entry_points()"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "entry_points()": SCAN,
    "mlo --help": [MLO, "--help"],
    "mlo plugins list": [MLO, "plugins", "list"],
}
# a plugin that tells on whoever imports it
PLUGIN = "import os\nopen(os.environ['IMPORTED'], 'a').close()\n"


def _install(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"other-{number}"
        groups = {"console_scripts": {name: "none:main"}}
        if number < OURS:
            groups = {"providers": {f"bench-{number}": f"mlo_bench_{number}"}}
        fake_dist(folder, name, entry_points=groups, modules={f"mlo_bench_{number}": PLUGIN})


def _cpu_of(command: list[str], environ: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def _medians(environ: dict[str, str]) -> dict[str, float]:
    figures: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            spent = _cpu_of(command, environ)
            if number:
                figures[name].append(spent)
    return {name: statistics.median(each) for name, each in figures.items()}


def main() -> None:
    """Measure among 50, 200 and 1000 distributions."""
    for count in (50, 200, 1000):
        with tempfile.TemporaryDirectory() as name:
            folder, marker = Path(name, "site"), Path(name, "imported")
            _install(folder, count)
            environ = {**os.environ, "PYTHONPATH": str(folder), "IMPORTED": str(marker)}
            medians = _medians(environ)
            scan = medians["entry_points()"]
            rows = [(what, f"{cpu * 1e3:.0f}", f"{cpu / scan:.2f}") for what, cpu in medians.items()]
            print_table(f"{count} distributions, {OURS} of them ours", ("CPU", "ms", "× scan"), rows)
            print(f"  plugin modules imported: {'some' if marker.exists() else 'none'}")


if __name__ == "__main__":
    main()
