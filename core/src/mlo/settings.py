"""The configuration as values: what ``mlo.toml`` says once read, and what a program may build itself.

Reading, references to secrets and error messages are the business of :mod:`mlo._config`; here are only shapes and
defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from .models import Capability, Price, Residency

__all__ = [
    "BreakerSettings",
    "ComponentSettings",
    "PluginPolicy",
    "ProviderSettings",
    "RetrySettings",
    "RouteSettings",
    "SectionSettings",
    "Settings",
    "section",
]

C = TypeVar("C")


def _strings(strings: Iterable[str]) -> tuple[str, ...]:
    return tuple(strings)


@frozen(kw_only=True)
class PluginPolicy:
    """Which plugins may load.

    Patterns are globs on ``id``, ``kind:id`` or ``dist:NAME``; deny beats allow; no ``allow`` allows all.

    ``require`` maps distributions to a version prefix that must be installed, ``pin`` is the same without the
    must-be-installed, ``prefer`` maps an id to the distribution that wins where two offer it. ``strict`` refuses to
    start while any allowed plugin is broken, or differs from the file ``lock`` that ``mlo plugins lock`` wrote.
    ``allow_also`` are further allow-lists, all of which must match too, and ``deny_also`` further denials: what the
    environment adds. ``path`` is where the policy stands in the configuration, for messages.
    """

    allow: tuple[str, ...] | None = None
    allow_also: tuple[tuple[str, ...], ...] = ()
    deny: tuple[str, ...] = ()
    deny_also: tuple[str, ...] = ()
    require: Mapping[str, str] = field(factory=dict)
    pin: Mapping[str, str] = field(factory=dict)
    prefer: Mapping[str, str] = field(factory=dict)
    strict: bool = False
    lock: str | None = None
    path: str = "plugins"


@frozen(kw_only=True)
class ComponentSettings:
    """A plugin to use and its options, not yet checked against the plugin's configuration class.

    ``options`` may hold references such as ``env:NAME``; they are resolved when the component opens.
    """

    use: str
    options: Mapping[str, Any] = field(factory=dict, repr=False)
    path: str = ""


@frozen(kw_only=True)
class ProviderSettings(ComponentSettings):
    """A provider instance. The keys beside ``use`` and the plugin's own options belong to the kernel.

    ``concurrency`` caps calls under way per credential (``0``: no cap); the rest overrides what the plugin says of
    itself.
    """

    auth: ComponentSettings | None = None
    concurrency: int | None = None
    capabilities: frozenset[Capability] | None = None
    residency: Residency | None = None
    price: Price | None = None
    labels: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class RetrySettings:
    """How often the whole set of targets is tried again.

    In each round every eligible target gets its chance as the strategy proposes. Before a further round, the kernel
    waits between
    0 and ``base * 2**(round - 1)`` seconds, at most ``cap`` ("full jitter"), or the shortest ``Retry-After`` if that
    is longer.
    """

    rounds: int = 2
    base: float = 0.5
    cap: float = 10.0


@frozen(kw_only=True)
class RouteSettings:
    """A named way to an answer.

    ``targets`` are ``INSTANCE``, ``INSTANCE:MODEL`` or ``route:NAME``. ``deadline`` bounds the whole call,
    ``attempt_timeout`` one attempt (a stream: until its first event); both are seconds. ``failover_on`` names error
    classes that fail over on this route although they are fatal elsewhere.
    """

    targets: tuple[str, ...] = field(converter=_strings)
    strategy: ComponentSettings = ComponentSettings(use="first-available")
    deadline: float | None = None
    attempt_timeout: float | None = None
    retry: RetrySettings = RetrySettings()
    failover_on: tuple[str, ...] = field(default=(), converter=_strings)
    path: str = ""


@frozen(kw_only=True)
class BreakerSettings:
    """When a target is left alone.

    After ``failures`` in a row, for ``open_for`` seconds, doubling up to ``max_open_for`` while probes fail.
    """

    failures: int = 5
    open_for: float = 15.0
    max_open_for: float = 240.0


@frozen(kw_only=True)
class SectionSettings:
    """The table of a command such as ``[gateway]``, not yet checked against the command's configuration class.

    ``options`` may hold references such as ``env:NAME``; :func:`section` resolves them.
    """

    options: Mapping[str, Any] = field(factory=dict, repr=False)
    path: str = ""


@frozen(kw_only=True)
class Settings:
    """A whole configuration. Without routes, the route ``default`` tries all providers in order.

    ``source`` is the file it came from, for error messages. ``retry_ratio`` bounds retries to that share of calls
    over all routes, beyond a reserve of ``retry_reserve``. ``sections`` are the tables of commands, by the command's
    name; see :func:`section`.
    """

    profile: str | None = None
    providers: Mapping[str, ProviderSettings] = field(factory=dict)
    routes: Mapping[str, RouteSettings] = field(factory=dict)
    observers: Mapping[str, ComponentSettings] = field(factory=dict)
    plugins: PluginPolicy = PluginPolicy()
    breaker: BreakerSettings = BreakerSettings()
    retry_ratio: float = 0.2
    retry_reserve: float = 10.0
    capture: Literal["none", "content"] = "none"
    source: str | None = None
    sections: Mapping[str, SectionSettings] = field(factory=dict)


def section(settings: Settings, name: str, config_class: type[C], *, environ: Mapping[str, str] | None = None) -> C:
    """The table of the command ``name`` as its configuration class, which may be nested; its defaults without a table.

    References are followed as in the options of a plugin: in the environment (``environ`` replaces it), and from the
    folder of the configuration file.

    Raises:
        ConfigError: tells everything that is wrong, with full paths and without values.
    """
    from ._config import build_options  # noqa: PLC0415 - who only wants the values needs no converter

    found = settings.sections.get(name, _NO_SECTION)
    path = found.path or name
    return build_options(config_class, found.options, path, environ=environ, source=settings.source)


_NO_SECTION = SectionSettings()
