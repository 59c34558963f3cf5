"""``mlo plugins list|show|doctor|hooks``; the other commands have modules of their own."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlo._candidates import Candidate, discover
from mlo._discovery import KINDS
from mlo._file import load_policy
from mlo._policy import judge

from . import conformance, locking, new
from .arguments import seconds
from .output import say, say_json, table
from .texts import text

if TYPE_CHECKING:
    from mlo._doctor import PluginReport, Report
    from mlo._registry import PluginRegistry
    from mlo.api import Finding

__all__ = ["run"]

_WIDE = 40
"""Characters of a type that still fit a column."""


def run(argv: Sequence[str]) -> int:
    """Run the command with these arguments."""
    options = _parser().parse_args(argv)
    code: int = options.run(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlo plugins", description=text("command plugins"), allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function in (("list", _list), ("show", _show), ("doctor", _doctor), ("hooks", _hooks)):
        about = text(f"plugins {name}")
        command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        command.set_defaults(run=function)
        command.add_argument("--json", action="store_true", help=text("json"))
        if name in {"list", "show"}:
            command.add_argument("--kind", choices=KINDS, help=text("kind"))
        if name == "show":
            command.add_argument("id", metavar="ID", help=text("id"))
        if name == "doctor":
            command.add_argument("ids", metavar="ID", nargs="*", help=text("ids"))
            command.add_argument("--strict", action="store_true", help=text("strict"))
            command.add_argument("--timeout", type=seconds, metavar="S", default=None, help=text("timeout"))
    for module in (locking, conformance, new):
        module.add_to(commands)
    return parser


def _list(options: argparse.Namespace) -> int:
    rows = [row for row in judge(discover(), load_policy(os.environ)) if options.kind in {None, row.kind}]
    if options.json:
        say_json([_as_json(row) for row in rows])
    elif not rows:
        say(text("no plugins"))
    else:
        head = [text(f"{name} column") for name in ("kind", "id", "dist", "version", "state", "reason")]
        table([head, *(_cells(row) for row in rows)])
    return 0


def _cells(row: Candidate) -> list[str]:
    return [row.kind, row.id, row.dist or "?", row.version or "?", text(row.verdict), row.reason]


def _as_json(row: Candidate) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "id": row.id,
        "distribution": row.dist,
        "version": row.version,
        "api": row.api,
        "value": row.value,
        "verdict": row.verdict,
        "reason": row.reason,
    }


def _registry() -> PluginRegistry:
    from mlo._registry import PluginRegistry  # noqa: PLC0415 - `list` does without

    return PluginRegistry(load_policy(os.environ))


def _show(options: argparse.Namespace) -> int:
    registry = _registry()
    rows = [row for row in registry.candidates() if row.id == options.id and options.kind in {None, row.kind}]
    if not rows:
        from mlo._explain import near  # noqa: PLC0415 - only in case of need
        from mlo.errors import PluginNotFound  # noqa: PLC0415

        known = near(options.id, [row.id for row in registry.candidates()])
        message = f"no installed distribution offers {options.id!r} ({known})"
        raise PluginNotFound(message, kind=options.kind or "plugins", plugin_id=options.id)
    shown = [_details(registry, row) for row in rows]
    if options.json:
        say_json(shown)
        return 0
    for row, details in zip(rows, shown, strict=True):
        say(f"{row.kind}:{row.id}  {row.origin}  {row.value}")
        say(f"  {text(row.verdict)}" + (f": {row.reason}" if row.reason else ""))
        if "summary" in details:
            _show_options(details)
    return 0


def _details(registry: PluginRegistry, row: Candidate) -> dict[str, Any]:
    """The row and, of a plugin that may load, its summary and options."""
    if row.verdict != "available" or row.kind == "commands":
        return _as_json(row)
    from mlo._schema import options_schema  # noqa: PLC0415 - only here

    spec = registry.spec(row.kind, row.id)
    return {**_as_json(row), "summary": spec.summary, "options": options_schema(spec.config)}


def _show_options(details: dict[str, Any]) -> None:
    if details["summary"]:
        say(f"  {details['summary']}")
    schema = details["options"]
    if not schema["properties"]:
        say(f"  {text('no options')}")
        return
    say()
    required = schema.get("required", ())
    head = [text(f"{name} column") for name in ("option", "type", "default", "meaning")]
    rows = [_option(name, option, required) for name, option in schema["properties"].items()]
    table([["  " + cells[0], *cells[1:]] for cells in [head, *rows]])
    say()


def _option(name: str, option: dict[str, Any], required: Sequence[str]) -> list[str]:
    default = option.get("default", "")
    kind, meaning = _type_of(option), option.get("description", "")
    if len(kind) > _WIDE:  # a long choice would push the other columns off the screen
        kind, meaning = text("choice"), " ".join(filter(None, (meaning, kind)))
    shown = default if isinstance(default, str) else json.dumps(default)
    return [name, kind, text("required") if name in required else shown, meaning]


def _type_of(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type_of(one) for one in schema["anyOf"]))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type_of(schema['items'])}"
    kinds = schema.get("type", "any")
    return kinds if isinstance(kinds, str) else " | ".join(kinds)


def _doctor(options: argparse.Namespace) -> int:
    from mlo._audit import audit  # noqa: PLC0415 - only here
    from mlo._config import load_settings  # noqa: PLC0415
    from mlo._registry import PluginRegistry  # noqa: PLC0415
    from mlo.api import ConfiguredInstance, Finding  # noqa: PLC0415

    settings = load_settings()
    registry = PluginRegistry(settings.plugins)
    problems: list[Finding] = []

    def instances() -> Sequence[ConfiguredInstance]:
        found = audit(settings, registry)
        problems.extend(
            Finding(level="error", message=each.reason, where=each.path, fix=each.hint) for each in found.problems
        )
        problems.extend(found.warnings)
        return found.instances

    report = registry.doctor(instances, options.ids or None, timeout=options.timeout)
    findings = [*report.findings, *(() if options.ids else problems)]
    if options.json:
        say_json(
            {
                "plugins": [_report_as_json(each) for each in report.plugins],
                "findings": [_finding_as_json(each) for each in findings],
            }
        )
    else:
        _print_report(report, findings)
    levels = {finding.level for finding in findings}
    return int("error" in levels or (options.strict and "warning" in levels))


def _print_report(report: Report, findings: Sequence[Finding]) -> None:
    from mlo._probe import file_of  # noqa: PLC0415 - only here

    table(_report_cells(each) for each in report.plugins)
    for each in report.plugins:
        if each.causes:
            say(f"\n{each.candidate.kind}:{each.candidate.id}")
            say(f"  {text('file')}: {file_of(each.candidate.value) or each.candidate.value}")
            for depth, cause in enumerate(each.causes):
                say(f"  {'  ' * depth}{cause}")
    if findings:
        say()
    for finding in findings:
        where = f"{finding.where}: " if finding.where else ""
        fix = f" ({finding.fix})" if finding.fix else ""
        say(f"{text(finding.level)}: {where}{finding.message}{fix}")
    levels = [finding.level for finding in findings]
    say("\n" + text("doctor summary", errors=levels.count("error"), warnings=levels.count("warning")))


def _report_cells(report: PluginReport) -> list[str]:
    row = report.candidate
    took = "" if report.import_seconds is None else f"{report.import_seconds * 1000:.0f} ms"
    state = text(report.state) if row.verdict == "available" else text(row.verdict)
    return [f"{row.kind}:{row.id}", row.origin, state, took]


def _report_as_json(report: PluginReport) -> dict[str, Any]:
    from mlo._probe import file_of  # noqa: PLC0415 - only here

    return {
        **_as_json(report.candidate),
        "file": file_of(report.candidate.value),
        "state": report.state,
        "import_seconds": report.import_seconds,
        "causes": list(report.causes),
    }


def _finding_as_json(finding: Finding) -> dict[str, str]:
    return {"level": finding.level, "where": finding.where, "message": finding.message, "fix": finding.fix}


def _hooks(options: argparse.Namespace) -> int:
    registry = _registry()
    hooks = registry.hooks()
    if options.json:
        say_json(
            [
                {"signature": hook.signature, "about": hook.about, "implementers": list(hook.implementers)}
                for hook in hooks
            ]
        )
        return 0
    for hook in hooks:
        say(hook.signature)
        say(f"    {hook.about}")
        for name in hook.implementers or (text("no implementers"),):
            say(f"    - {name}")
    return 0
