"""Import a plugin's module in a process of its own, so that a module that hangs or crashes takes nobody along."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

__all__ = ["Probe", "file_of", "module_of", "probe"]

_MARK = "mlo-import-took "
_RAISED = "mlo-import-raised"

# What every plugin needs is imported first, so that the figure is the plugin's own share.
_SCRIPT = """\
import importlib, json, sys, time
path, module = json.loads(sys.argv[1])
sys.path[:] = path
import mlo.api, mlo.hookspecs
started = time.perf_counter()
try:
    importlib.import_module(module)
except BaseException:
    print("\\n{raised}", flush=True)
    raise
print("\\n{mark}" + str(time.perf_counter() - started), flush=True)
"""


@frozen(kw_only=True)
class Probe:
    """How an import went. ``seconds`` is ``None`` if it did not end well.

    ``fatal`` says why the module must not be imported here: it hangs, or takes the interpreter down. An import that
    merely raises is not fatal.
    """

    seconds: float | None = None
    fatal: str = ""


def module_of(value: str) -> str:
    """The module in an entry point's value ``module:object``."""
    return value.partition(":")[0].strip()


def file_of(value: str) -> str:
    """The file behind an entry point's value, found without an import; empty where there is none."""
    top, *rest = module_of(value).split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):  # a module without a spec, such as one that a test has put there
        return ""
    if spec is None:
        return ""
    if not rest:
        return spec.origin or ""
    places = [Path(location, *rest) for location in spec.submodule_search_locations or ()]
    files = (file for place in places for file in (place.with_suffix(".py"), place / "__init__.py"))
    return next((str(file) for file in files if file.is_file()), "")


def probe(module: str, timeout: float) -> Probe:
    """Import the module elsewhere; give up after ``timeout`` seconds."""
    command = (sys.executable, "-c", _SCRIPT.format(mark=_MARK, raised=_RAISED), json.dumps([sys.path, module]))
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and a script of ours
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Probe(fatal=f"the import of {module} did not finish in {timeout:g} s")
    lines = done.stdout.decode(errors="replace").splitlines()
    took = next((line.removeprefix(_MARK) for line in reversed(lines) if line.startswith(_MARK)), None)
    if took is not None:
        return Probe(seconds=float(took))
    if done.returncode < 0:
        return Probe(fatal=f"the import of {module} killed the interpreter (signal {-done.returncode})")
    if _RAISED not in lines:  # os._exit() and its like, whatever the code
        return Probe(fatal=f"the import of {module} ended the interpreter (exit code {done.returncode})")
    return Probe()
