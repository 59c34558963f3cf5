"""``mlo config check|show|schema``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from mlo._audit import audit
from mlo._config import load_settings, profiles_of
from mlo._file import find_file
from mlo._registry import PluginRegistry
from mlo.errors import ConfigError, PluginError

from .output import complain, say, say_json
from .texts import text

if TYPE_CHECKING:
    from mlo.api import Finding
    from mlo.settings import Settings

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Run the command with these arguments."""
    options = _parser().parse_args(argv)
    code: int = options.run(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlo config", description=text("command config"), allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function in (("check", _check), ("show", _show), ("schema", _schema)):
        about = text(f"config {name}")
        command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        command.set_defaults(run=function)
        if name == "check":
            command.add_argument("--all", action="store_true", help=text("all profiles"))
            command.add_argument("--strict", action="store_true", help=text("strict"))
        if name == "schema":
            command.add_argument("--output", metavar="FILE", help=text("output"))
        else:
            command.add_argument("--json", action="store_true", help=text("json"))
    return parser


def _check(options: argparse.Namespace) -> int:
    file = find_file(None, os.environ)
    if file is None and not options.json:
        say(text("no file"))
        return 0
    profiles: Sequence[str | None] = profiles_of(file) if options.all and file is not None else [None]
    checks = _told_once([_checked(profile) for profile in profiles or [None]])
    if options.json:
        problems = [_problem_as_json(each) for check in checks for each in check.problems]
        warnings = [_warning_as_json(each) for check in checks for each in check.warnings]
        say_json({"problems": problems, "warnings": warnings})
    else:
        for check in checks:
            _print(check)
    if any(not check.sound for check in checks):
        return 2
    return int(options.strict and any(check.warnings for check in checks))


@frozen(kw_only=True)
class Check:
    """One profile: its settings if they could be read, what is wrong and what is doubtful."""

    settings: Settings | None = None
    problems: tuple[ConfigError, ...] = ()
    warnings: tuple[Finding, ...] = ()
    sound: bool = True


def _checked(profile: str | None) -> Check:
    try:
        settings = load_settings(profile=profile)
    except ConfigError as error:
        return Check(problems=error.problems or (error,), sound=False)
    registry = PluginRegistry(settings.plugins)
    found = audit(settings, registry)
    problems = list(found.problems)
    try:
        registry.check_strict()
    except PluginError as error:
        problems.append(ConfigError(settings.plugins.path, str(error), source=settings.source))
    return Check(settings=settings, problems=tuple(problems), warnings=found.warnings, sound=not problems)


def _told_once(checks: Sequence[Check]) -> list[Check]:
    """The checks without what an earlier one has said: profiles share tables."""
    said: set[str] = set()
    once = []
    for check in checks:
        problems = tuple(each for each in check.problems if str(each) not in said)
        warnings = tuple(each for each in check.warnings if str(each) not in said)
        said.update(map(str, (*problems, *warnings)))
        once.append(evolve(check, problems=problems, warnings=warnings))
    return once


def _print(check: Check) -> None:
    for finding in check.warnings:
        complain(f"{text('warning')}: {finding.where}: {finding.message} ({finding.fix})")
    for problem in check.problems:
        complain(f"{text('error')}: {problem}")
    if check.settings is not None and check.sound:
        say(_summary(check.settings))


def _summary(settings: Settings) -> str:
    return text(
        "check summary",
        source=settings.source,
        profile=text("in profile", name=settings.profile) if settings.profile else "",
        providers=len(settings.providers),
        routes=len(settings.routes),
        observers=len(settings.observers),
    )


def _problem_as_json(problem: ConfigError) -> dict[str, str | None]:
    return {"source": problem.source, "path": problem.path, "reason": problem.reason, "hint": problem.hint}


def _warning_as_json(finding: Finding) -> dict[str, str]:
    return {"path": finding.where, "message": finding.message, "fix": finding.fix}


def _show(options: argparse.Namespace) -> int:
    from mlo._effective import as_toml, effective  # noqa: PLC0415 - only here

    settings = load_settings()
    shown = effective(settings, PluginRegistry(settings.plugins))
    if options.json:
        say_json(shown)
    else:
        say(as_toml(shown).rstrip("\n"))
    return 0


def _schema(options: argparse.Namespace) -> int:
    from mlo._schema import document_schema  # noqa: PLC0415 - only here

    schema: dict[str, Any] = document_schema(PluginRegistry(load_settings().plugins))
    if options.output is None:
        say_json(schema)
        return 0
    import json  # noqa: PLC0415 - only here

    Path(options.output).write_text(json.dumps(schema, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0
