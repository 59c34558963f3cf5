"""Plugins, loaded when their name is first used.

A candidate goes through: verdict on metadata → import → registration → its own hooks → specs. A failure is remembered
with its cause and leaves all other plugins alone. Loading is safe from several threads; nothing can guard against a
module that hangs while it is imported (``mlo plugins doctor`` imports in a process of its own and finds it).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import evolve
from attrs import has as attrs_has

from ._candidates import Candidate, discover
from ._discovery import AnyKind, Kind, installed_version, load_object
from ._explain import load_failed, one_line, unusable
from ._pluggy import Hook, LoadedPlugins, Offers
from ._policy import judge, unmet
from .api import PLUGIN_API, AuthSpec, DoctorContext, Finding, ObserverSpec, ProviderSpec, Spec, StrategySpec
from .errors import PluginConflict, PluginError, PluginIncompatible
from .settings import PluginPolicy

if TYPE_CHECKING:
    from ._doctor import Instances, Report
    from .api import Command

__all__ = ["PluginRegistry"]

S = TypeVar("S", bound=Spec[Any])

_EVERYTHING = PluginPolicy()


class PluginRegistry:
    """Finds and loads plugins under a policy. Nothing happens before the first question is asked.

    ``candidates`` replaces the scan of the installation.
    """

    def __init__(self, policy: PluginPolicy = _EVERYTHING, *, candidates: Sequence[Candidate] | None = None) -> None:
        self.policy = policy
        self._lock = threading.RLock()
        self._locks: dict[str, threading.RLock] = {}
        self._found = None if candidates is None else tuple(candidates)
        self._judged: tuple[Candidate, ...] | None = None
        self._plugins = LoadedPlugins()
        self._specs: dict[tuple[Kind, str], Spec[Any]] = {}
        self._offers: dict[str, Offers] = {}
        self._registered: set[str] = set()
        self._failures: dict[str, Exception | SystemExit] = {}

    def spec(self, kind: Kind, plugin_id: str) -> Spec[Any]:
        """The spec of that id; loads its plugin on first use.

        Raises:
            PluginNotFound: nobody offers it.
            PluginBlocked: the policy forbids it.
            PluginConflict: several distributions offer it.
            PluginIncompatible: it was made for another plugin API.
            PluginLoadFailed: its import or registration raised.
        """
        known = self._specs.get((kind, plugin_id))
        if known is not None:
            return known
        spec = self._load(self._choose(kind, plugin_id))[kind, plugin_id]
        self._specs[kind, plugin_id] = spec
        return spec

    def provider(self, plugin_id: str) -> ProviderSpec[Any]:
        """The provider of that id. Raises what :meth:`spec` raises."""
        return _typed(self.spec("providers", plugin_id), ProviderSpec)

    def strategy(self, plugin_id: str) -> StrategySpec[Any]:
        """The strategy of that id. Raises what :meth:`spec` raises."""
        return _typed(self.spec("strategies", plugin_id), StrategySpec)

    def auth(self, plugin_id: str) -> AuthSpec[Any]:
        """The auth scheme of that id. Raises what :meth:`spec` raises."""
        return _typed(self.spec("auth", plugin_id), AuthSpec)

    def observer(self, plugin_id: str) -> ObserverSpec[Any]:
        """The observer of that id. Raises what :meth:`spec` raises."""
        return _typed(self.spec("observers", plugin_id), ObserverSpec)

    def candidates(self) -> Sequence[Candidate]:
        """Everything installed, with verdicts; imports no plugin."""
        with self._lock:
            if self._found is None:
                self._found = discover()
            if self._judged is None:
                self._judged = judge(self._found, self.policy)
            return self._judged

    def register(self, plugin: object) -> None:
        """Add a plugin that is not installed: a module or an object with functions marked ``hookimpl``.

        An installed plugin stays as it is.
        Its name in ``plugins.prefer`` and ``plugins.deny`` (as ``dist:NAME``) is the module's or the class's name.

        Raises:
            PluginConflict: it offers an id that somebody else offers, and the policy prefers neither.
            PluginLoadFailed: its hooks are wrong.
            PluginIncompatible: it demands another plugin API.
        """
        name = _plugin_name(plugin)
        row = Candidate(kind="providers", id=name, value=name, dist=name, version=None, api=PLUGIN_API[0])
        with self._lock:
            if any(row.value == name for row in self.candidates() if row.dist != name):
                return  # an installed plugin: discovery knows it, and the policy has judged it
            if name in self._offers:
                raise PluginConflict(f"the plugin {name} is registered already", kind="plugins", plugin_id=name)
            offers = self._enter(row, plugin)
            rows = [evolve(row, kind=kind, id=plugin_id) for kind, plugin_id in offers]
            before = self.candidates()
            judged = judge((*(self._found or ()), *rows), self.policy)
            clash = next((new for new in judged if new.value == name and new.verdict == "conflict"), None)
            if clash is not None:
                self._plugins.leave(name)
                raise unusable(clash.kind, clash.id, judged, self.policy.path)
            self._offers[name] = offers
            self._registered.add(name)
            self._found = (*(self._found or before), *rows)
            self._judged = judged
            for kind, plugin_id in offers:
                self._specs.pop((kind, plugin_id), None)

    def check_strict(self) -> None:
        """Refuse to start if the installation is not what the policy demands.

        Raises:
            PluginError: lists every unmet ``require`` and ``pin`` and, under ``strict``, every allowed plugin that is
                incompatible, in conflict or cannot be loaded. Where it names a lock, that comes first, before any
                import.
            ConfigError: the lock cannot be read.
        """
        if self.policy.lock:
            from ._prints import check_lock  # noqa: PLC0415 - few have a lock

            check_lock(self.policy, [row for row in self.candidates() if not self.is_programmatic(row)])
        faults = list(unmet(self.policy, installed_version))
        causes: list[Exception] = []
        if self.policy.strict:
            faults += [
                f"{row.kind}:{row.id} of {row.origin}: {row.verdict}, {row.reason}"
                for row in self.candidates()
                if row.verdict in {"incompatible", "conflict"}
            ]
            rows = [row for row in self.candidates() if row.verdict == "available" and row.kind != "commands"]
            causes = [error for row in rows if (error := self.try_load(row)) is not None]
            faults += [str(error) for error in causes]
        if faults:
            lines = "\n".join(f"  {fault}" for fault in faults)
            cause = ExceptionGroup("plugins that could not be loaded", causes) if causes else None
            raise PluginError(f"the plugins are not as required:\n{lines}", kind="plugins", plugin_id="*") from cause

    def try_load(self, candidate: Candidate) -> PluginError | None:
        """Load an available candidate and return the error that this meets, if any. Commands are imported as well."""
        try:
            if candidate.kind == "commands":
                self.command(candidate.id)
            else:
                self.spec(candidate.kind, candidate.id)
        except PluginError as error:
            return error
        return None

    def command(self, name: str) -> Command:
        """The subcommand of that name. Raises what :meth:`spec` raises."""
        candidate = self._choose("commands", name)
        with self._loading(candidate.value):
            loaded = self._import(candidate)
        if callable(loaded):
            return cast("Command", loaded)
        error = TypeError(f"a command must be callable, and {candidate.value} is a {type(loaded).__name__}")
        raise load_failed(candidate, error) from error

    def section(self, name: str) -> type | None:
        """The attrs class of the command's table in ``mlo.toml``; ``None`` where the command names none.

        The command's module names it, as ``mlo_section = "package.module:Class"``. Raises what :meth:`spec` raises.
        """
        self.command(name)
        candidate = self._choose("commands", name)
        place = getattr(sys.modules.get(candidate.value.partition(":")[0].strip()), "mlo_section", None)
        if place is None:
            return None
        found = self._import(evolve(candidate, value=str(place)))
        if isinstance(found, type) and attrs_has(found):
            return found
        wrong = TypeError(f"mlo_section must name an attrs class, and {place} is a {type(found).__name__}")
        raise load_failed(candidate, wrong) from wrong

    def doctor(
        self,
        instances: Instances = (),
        ids: Iterable[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> Report:
        """Load what is allowed and say what is wrong with the installation. See :mod:`mlo._doctor`."""
        from ._doctor import DEFAULT_TIMEOUT, examine  # noqa: PLC0415 - needed by one command only

        return examine(self, instances, ids, timeout=DEFAULT_TIMEOUT if timeout is None else timeout)

    def ask_doctor(self, candidate: Candidate, context: DoctorContext) -> Sequence[Finding]:
        """What the hook ``mlo_doctor`` of a loaded plugin finds; a hook that raises is a finding itself."""
        try:
            return self._plugins.findings(candidate.value, context)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a border, as in `_import`
            where = f"{candidate.kind}:{candidate.id} of {candidate.origin}"
            return [Finding(level="error", message=f"mlo_doctor failed: {one_line(error)}", where=where)]

    def hooks(self) -> Sequence[Hook]:
        """The hooks and who implements them; loads every plugin that may load, and leaves out those that cannot."""
        for row in self.candidates():
            if row.verdict == "available" and row.kind != "commands":
                self.try_load(row)
        return self._plugins.hooks()

    def set_aside(self, value: str, reason: str) -> None:
        """Never import that module: every use of it fails with the reason."""
        with self._lock:
            self._failures.setdefault(value, ImportError(reason))

    def is_programmatic(self, candidate: Candidate) -> bool:
        """Whether a program registered the plugin, so that there is nothing to import."""
        return candidate.value in self._registered

    def _choose(self, kind: AnyKind, plugin_id: str) -> Candidate:
        rows = self.candidates()
        for row in rows:
            if row.kind == kind and row.id == plugin_id and row.verdict == "available":
                return row
        raise unusable(kind, plugin_id, rows, self.policy.path)

    def _load(self, candidate: Candidate) -> Offers:
        known = self._offers.get(candidate.value)
        if known is not None:
            return known
        with self._loading(candidate.value):
            known = self._offers.get(candidate.value)  # somebody else may have been quicker
            if known is not None:
                return known
            plugin = self._import(candidate)
            with self._lock:
                offers = self._offers[candidate.value] = self._enter(candidate, plugin)
            return offers

    def _loading(self, value: str) -> threading.RLock:
        """A lock per plugin: one that hangs while it is imported does not hold up the others."""
        with self._lock:
            return self._locks.setdefault(value, threading.RLock())

    def _import(self, candidate: Candidate) -> object:
        remembered = self._failures.get(candidate.value)
        if isinstance(remembered, PluginIncompatible):
            raise remembered
        if remembered is not None:
            raise load_failed(candidate, remembered) from remembered
        try:
            return load_object(candidate.value)
        except (Exception, SystemExit) as error:  # a border: whatever a plugin's import raises is its own business
            self._failures[candidate.value] = error
            raise load_failed(candidate, error) from error

    def _enter(self, candidate: Candidate, plugin: object) -> Offers:
        """Register and ask for specs; leaves nothing behind when that fails."""
        try:
            _check_api(candidate, plugin)
            offers = self._plugins.enter(candidate.value, plugin)
            self._check_promise(candidate, offers)
        except (Exception, SystemExit) as error:  # a border, as above
            self._failures[candidate.value] = error
            if isinstance(error, PluginIncompatible):
                raise
            raise load_failed(candidate, error) from error
        return offers

    def _check_promise(self, candidate: Candidate, offers: Offers) -> None:
        fault = self._broken_promise(candidate, offers)
        if fault:
            self._plugins.leave(candidate.value)
            raise LookupError(fault)

    def _broken_promise(self, candidate: Candidate, offers: Offers) -> str:
        """Where entry points and specs differ: listing never imports, so metadata must tell the truth.

        What another distribution, or a copy of this one that is out of sight, says of the module is not its promise.
        """
        module = [
            row
            for row in self._found or ()
            if row.value == candidate.value and row.api == candidate.api and row.verdict != "shadowed"
        ]
        promised = {(row.kind, row.id) for row in module if row.dist == candidate.dist}
        missing = sorted(f"{kind}:{plugin_id}" for kind, plugin_id in promised - set(offers) if kind != "commands")
        if missing:
            return f"entry points without a spec of that name: {', '.join(missing)}"
        known = {(row.kind, row.id) for row in module}
        extra = sorted(f"{kind}:{plugin_id}" for kind, plugin_id in set(offers) - known) if known else []
        return f"specs without an entry point of that name: {', '.join(extra)}" if extra else ""


def _typed(spec: Spec[Any], spec_type: type[S]) -> S:
    if not isinstance(spec, spec_type):  # checked when it was loaded
        raise TypeError(f"{spec.name!r} is not a {spec_type.__name__}")
    return spec


def _check_api(candidate: Candidate, plugin: object) -> None:
    wanted = getattr(plugin, "mlo_api", PLUGIN_API)
    match wanted:
        case (int(major), int(minor)) if major == PLUGIN_API[0] and minor <= PLUGIN_API[1]:
            return
        case (int(major), int(minor)):
            ours = ".".join(str(part) for part in PLUGIN_API)
            raise PluginIncompatible(
                f"{candidate.origin} ({candidate.value}) needs plugin API {major}.{minor}, this kernel has {ours}: "
                f"install another release of {candidate.dist} or of mlo-core",
                kind=candidate.kind,
                plugin_id=candidate.id,
                dist=candidate.dist,
                version=candidate.version,
            )
    raise TypeError(f"mlo_api must be a pair of integers such as {PLUGIN_API}, not {wanted!r}")


def _plugin_name(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else f"{type(plugin).__module__}.{type(plugin).__qualname__}"
