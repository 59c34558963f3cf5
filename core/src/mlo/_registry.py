"""Plugins, loaded when their name is first used.

A candidate goes through: verdict on metadata → import → registration → its own hooks → specs. A failure is remembered
with its cause and leaves all other plugins alone. Loading is safe from several threads; nothing can guard against a
module that hangs while it is imported (``mlo plugins doctor`` imports in a process of its own and finds it).
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import pluggy

from ._candidates import Candidate, discover
from ._discovery import AnyKind, Kind, installed_version, load_object
from ._explain import load_failed, one_line, unusable
from ._policy import judge, unmet
from .api import PLUGIN_API, AuthSpec, DoctorContext, Finding, ObserverSpec, ProviderSpec, Spec, StrategySpec
from .errors import PluginConflict, PluginError, PluginIncompatible
from .hookspecs import PROJECT, HookSpecs
from .settings import PluginPolicy

if TYPE_CHECKING:
    from ._doctor import Instances, Report
    from .api import Command

__all__ = ["Hook", "PluginRegistry"]

S = TypeVar("S", bound=Spec[Any])
Offers = Mapping[tuple[Kind, str], Spec[Any]]

_EVERYTHING = PluginPolicy()
_HOOKS: Mapping[Kind, tuple[str, type[Spec[Any]]]] = {
    "providers": ("mlo_providers", ProviderSpec),
    "strategies": ("mlo_strategies", StrategySpec),
    "auth": ("mlo_auth_schemes", AuthSpec),
    "observers": ("mlo_observers", ObserverSpec),
}


@attrs.frozen(kw_only=True)
class Hook:
    """A hook as a plugin's author sees it. ``implementers`` are modules, or names of registered plugins."""

    signature: str
    about: str
    implementers: tuple[str, ...]


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
        self._plugins = pluggy.PluginManager(PROJECT)
        self._plugins.add_hookspecs(HookSpecs)
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
            rows = [attrs.evolve(row, kind=kind, id=plugin_id) for kind, plugin_id in offers]
            before = self.candidates()
            judged = judge((*(self._found or ()), *rows), self.policy)
            clash = next((new for new in judged if new.value == name and new.verdict == "conflict"), None)
            if clash is not None:
                self._plugins.unregister(plugin)
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
                incompatible, in conflict or cannot be loaded.
        """
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
        plugin = self._plugins.get_plugin(candidate.value)
        caller = self._plugins.subset_hook_caller("mlo_doctor", self._all_but(plugin))
        try:
            return [_finding(item) for answer in caller(context=context) for item in answer]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a border, as in `_import`
            where = f"{candidate.kind}:{candidate.id} of {candidate.origin}"
            return [Finding(level="error", message=f"mlo_doctor failed: {one_line(error)}", where=where)]

    def hooks(self) -> Sequence[Hook]:
        """The hooks and who implements them; loads every plugin that may load, and leaves out those that cannot."""
        for row in self.candidates():
            if row.verdict == "available" and row.kind != "commands":
                self.try_load(row)
        return [_hook(name, self._plugins) for name in vars(HookSpecs) if name.startswith("mlo_")]

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
            self._plugins.register(plugin, name=candidate.value)
            self._plugins.check_pending()
            offers = self._ask(plugin)
            self._check_promise(candidate, offers)
        except (Exception, SystemExit) as error:  # a border, as above
            if self._plugins.is_registered(plugin):
                self._plugins.unregister(plugin)
            self._failures[candidate.value] = error
            if isinstance(error, PluginIncompatible):
                raise
            raise load_failed(candidate, error) from error
        return offers

    def _ask(self, plugin: object) -> Offers:
        """The specs that this plugin offers, asked of nobody else."""
        others = self._all_but(plugin)
        offers: dict[tuple[Kind, str], Spec[Any]] = {}
        for kind, (hook, spec_type) in _HOOKS.items():
            for answer in self._plugins.subset_hook_caller(hook, others)():
                for spec in answer:
                    _check_spec(hook, spec, spec_type)
                    if (kind, spec.name) in offers:
                        raise ValueError(f"{hook} offers {spec.name!r} twice")
                    offers[kind, spec.name] = spec
        return offers

    def _all_but(self, plugin: object) -> list[object]:
        return [other for other in self._plugins.get_plugins() if other is not plugin]

    def _check_promise(self, candidate: Candidate, offers: Offers) -> None:
        """Entry points and specs must name the same ids: listing never imports, so metadata must tell the truth."""
        promised = {(row.kind, row.id) for row in self._found or () if row.value == candidate.value}
        if not promised:  # registered by a program: no entry points
            return
        missing = sorted(f"{kind}:{plugin_id}" for kind, plugin_id in promised - set(offers) if kind != "commands")
        extra = sorted(f"{kind}:{plugin_id}" for kind, plugin_id in set(offers) - promised)
        if missing:
            raise LookupError(f"entry points without a spec of that name: {', '.join(missing)}")
        if extra:
            raise LookupError(f"specs without an entry point of that name: {', '.join(extra)}")


def _typed(spec: Spec[Any], spec_type: type[S]) -> S:
    if not isinstance(spec, spec_type):  # checked when it was loaded
        raise TypeError(f"{spec.name!r} is not a {spec_type.__name__}")
    return spec


def _check_spec(hook: str, spec: object, spec_type: type[Spec[Any]]) -> None:
    if not isinstance(spec, spec_type):
        raise TypeError(f"{hook} must give {spec_type.__name__} values, not {type(spec).__name__}")
    if not attrs.has(spec.config):
        raise TypeError(f"the config of {spec.name!r} must be an attrs class, not {spec.config!r}")


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


def _finding(item: object) -> Finding:
    if not isinstance(item, Finding):
        raise TypeError(f"mlo_doctor must give Finding values, not {type(item).__name__}")
    return item


def _hook(name: str, plugins: pluggy.PluginManager) -> Hook:
    spec = getattr(HookSpecs, name)
    signature = inspect.signature(spec)
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    return Hook(
        signature=f"{name}{signature.replace(parameters=parameters)}".replace("'", ""),
        about=inspect.getdoc(spec) or "",
        implementers=tuple(sorted(each.plugin_name for each in getattr(plugins.hook, name).get_hookimpls())),
    )


def _plugin_name(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else f"{type(plugin).__module__}.{type(plugin).__qualname__}"
