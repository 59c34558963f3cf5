"""``mlo plugins doctor``: load what is allowed, and say everything that is wrong with the installation.

Modules are imported in a process of their own first; what hangs or crashes there is not imported here. A plugin's own
check runs in a thread that is left behind when it does not end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from ._candidates import Candidate
from ._discovery import installed_version, oddities
from ._explain import SINGULAR, near, one_line
from ._policy import matches, unmet
from ._probe import Probe, module_of, probe
from .api import ConfiguredInstance, DoctorContext, Finding
from .errors import ConfigError, PluginNotFound

if TYPE_CHECKING:
    from ._registry import PluginRegistry

__all__ = ["Instances", "PluginReport", "Report", "examine"]

Instances: TypeAlias = Sequence[ConfiguredInstance] | Callable[[], Sequence[ConfiguredInstance]]
State: TypeAlias = Literal["loaded", "failed", "not loaded"]

_LOCK_LEVELS: dict[bool, Literal["warning", "error"]] = {False: "warning", True: "error"}
"""What a difference from the lock is, by whether the policy is strict."""
DEFAULT_TIMEOUT = 10.0
"""Seconds that the import of one module, and the check of one plugin, may take."""
_HEAVY = 0.5
"""Seconds of import that every start of a program would feel: a module with nothing but hooks takes milliseconds."""


@frozen(kw_only=True)
class PluginReport:
    """One candidate. ``causes`` is the chain of errors of a failure, outermost first; times are seconds."""

    candidate: Candidate
    state: State
    import_seconds: float | None = None
    causes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Report:
    """All candidates, and what there is to say: of the installation, the policy and the plugins."""

    plugins: tuple[PluginReport, ...]
    findings: tuple[Finding, ...]

    def has(self, level: Literal["warning", "error"]) -> bool:
        """Whether there is a finding of that level."""
        return any(finding.level == level for finding in self.findings)


def examine(
    registry: PluginRegistry,
    instances: Instances,
    ids: Iterable[str] | None = None,
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> Report:
    """Examine all candidates, or those of some ids.

    ``instances`` may be a function: it is called after modules that hang have been found and set aside.

    Raises:
        PluginNotFound: nobody installed offers one of the ids.
    """
    rows = _chosen(registry.candidates(), ids)
    probes = _probe_all(registry, rows, timeout)
    reports = tuple(_report(registry, row, probes.get(module_of(row.value), Probe())) for row in rows)
    configured = instances() if callable(instances) else instances
    findings = [finding for report in reports for finding in _judgement(report)]
    findings += _heavy(reports)
    if ids is None:
        findings += [Finding(level="warning", message=message, where=where) for where, message in oddities()]
        findings += [
            Finding(level="error", message=fault, where=registry.policy.path)
            for fault in unmet(registry.policy, installed_version)
        ]
        findings += _idle_patterns(registry)
        findings += _lock_findings(registry)
    findings += _own_checks(registry, reports, configured, timeout)
    return Report(plugins=reports, findings=tuple(findings))


def _chosen(rows: Sequence[Candidate], ids: Iterable[str] | None) -> list[Candidate]:
    if ids is None:
        return list(rows)
    wanted = list(ids)
    known = {row.id for row in rows}
    for plugin_id in wanted:
        if plugin_id not in known:
            message = f"no installed distribution offers {plugin_id!r} ({near(plugin_id, known)})"
            raise PluginNotFound(message, kind="plugins", plugin_id=plugin_id)
    return [row for row in rows if row.id in wanted]


def _probe_all(registry: PluginRegistry, rows: Sequence[Candidate], timeout: float) -> dict[str, Probe]:
    """Import each module once, elsewhere; have the registry set aside what is fatal."""
    probes: dict[str, Probe] = {}
    for row in rows:
        if row.verdict != "available" or registry.is_programmatic(row):
            continue
        module = module_of(row.value)
        if module not in probes:
            probes[module] = probe(module, timeout)
        if probes[module].fatal:
            registry.set_aside(row.value, probes[module].fatal)
    return probes


def _report(registry: PluginRegistry, row: Candidate, probed: Probe) -> PluginReport:
    if row.verdict != "available":
        return PluginReport(candidate=row, state="not loaded")
    error = registry.try_load(row)
    if error is None:
        return PluginReport(candidate=row, state="loaded", import_seconds=probed.seconds)
    return PluginReport(candidate=row, state="failed", import_seconds=probed.seconds, causes=tuple(_chain(error)))


def _chain(error: BaseException) -> Iterable[str]:
    """The error, what caused it, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield one_line(current)
        hidden = current.__suppress_context__ and current.__cause__ is None
        current = None if hidden else current.__cause__ or current.__context__


def _judgement(report: PluginReport) -> Iterable[Finding]:
    """What the candidate's own state amounts to."""
    row = report.candidate
    where = f"{row.kind}:{row.id} of {row.origin}"
    if report.state == "failed":
        cause = report.causes[1] if len(report.causes) > 1 else report.causes[0]
        yield Finding(level="error", message=f"cannot be loaded: {cause}", where=where, fix=_way_out(row))
    elif row.verdict == "conflict":
        yield Finding(level="error", message=row.reason, where=where, fix="plugins.prefer, or uninstall one")
    elif row.verdict in {"incompatible", "shadowed"}:
        yield Finding(level="warning", message=f"{row.verdict}: {row.reason}", where=where)


def _way_out(row: Candidate) -> str:
    """What an operator can do about a plugin that cannot be loaded."""
    if row.dist is None:
        return "mend it where the program gives it"
    return f"reinstall or upgrade {row.dist}, or deny it: plugins.deny = [{f'{row.kind}:{row.id}'!r}]"


def _heavy(reports: Iterable[PluginReport]) -> Iterable[Finding]:
    """Modules whose import alone takes long; each once, whatever it offers."""
    slow = {
        module_of(report.candidate.value): report
        for report in reversed(list(reports))
        if report.state == "loaded" and (report.import_seconds or 0) >= _HEAVY
    }
    for module, report in reversed(slow.items()):
        row = report.candidate
        yield Finding(
            level="warning",
            message=f"the import of {module} takes {report.import_seconds:.1f} s: import what is heavy where used",
            where=f"{row.kind}:{row.id} of {row.origin}",
            fix=f"`python -X importtime -c 'import {module}'` shows what takes so long",
        )


def _idle_patterns(registry: PluginRegistry) -> Iterable[Finding]:
    """Names in the policy that nobody installed has: a slip of the pen, or a plugin that is not there yet.

    Globs are spared: they are made for what may come.
    """
    policy, rows = registry.policy, registry.candidates()
    for key, patterns in (("allow", policy.allow or ()), ("deny", policy.deny)):
        for pattern in patterns:
            if not set("*?[") & set(pattern) and not any(matches(pattern, row) for row in rows):
                message = f"{pattern!r} speaks of no installed plugin"
                yield Finding(level="info", message=message, where=f"{policy.path}.{key}")


def _lock_findings(registry: PluginRegistry) -> list[Finding]:
    """How the installation differs from the lock that the policy names."""
    policy = registry.policy
    if policy.lock is None:
        return []
    from ._prints import lock_faults  # noqa: PLC0415 - few have a lock

    where, level = f"{policy.path}.lock", _LOCK_LEVELS[policy.strict]
    rows = [row for row in registry.candidates() if not registry.is_programmatic(row)]
    try:
        faults = lock_faults(policy, rows, Path(policy.lock))
    except ConfigError as error:
        return [Finding(level=level, message=error.reason, where=where, fix=error.hint)]
    fix = "`mlo plugins lock`, if that was meant"
    return [Finding(level=level, message=fault, where=where, fix=fix) for fault in faults]


def _own_checks(
    registry: PluginRegistry, reports: Sequence[PluginReport], instances: Sequence[ConfiguredInstance], timeout: float
) -> list[Finding]:
    """What the loaded plugins say of themselves and of their instances; each module is asked once."""
    findings: list[Finding] = []
    loaded = [
        report.candidate for report in reports if report.state == "loaded" and report.candidate.kind != "commands"
    ]
    for value in dict.fromkeys(row.value for row in loaded):
        rows = [row for row in loaded if row.value == value]
        offered = {(row.kind, row.id) for row in rows}
        context = DoctorContext(
            instances=tuple(each for each in instances if (each.kind, each.use) in offered), now=time.time()
        )
        findings += _ask(registry, rows[0], context, timeout)
    return findings


def _ask(registry: PluginRegistry, row: Candidate, context: DoctorContext, timeout: float) -> Sequence[Finding]:
    answers: list[Sequence[Finding]] = []
    worker = threading.Thread(target=lambda: answers.append(registry.ask_doctor(row, context)), daemon=True)
    worker.start()
    worker.join(timeout)
    if answers:
        return answers[0]
    where = f"{SINGULAR[row.kind]} {row.id!r} of {row.origin}"
    return [Finding(level="error", message=f"mlo_doctor did not finish in {timeout:g} s", where=where)]
