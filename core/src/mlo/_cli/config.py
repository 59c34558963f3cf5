"""``mlo config check|show|schema``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    checks = [_checked(profile) for profile in profiles or [None]]
    problems = _distinct([each for check in checks for each in check[1]])
    warnings = list(dict.fromkeys(each for check in checks for each in check[2]))
    if options.json:
        say_json(
            {
                "problems": [_problem_as_json(each) for each in problems],
                "warnings": [_warning_as_json(each) for each in warnings],
            }
        )
    else:
        for finding in warnings:
            complain(f"{text('warning')}: {finding.where}: {finding.message} ({finding.fix})")
        for problem in problems:
            complain(f"{text('error')}: {problem}")
        for settings, faults, _ in checks:
            if settings is not None and not faults:
                say(_summary(settings))
    if problems:
        return 2
    return int(options.strict and bool(warnings))


def _checked(profile: str | None) -> tuple[Settings | None, Sequence[ConfigError], Sequence[Finding]]:
    """One profile: its settings, what is wrong and what is doubtful."""
    try:
        settings = load_settings(profile=profile)
    except ConfigError as error:
        return None, error.problems or (error,), ()
    registry = PluginRegistry(settings.plugins)
    found = audit(settings, registry)
    problems = list(found.problems)
    try:
        registry.check_strict()
    except PluginError as error:
        problems.append(ConfigError(settings.plugins.path, str(error), source=settings.source))
    return settings, problems, found.warnings


def _distinct(problems: Sequence[ConfigError]) -> list[ConfigError]:
    """Profiles share tables, so the same mistake may come up under each."""
    return list({str(problem): problem for problem in problems}.values())


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
