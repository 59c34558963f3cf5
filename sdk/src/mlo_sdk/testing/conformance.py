"""The contract kit, run against an installed distribution: what ``mlo plugins conformance`` starts.

A plugin cannot be opened without knowing how: which options, which server. A *suite* says so. It is a module of
contract classes, as a plugin's test file is, found by an entry point called like the distribution under test::

    [project.entry-points.mlo_conformance]
    acme-for-mlo = "acme_for_mlo.conformance"

Any distribution may bring the suite of any other one: an emulator brings those of the plugins that it emulates. Where
no suite speaks of a plugin, all that can be checked without opening it is checked, and the rest counts as not run.

::

    mlo plugins conformance ──► this module ──► pytest: suites, and defaults for the rest ──► report.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import define, field, frozen

from .defaults import contract_kinds

__all__ = ["Check", "Collector", "main", "report_of"]

_INI = "[pytest]\nfilterwarnings = error\n"
_DEFAULT = """\
from mlo_sdk.testing.defaults import default_contract

TestDefault = default_contract({kind!r}, {plugin_id!r}, {value!r})
"""
_PLUGINS = ("-p", "anyio", "-p", "no:cacheprovider")
_LONGEST = 400
_WORST = ("breaks", "unproven", "conforms")

Key = tuple[str, str]


@frozen(kw_only=True)
class Check:
    """One check of the contract and how it went: ``passed``, ``failed``, ``off`` or ``not run``."""

    name: str
    state: str
    reason: str = ""


@define
class Collector:
    """A pytest plugin: leaves out what does not speak of the plugins under test, and takes down how the rest goes."""

    wanted: frozenset[Key]
    defaults: Path
    classes: dict[Key, list[type]] = field(factory=dict)
    checks: dict[Key, dict[str, Check]] = field(factory=dict)
    notes: list[str] = field(factory=list)
    broken: bool = False
    _names: dict[str, tuple[Key, str]] = field(factory=dict)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep contracts of the plugins under test; a default contract only where no suite has one."""
        has_trio = find_spec("trio") is not None
        if not has_trio:
            self.notes.append("trio is not installed: everything ran on asyncio only")
        in_suites = {_key(item) for item in items if not self._is_default(item)}
        kept = [
            item
            for item in items
            if _key(item) in self.wanted
            and not (self._is_default(item) and _key(item) in in_suites)
            and (has_trio or _backend(item) != "trio")
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
        for item in kept:
            self._note(item)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot be imported."""
        if report.failed:
            self.broken = True
            self.notes.append(f"{report.nodeid or 'the suite'}: {_said(report)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one check on one event loop; the worst that happens counts."""
        key, name = self._names[report.nodeid]
        known = self.checks.setdefault(key, {})
        if report.failed:
            known[name] = Check(name=name, state="failed", reason=_said(report))
        elif report.skipped and (name not in known or known[name].state != "failed"):
            known[name] = Check(name=name, state="not run", reason=f"skipped: {_said(report)}")
        elif report.when == "call":
            known.setdefault(name, Check(name=name, state="passed"))

    def _note(self, item: pytest.Item) -> None:
        key = _key(item)
        contract = getattr(item, "cls", None)
        if key is None or contract is None:
            return
        self._names[item.nodeid] = key, getattr(item, "originalname", None) or item.name
        classes = self.classes.setdefault(key, [])
        if contract not in classes:
            classes.append(contract)

    def _is_default(self, item: pytest.Item) -> bool:
        return item.path.parent == self.defaults


def main(argv: Sequence[str]) -> int:
    """Run what the JSON in the first argument asks for, and write the report to the file in the second one."""
    request, target = json.loads(argv[0]), Path(argv[1])
    sys.path[:] = request["path"]
    with TemporaryDirectory(prefix="mlo-defaults-") as name:
        folder = Path(name).resolve()
        (folder / "pytest.ini").write_text(_INI, encoding="utf-8")
        files = [_default(folder, number, plugin) for number, plugin in enumerate(request["plugins"])]
        wanted = frozenset((plugin["kind"], plugin["id"]) for plugin in request["plugins"])
        collector = Collector(wanted=wanted, defaults=folder)
        ini = ("-c", str(folder / "pytest.ini"), "--rootdir", str(folder))
        options = ["-q", "--assert=plain", "--disable-plugin-autoload", *_PLUGINS, *ini, "--noconftest"]
        options += ["--import-mode=importlib", "--continue-on-collection-errors"]
        suites = [argument for suite in request["suites"] for argument in ("--pyargs", suite)]
        pytest.main([*options, *map(str, files), *suites], plugins=[collector])
    target.write_text(json.dumps(report_of(request, collector), ensure_ascii=False), encoding="utf-8")
    return 0


def report_of(request: Mapping[str, Any], collector: Collector) -> dict[str, Any]:
    """What came out, for people and for a catalogue."""
    plugins = [_plugin_report(plugin["kind"], plugin["id"], collector) for plugin in request["plugins"]]
    # what a suite would have found nobody knows, however well the defaults went
    verdicts = {plugin["verdict"] for plugin in plugins} | ({"unproven"} if collector.broken else set())
    return {
        "distribution": request["distribution"],
        "version": request["version"],
        "verdict": next(verdict for verdict in _WORST if verdict in verdicts),
        "suites": list(request["suites"]),
        "plugins": plugins,
        "notes": list(dict.fromkeys(collector.notes)),
    }


def _plugin_report(kind: str, plugin_id: str, collector: Collector) -> dict[str, Any]:
    key = (kind, plugin_id)
    checks = dict(collector.checks.get(key, {}))
    for contract in collector.classes.get(key, []):
        for state, reasons in (("off", contract.__dict__.get("switched_off")), ("not run", _not_run(contract))):
            for name, reason in (reasons or {}).items():
                checks.setdefault(name, Check(name=name, state=state, reason=reason))
    states = {check.state for check in checks.values()}
    return {
        "kind": kind,
        "id": plugin_id,
        "verdict": "breaks" if "failed" in states else "conforms" if states and "not run" not in states else "unproven",
        "checks": [{"name": each.name, "state": each.state, "reason": each.reason} for each in checks.values()],
    }


def _not_run(contract: type) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(contract, "not_run", {})
    return found


def _default(folder: Path, number: int, plugin: Mapping[str, str]) -> Path:
    """A test file of its own for each plugin: one that cannot be imported leaves the others alone."""
    file = folder / f"test_default_{number}.py"
    source = _DEFAULT.format(kind=plugin["kind"], plugin_id=plugin["id"], value=plugin["value"])
    file.write_text(source, encoding="utf-8")
    return file


def _key(item: pytest.Item) -> Key | None:
    """Kind and id of the plugin that a test speaks of; none for tests that are no contract's."""
    contract = getattr(item, "cls", None)
    if contract is None:
        return None
    for base, kind in contract_kinds().items():
        if issubclass(contract, base):
            return kind, contract.spec.name if hasattr(contract, "spec") else getattr(contract, "name", "")
    return None


def _backend(item: pytest.Item) -> str:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return str(parameters.get("anyio_backend", ""))


def _said(report: pytest.CollectReport | pytest.TestReport) -> str:
    """The message of the error, without the class that every broken contract has."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr)
    lines = [line for line in text.splitlines() if line.strip()]
    line = (lines[0] if crash is not None else lines[-1]) if lines else "no message"
    return line.removeprefix("mlo_sdk.testing.demands.ContractBroken: ").removeprefix("E   ").strip()[:_LONGEST]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
