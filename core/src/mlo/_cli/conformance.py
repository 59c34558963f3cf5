"""``mlo plugins conformance``: the contract kit of the SDK, run against what one distribution offers.

The kit runs in a process of its own, which imports the plugin and its suite; here the report is shown. What suites are
and who may bring them: see :mod:`mlo_sdk.testing.conformance`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .arguments import seconds
from .output import complain, say, say_json, table
from .texts import text

if TYPE_CHECKING:
    from mlo._candidates import Candidate

__all__ = ["add_to"]

_RUNNER = "mlo_sdk.testing.conformance"
_PATIENCE = 300.0
_LAST_WORDS = 15
"""Lines of a run that came to nothing."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``mlo plugins``."""
    about = text("plugins conformance")
    command = commands.add_parser("conformance", help=about, description=about, allow_abbrev=False)
    command.set_defaults(run=_conformance)
    command.add_argument("distribution", metavar="DIST", help=text("conformance dist"))
    command.add_argument("--json", action="store_true", help=text("json"))
    command.add_argument("--timeout", type=seconds, metavar="S", default=_PATIENCE, help=text("conformance timeout"))


def _conformance(options: argparse.Namespace) -> int:
    rows = _plugins_of(options.distribution)
    _need_kit()
    report = _run(rows, options.timeout)
    if options.json:
        say_json(report)
    else:
        _print(report)
    return int(report["verdict"] != "conforms")


def _plugins_of(name: str) -> Sequence[Candidate]:
    from mlo._candidates import discover  # noqa: PLC0415 - one command at a time
    from mlo._discovery import normalized  # noqa: PLC0415
    from mlo._explain import near  # noqa: PLC0415
    from mlo._file import load_policy  # noqa: PLC0415
    from mlo._policy import judge  # noqa: PLC0415
    from mlo.errors import PluginBlocked, PluginNotFound  # noqa: PLC0415

    everything = judge(discover(), load_policy(os.environ))
    rows = [row for row in everything if normalized(row.dist or "") == normalized(name)]
    if not rows:
        known = near(name, {row.dist or "?" for row in everything})
        message = f"no installed distribution {name!r} offers a plugin ({known})"
        raise PluginNotFound(message, kind="distributions", plugin_id=name)
    refused = next((row for row in rows if row.verdict != "available"), None)
    if refused is not None:
        message = f"{refused.kind}:{refused.id} of {refused.origin} is {refused.verdict}: {refused.reason}"
        raise PluginBlocked(
            message, kind=refused.kind, plugin_id=refused.id, dist=refused.dist, version=refused.version
        )
    return rows


def _need_kit() -> None:
    from mlo.errors import MloError  # noqa: PLC0415 - one command at a time

    missing = [name for name in ("mlo_sdk", "pytest") if find_spec(name) is None]
    if missing:
        raise MloError(f"the contract kit is not installed ({', '.join(missing)}): pip install 'mlo-sdk[testing]'")


def _run(rows: Sequence[Candidate], patience: float) -> dict[str, Any]:
    from mlo._discovery import conformance_suites  # noqa: PLC0415 - one command at a time
    from mlo.errors import MloError  # noqa: PLC0415

    name = rows[0].dist or ""
    request = {
        "distribution": name,
        "version": rows[0].version,
        "plugins": [{"kind": row.kind, "id": row.id, "value": row.value} for row in rows],
        "suites": conformance_suites(name),
        "path": sys.path,
    }
    with TemporaryDirectory(prefix="mlo-conformance-") as folder:
        report = Path(folder) / "report.json"
        command = (sys.executable, "-m", _RUNNER, json.dumps(request), str(report))
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, and a module of ours
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise MloError(f"the contract tests of {name} did not finish in {patience:g} s (--timeout)") from error
        if not report.is_file():
            output = (done.stdout + done.stderr).decode(errors="replace").splitlines()
            complain("\n".join(output[-_LAST_WORDS:]))
            raise MloError(f"the contract tests of {name} ended without a report (exit code {done.returncode})")
        data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return data


_COUNTED = ("passed", "failed", "off", "not run")


def _print(report: dict[str, Any]) -> None:
    head = [text(f"{name} column") for name in ("kind", "id", *_COUNTED, "verdict")]
    table([head, *(_cells(plugin) for plugin in report["plugins"])])
    for plugin in report["plugins"]:
        _print_details(plugin)
    for note in report["notes"]:
        say(f"\n{text('info')}: {note}")
    say(f"\n{report['distribution']} {report['version'] or '?'}: {text(report['verdict'])}")


def _cells(plugin: dict[str, Any]) -> list[str]:
    states = [check["state"] for check in plugin["checks"]]
    counts = [str(states.count(state)) for state in _COUNTED]
    return [plugin["kind"], plugin["id"], *counts, text(plugin["verdict"])]


def _print_details(plugin: dict[str, Any]) -> None:
    """Everything but what has passed: failures one by one, the rest by its reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for check in plugin["checks"]:
        if check["state"] != "passed":
            reasons.setdefault((check["state"], check["reason"]), []).append(_readable(check["name"]))
    if reasons:
        say(f"\n{plugin['kind']}:{plugin['id']}")
    for (state, reason), names in reasons.items():
        said = f"{text('breaks')}: {reason}" if state == "failed" else text(f"check {state}", reason=reason)
        say(f"  {said}")
        for name in names:
            say(f"    - {name}")


def _readable(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
