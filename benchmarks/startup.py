"""What it costs to start: CPU time of whole processes, as ratios to a bare interpreter start in the same run.

Goals: ``import mlo`` at most 3 × a bare start; ``mlo --help`` in the class of 100 ms.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

from _measure import print_table

ROUNDS = 15
MLO = str(Path(sys.executable).with_name("mlo"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import mlo": [sys.executable, "-c", "import mlo"],
    "from mlo import Router": [sys.executable, "-c", "from mlo import Router"],
    "entry_points()": [sys.executable, "-c", "import importlib_metadata; importlib_metadata.entry_points()"],
    "mlo --help": [MLO, "--help"],
    "mlo plugins list": [MLO, "plugins", "list"],
    "mlo ask --help": [MLO, "ask", "--help"],
    "mlo ask Привет": [MLO, "ask", "Привет"],
}


def _cpu_of(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    """Measure all commands in turn."""
    figures: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, command in COMMANDS.items():
            spent = _cpu_of(command)
            if number:
                figures[name].append(spent)
    medians = {name: statistics.median(each) for name, each in figures.items()}
    bare = medians["python -c pass"]
    rows = [(name, f"{cpu * 1e3:.0f}", f"{cpu / bare:.1f}") for name, cpu in medians.items()]
    print_table("start of a process", ("CPU", "ms", "× bare"), rows)


if __name__ == "__main__":
    main()
