"""What plugins implement: protocols, and the specs by which they offer an implementation.

A plugin's hook returns specs. A spec names a configuration class and a factory; nothing is opened before it is used.
``open`` gives an asynchronous context manager, which the kernel enters and leaves in one task of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from attrs import field, frozen

from .events import Event
from .models import Capability, ModelInfo, Price, Residency
from .requests import ChatRequest, EmbeddingRequest
from .responses import ChatResponse, Embeddings, Health
from .routing import Outcome, Request, Step, Target

if TYPE_CHECKING:
    from .records import CallStarted, Record

__all__ = [
    "PLUGIN_API",
    "AsyncSteps",
    "AuthScheme",
    "AuthSpec",
    "CallContext",
    "Command",
    "ConfiguredInstance",
    "Credentials",
    "DoctorContext",
    "Embedder",
    "Environment",
    "Finding",
    "Gatekeeper",
    "HealthChecker",
    "ModelLister",
    "Observer",
    "ObserverSpec",
    "Provider",
    "ProviderSpec",
    "Spec",
    "Steps",
    "Strategy",
    "StrategySpec",
    "TokenCounter",
]

PLUGIN_API: tuple[int, int] = (1, 0)
"""The version of everything in this module and in :mod:`mlo.hookspecs`.

A plugin may demand one with ``mlo_api = (1, 0)``.
"""

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)

Steps: TypeAlias = Generator[Step, Sequence[Outcome], None]
AsyncSteps: TypeAlias = AsyncGenerator[Step, Sequence[Outcome]]


@frozen(kw_only=True)
class CallContext:
    """What the kernel tells a provider about the attempt under way.

    ``deadline`` is on the clock of :func:`anyio.current_time` and enforced by the kernel; providers only read it.
    ``attempt`` counts from 1 within the call; ``depth`` how many routes stand around this one.
    """

    call_id: str
    attempt: int
    target: str
    route: str
    deadline: float | None = None
    depth: int = 0
    metadata: Mapping[str, str] = field(factory=dict)


class Provider(Protocol):
    """Answers chat requests. ``mlo_sdk.BaseProvider`` supplies either method from the other."""

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: one of its leaves, chained to the cause.
        """

    def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        """The answer as events, the last of them :class:`~mlo.events.Finished`.

        No cancel scope may be open at a ``yield``.
        """


@runtime_checkable
class Embedder(Protocol):
    """A provider that also makes embeddings."""

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        """One vector per text, in their order."""


@runtime_checkable
class ModelLister(Protocol):
    """A provider that can say which models it has."""

    async def models(self) -> Sequence[ModelInfo]:
        """The models, in the vendor's order."""


@runtime_checkable
class TokenCounter(Protocol):
    """A provider that can count tokens the way its model does."""

    async def count_tokens(self, texts: Sequence[str], model: str | None = None) -> Sequence[int]:
        """Tokens of each text."""


@runtime_checkable
class HealthChecker(Protocol):
    """A provider that can be asked how it is, free of charge."""

    async def health(self) -> Health:
        """A sign of life; never a paid call."""


@frozen(kw_only=True)
class Credentials:
    """Headers that authenticate a request.

    ``generation`` grows by one with each renewal; ``expires_at`` is Unix time.
    """

    headers: Mapping[str, str] = field(factory=dict, repr=False)
    generation: int = 0
    expires_at: float | None = None


class AuthScheme(Protocol):
    """Keeps credentials fresh."""

    async def credentials(self, stale: int | None = None) -> Credentials:
        """Valid credentials.

        ``stale`` is the generation that a server has just rejected: newer ones are returned if somebody else has
        renewed them since, and renewed otherwise, once for all who wait.

        Raises:
            AuthFailed: when they cannot be had, or cannot be renewed.
        """


class Strategy(Protocol):
    """Decides where a call goes. See :mod:`mlo.routing`."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps | AsyncSteps:
        """Propose steps until satisfied.

        Never called with no targets; must end; must not propose anything but ``targets``.
        """


class Observer(Protocol):
    """Is told what happens. Called on the hot path: it must not block and should not raise."""

    @property
    def wants(self) -> frozenset[type[Record]]:
        """The record types that :meth:`on` is to be called with; asked once."""

    def on(self, record: Record, /) -> None:
        """Take one record. Five failures mute the observer, unless it is a :class:`Gatekeeper`."""


@runtime_checkable
class Gatekeeper(Protocol):
    """An observer that is also asked whether a call may go on, before anything is sent."""

    def admit(self, call: CallStarted, request: Request, /) -> Awaitable[None] | None:
        """Let the call through, at once (``None``) or after waiting.

        Called once per call, after ``CallStarted`` and within the call's deadline; routes inside routes are not asked
        again. ``call.request`` is there only when content is captured, ``request`` always.

        Raises:
            CallRefused: to refuse it. Any other error refuses it, too: who must ask cannot go on without an answer.
        """


class Environment(Protocol):
    """The kernel as a component sees it while it opens."""

    @property
    def instance(self) -> str:
        """The component's name in the configuration, such as ``giga-main``."""

    @property
    def path(self) -> str:
        """Where it stands in the configuration, for error messages: ``providers.giga-main``."""

    async def provider(self, name: str, /) -> Provider:
        """Another provider instance, or a whole route as ``route:NAME``, to wrap."""

    async def auth(self, default: str | None = None, /) -> AuthScheme:
        """The scheme of the instance's ``auth`` table, shared by all that have the same one.

        Without such a table the scheme called ``default``, unconfigured.

        Raises:
            ConfigError: when there is neither.
        """


class Command(Protocol):
    """A subcommand of ``mlo``: what an entry point in the group ``mlo.v1.commands`` names.

    ``mlo --config FILE --profile NAME ask hello`` calls the command ``ask`` with ``["hello"]``; the two options reach
    it as the environment variables ``MLO_CONFIG`` and ``MLO_PROFILE``. Its result is the exit code. It may raise
    :class:`~mlo.MloError`: ``mlo`` prints that as one line and exits with 2 for a configuration error, else 1.

    A top-level table of ``mlo.toml`` with the command's name is the command's: :func:`mlo.settings.section` gives it as
    an attrs class. Where the command's module names that class, as ``mlo_section = "package.module:Class"``,
    ``mlo config check``, ``show`` and ``schema`` know its keys.
    """

    def __call__(self, argv: Sequence[str], /) -> int:
        """Run with these arguments and return the exit code."""


@frozen(kw_only=True)
class Spec(Generic[C]):
    """An offer. ``name`` equals the entry point's; ``config`` is an attrs class that the instance's table must fit."""

    name: str
    config: type[C]
    summary: str = ""


def _no_price(_config: object, _model: str | None) -> Price | None:
    return None


def _no_limit(_config: object) -> int | None:
    return None


@frozen(kw_only=True)
class ProviderSpec(Spec[C]):
    """An offer of a provider.

    ``capabilities`` and ``residency`` (which may depend on the options) are what an instance's table may override.
    ``price`` looks up what a model costs, ``concurrency`` how many calls one credential allows at a time; neither may
    do I/O beyond package data.
    """

    open: Callable[[C, Environment], AbstractAsyncContextManager[Provider]]
    capabilities: frozenset[Capability] = frozenset({Capability.CHAT, Capability.STREAM})
    residency: Residency | Callable[[C], Residency] = Residency()
    price: Callable[[C, str | None], Price | None] = _no_price
    concurrency: Callable[[C], int | None] = _no_limit


@frozen(kw_only=True)
class AuthSpec(Spec[C]):
    """An offer of an auth scheme.

    ``concurrency`` is how many calls a credential of this kind allows at a time, where it can tell; it goes before what
    the provider's spec says.
    """

    open: Callable[[C, Environment], AbstractAsyncContextManager[AuthScheme]]
    concurrency: Callable[[C], int | None] = _no_limit


@frozen(kw_only=True)
class ObserverSpec(Spec[C]):
    """An offer of an observer."""

    open: Callable[[C, Environment], AbstractAsyncContextManager[Observer]]


@frozen(kw_only=True)
class StrategySpec(Spec[C]):
    """An offer of a strategy. One is built per route, so that it may keep state."""

    build: Callable[[C], Strategy]


@frozen(kw_only=True)
class ConfiguredInstance:
    """A component as configured, for offline checks. ``config`` is an instance of the spec's configuration class."""

    path: str
    kind: Literal["providers", "auth", "observers"]
    use: str
    config: object


@frozen(kw_only=True)
class DoctorContext:
    """What ``mlo plugins doctor`` gives to a plugin: its configured instances, and the time (Unix, seconds)."""

    instances: tuple[ConfiguredInstance, ...] = ()
    now: float = 0.0


@frozen(kw_only=True)
class Finding:
    """Something worth telling the operator. ``fix`` says what to do about it."""

    level: Literal["ok", "info", "warning", "error"]
    message: str
    where: str = ""
    fix: str = ""
