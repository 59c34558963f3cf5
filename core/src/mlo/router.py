"""The façade that users hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from types import TracebackType
from typing import Any, Self, Unpack

import anyio
import attrs
from anyio.abc import TaskGroup

from . import _running
from ._asking import abilities_of, component_of, deadline_of, plan_of, request_of
from ._components import ComponentHost
from ._composing import name_of, new_provider, new_route, with_default_route
from ._config import load_settings
from ._inquiries import give_hint, healths_of, models_of, statuses_of
from ._instances import Resolved, given
from ._kernel import Kernel
from ._plan import RoutePlan
from ._registry import PluginRegistry
from ._wiring import Wiring, unknown
from .api import Observer, Provider, Strategy
from .errors import ConfigError, MloError
from .models import Capability, ModelInfo
from .relay import RelayRequest
from .relayed import RelayCall
from .requests import EmbeddingRequest, Prompt, RequestFields
from .responses import ChatResponse, Embeddings, Health
from .settings import ComponentSettings, ProviderSettings, RouteSettings, Settings
from .status import TargetStatus
from .stream import Stream

__all__ = ["Router"]


class Router:
    """Sends requests along routes to providers.

    ::

        async with Router() as router:
            router.add_provider("mock")
            answer = await router.route("Привет")
            print(answer.text)

    A router belongs to the event loop in which its block was entered; from other threads use
    :class:`mlo.BlockingRouter`. ``strategy`` is for the route ``default`` over all providers, where the settings have
    no such route: the id of a plugin, or a strategy object.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        strategy: str | Strategy = "first-available",
        plugins: Iterable[object] = (),
        registry: PluginRegistry | None = None,
    ) -> None:
        self._settings = Settings() if settings is None else settings
        self._registry = PluginRegistry(self._settings.plugins) if registry is None else registry
        self._plugins = list(plugins)
        for plugin in self._plugins:
            self._registry.register(plugin)
        self._given: dict[str, Resolved] = {}
        self._strategies: dict[str, Strategy] = {}
        self._default = self._strategy_settings(strategy, "strategy")
        self._origin: tuple[str | PathLike[str] | None, str | None] | None = None
        self._tasks: TaskGroup | None = None
        self._host: ComponentHost | None = None
        self._kernel: Kernel | None = None

    @classmethod
    def from_file(cls, path: str | PathLike[str] | None = None, *, profile: str | None = None) -> Router:
        """A router as ``mlo.toml`` describes it.

        ``path`` defaults to ``$MLO_CONFIG``, then ``mlo.toml`` in the current folder; ``profile`` to
        ``$MLO_PROFILE``, then what the file says.

        Raises:
            ConfigError: when the file cannot be read or is wrong.
        """
        router = cls(load_settings(path, profile=profile))
        router._origin = (path, profile)
        return router

    async def __aenter__(self) -> Self:
        if self._kernel is not None:
            raise MloError("this router is open already")
        self._registry.check_strict()
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._tasks, self._host = tasks, ComponentHost(tasks)
        try:
            kernel = Kernel(
                self._with_default(self._settings),
                self._registry,
                self._host,
                tasks,
                given=self._given,
                strategies=self._strategies,
            )
            await kernel.start()
        except BaseException:
            await self._shut()
            raise
        self._kernel = kernel
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel = None
        await self._shut()

    async def _shut(self) -> None:
        tasks, host = self._tasks, self._host
        if tasks is None or host is None:
            return
        self._tasks = self._host = None
        with anyio.CancelScope(shield=True):
            await host.close()
        tasks.cancel_scope.cancel()
        # the body's own error is not handed over: the group would wrap it, and `except MloError` would miss it
        await tasks.__aexit__(None, None, None)

    @property
    def is_open(self) -> bool:
        """Whether the block of this router has been entered and not left."""
        return self._kernel is not None

    @property
    def providers(self) -> Mapping[str, ProviderSettings]:
        """The provider instances, by name."""
        return self._settings.providers

    @property
    def routes(self) -> Mapping[str, RouteSettings]:
        """The routes, by name, ``default`` always among them."""
        return self._with_default(self._settings).routes

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._settings

    def add_provider(
        self,
        name: str,
        provider: Provider | None = None,
        /,
        *,
        use: str | None = None,
        auth: Mapping[str, Any] | None = None,
        concurrency: int | None = None,
        capabilities: Iterable[Capability] | None = None,
        labels: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Add a provider instance: of the plugin ``use`` (default: the one named like it), or a ready object.

        ``options`` are the plugin's; ``auth`` is ``{"use": SCHEME, ...}``. A ready ``provider`` stays its maker's to
        close.

        Raises:
            ConfigError: when the name is taken or wrong. Wrong options are found when the provider is first used.
        """
        settings = new_provider(
            self._settings,
            name,
            use=use,
            options=options,
            auth=auth,
            concurrency=concurrency,
            capabilities=capabilities,
            labels=labels,
        )
        if provider is not None:
            kinds = abilities_of(provider) if settings.capabilities is None else settings.capabilities
            self._given[name] = given(provider, kinds, concurrency)
        self._change(providers={**self._settings.providers, name: settings})

    def add_route(
        self,
        name: str,
        targets: Iterable[str],
        *,
        strategy: str | Strategy | Mapping[str, Any] = "first-available",
        **limits: Any,
    ) -> None:
        """Add a route. ``limits`` are further fields of :class:`~mlo.settings.RouteSettings`.

        Raises:
            ConfigError: when the name is taken, or a target is unknown, twice there, or has an empty model.
        """
        path = f"routes.{name}.strategy"
        chosen = (
            component_of(strategy, path)
            if isinstance(strategy, Mapping)
            else self._strategy_settings(strategy, f"routes.{name}")
        )
        route = new_route(self._settings, name, targets, chosen, limits)
        self._change(routes={**self._settings.routes, name: route})

    def register(self, plugin: object) -> None:
        """Make a plugin known that is not installed: a module or an object with functions marked ``mlo.hookimpl``.

        Raises:
            PluginError: when it is wrong or its ids are taken.
        """
        self._registry.register(plugin)
        self._plugins.append(plugin)

    async def reload(self, settings: Settings | None = None) -> None:
        """Let further calls use new ``settings`` (default: the file, read again). Calls under way end as they began.

        What has not changed stays open: connections, tokens, circuit breakers. Returns when the last old call has
        ended.

        Raises:
            ConfigError: when the new configuration is wrong; then the old one stays in force.
            PluginError: when it demands plugins that are not there.
        """
        if settings is None:
            if self._origin is None:
                raise ConfigError("reload", "this router was not made from a file", hint="give the new settings")
            path, profile = self._origin
            settings = load_settings(path, profile=profile)
        registry = self._registry
        if settings.plugins != self._settings.plugins:
            registry = PluginRegistry(settings.plugins)
            for plugin in self._plugins:
                registry.register(plugin)
        registry.check_strict()
        kernel = self._running()
        await kernel.replace(self._with_default(settings), registry)
        self._settings, self._registry = settings, registry
        await kernel.settled()

    async def route(
        self,
        prompt: Prompt,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> ChatResponse:
        """Ask, and wait for the whole answer.

        ``prompt`` is text, a message, messages, or a whole request. ``route`` names a route (default: ``default``);
        ``target`` goes to one place without a route. ``deadline`` is in seconds for everything: waiting, retries and
        fallbacks included.

        Raises:
            NoTarget: nobody on the route can take the request.
            DeadlineExceeded: the time ran out.
            AttemptsExhausted: several attempts were made, and all failed.
            ProviderError: a fatal error such as ``InvalidRequest`` or ``AuthFailed``, or the error of the only attempt.
            ConfigError: an unknown route or target, or wrong options of the only target.
            PluginError: the plugin of the strategy or of the only target cannot be used.
        """
        wiring = self._running().wiring
        plan, model_there = plan_of(wiring, route, target)
        request = request_of(prompt, model or model_there, fields)
        return await _running.generate(wiring, plan, request, deadline_of(plan, deadline))

    def route_stream(
        self,
        prompt: Prompt,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> Stream:
        """Ask, and read the answer while it is written.

        Parameters as in :meth:`route`; errors are raised while reading.
        """

        def begin() -> tuple[Wiring, RoutePlan, float | None]:
            wiring = self._running().wiring
            plan, _ = plan_of(wiring, route, target)
            return wiring, plan, deadline_of(plan, deadline)

        _, model_there = plan_of(self._running().wiring, route, target)
        return Stream(begin, request_of(prompt, model or model_there, fields))

    def relay(
        self,
        request: RelayRequest,
        *,
        route: str | None = None,
        target: str | None = None,
        deadline: float | None = None,
    ) -> RelayCall:
        """Ask with a client's own bytes; for gateways. See :class:`~mlo.relayed.RelayCall`.

        ``request.chat.model`` overrides the target's. Errors are raised on entering and while reading.
        """
        wiring = self._running().wiring
        plan, model = plan_of(wiring, route, target)
        if model is not None and request.chat.model is None:
            request = attrs.evolve(request, chat=request.chat.for_model(model))
        return RelayCall(wiring, plan, request, deadline_of(plan, deadline))

    async def embed(
        self,
        texts: str | Iterable[str] | EmbeddingRequest,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
    ) -> Embeddings:
        """Turn texts into vectors. Errors as in :meth:`route`."""
        wiring = self._running().wiring
        plan, model_there = plan_of(wiring, route, target)
        if not isinstance(texts, EmbeddingRequest):
            texts = EmbeddingRequest(texts=(texts,) if isinstance(texts, str) else texts)
        if (wanted := model or model_there) is not None:
            texts = attrs.evolve(texts, model=wanted)
        return await _running.embed(wiring, plan, texts, deadline_of(plan, deadline))

    async def models(self, provider: str | None = None) -> Mapping[str, tuple[ModelInfo, ...] | MloError]:
        """The models of all providers, or of one. A provider that fails is there with its error instead.

        Raises:
            ConfigError: when there is no such provider.
        """
        return await models_of(self._running(), self._chosen(provider))

    async def health(self, provider: str | None = None) -> Mapping[str, Health]:
        """How the providers are; costs nothing. A provider that cannot even be asked is unhealthy, with the reason.

        Raises:
            ConfigError: when there is no such provider.
        """
        return await healths_of(self._running(), self._chosen(provider))

    def targets(self) -> tuple[TargetStatus, ...]:
        """How the targets of all routes are right now, and those that were used without a route. Opens nothing."""
        return statuses_of(self._running().wiring)

    def hint(self, target: str, *, open_for: float) -> bool:
        """Pass on what another process has found out: ``target`` is ill for so many seconds, or well again (0).

        Until then it is left alone, as if its circuit breaker had opened here; a breaker that has opened here stays as
        it is. ``False`` if this router has no such target.
        """
        return give_hint(self._running().wiring, target, open_for)

    async def provider(self, name: str) -> Provider:
        """The open provider instance itself, for what only it can do, such as pulling models. Its owner is the router.

        Calls made on it go past routes, limits, circuit breakers and observers.

        Raises:
            ConfigError: when there is no such provider, or its options are wrong.
            PluginError: when its plugin cannot be used.
        """
        kernel = self._running()
        self._chosen(name)
        return await kernel.open(kernel.wiring.instance(name, "provider"))

    async def observer(self, name: str) -> Observer:
        """The open observer of that name, for what only it can do. Raises ``ConfigError`` if there is none."""
        return await self._running().observer(name)

    def _chosen(self, provider: str | None) -> list[str]:
        if provider is None:
            return list(self._settings.providers)
        if provider not in self._settings.providers:
            raise unknown("provider", "provider", provider, self._settings.providers)
        return [provider]

    def _running(self) -> Kernel:
        if self._kernel is None:
            raise MloError("the router is not open: use it inside `async with router:`")
        return self._kernel

    def _with_default(self, settings: Settings) -> Settings:
        return with_default_route(settings, self._default)

    def _change(self, **changes: Any) -> None:
        self._settings = attrs.evolve(self._settings, **changes)
        if self._kernel is not None:
            self._kernel.extend(self._with_default(self._settings))

    def _strategy_settings(self, strategy: str | Strategy, path: str) -> ComponentSettings:
        if isinstance(strategy, str):
            return ComponentSettings(use=strategy, path=path)
        return ComponentSettings(use=name_of(strategy, self._strategies), path=path)
