"""What a component needs around it to run in a test: an environment, an auth scheme, a task of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskStatus
from attrs import field, frozen

from mlo.api import AuthScheme, CallContext, Credentials, Environment, Provider, Spec
from mlo.errors import AuthFailed, ConfigError
from mlo.secret import Secret

from .demands import demand

__all__ = [
    "FixedAuth",
    "LoneEnvironment",
    "build",
    "collapsed",
    "context",
    "eventually",
    "hosted",
    "in_own_task",
    "patient",
]

T = TypeVar("T")
C = TypeVar("C")

_PATIENCE = 15.0


def build(spec: Spec[C], options: Mapping[str, Any]) -> C:
    """The configuration of ``spec`` from ``options`` as ``mlo.toml`` would hold them.

    Raises:
        ConfigError: when they do not fit.
    """
    from mlo._config import build_options  # noqa: PLC0415 - the converter is the kernel's own, and loads with it

    return build_options(spec.config, dict(options), f"contract.{spec.name}")


def context(*, attempt: int = 1, deadline: float | None = None) -> CallContext:
    """The context of an attempt."""
    return CallContext(call_id="contract-1", attempt=attempt, target="contract", route="contract", deadline=deadline)


@frozen
class FixedAuth:
    """An auth scheme with one token that never changes."""

    token: Secret = Secret("contract-token-4f1d")

    async def credentials(self, stale: int | None = None) -> Credentials:
        """The token as a bearer header.

        Raises:
            AuthFailed: when a server has rejected it: there is no other.
        """
        if stale is not None:
            raise AuthFailed("the server rejected the contract's fixed token")
        return Credentials(headers={"Authorization": f"Bearer {self.token.reveal()}"})


@frozen(kw_only=True)
class LoneEnvironment:
    """An environment without a kernel: the providers and the auth scheme are what the test gives."""

    instance: str = "contract"
    path: str = "providers.contract"
    providers: Mapping[str, Provider] = field(factory=dict)
    scheme: AuthScheme = FixedAuth()

    async def provider(self, name: str, /) -> Provider:
        """The provider that the test gave under ``name``.

        Raises:
            ConfigError: when it gave none.
        """
        if name not in self.providers:
            raise ConfigError(self.path, f"no provider {name!r}", hint="give it to LoneEnvironment(providers=...)")
        return self.providers[name]

    async def auth(self, default: str | None = None, /) -> AuthScheme:  # noqa: ARG002
        """The scheme that the test gave, whatever the ``default``."""
        return self.scheme


@contextmanager
def collapsed() -> Iterator[None]:
    """Let a lone error out of the exception groups that task groups put around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from error.__cause__


@asynccontextmanager
async def hosted(
    opening: Callable[[C, Environment], AbstractAsyncContextManager[T]], config: C, environment: Environment
) -> AsyncIterator[T]:
    """Open a component as the kernel does: entered and left in a task of its own, used from others."""
    with collapsed():
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()

            async def host(*, task_status: TaskStatus[T]) -> None:
                async with opening(config, environment) as component:
                    task_status.started(component)
                    await stop.wait()

            component = await tasks.start(host)
            try:
                yield component
            finally:
                stop.set()


@asynccontextmanager
async def patient() -> AsyncIterator[None]:
    """Break the block off, and fail the check, when it takes unreasonably long.

    An alarm clock does this, not a deadline: the deadlines that checks look at are to be the implementation's own.

    Raises:
        ContractBroken: after 15 seconds.
    """
    late = False
    with collapsed():
        async with anyio.create_task_group() as tasks:

            async def ring() -> None:
                nonlocal late
                await anyio.sleep(_PATIENCE)
                late = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(ring)
            yield
            tasks.cancel_scope.cancel()
    demand(not late, f"not done within {_PATIENCE:g} s: somebody waits for what never comes")


async def in_own_task(step: Callable[[], Awaitable[object]]) -> None:
    """Run ``step`` in a new task, and wait for it."""

    async def run() -> None:
        await step()

    with collapsed():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)


async def eventually(condition: Callable[[], bool]) -> bool:
    """Whether ``condition`` comes true within a few seconds: the other end of a socket needs a moment."""
    with anyio.move_on_after(_PATIENCE / 3):
        while not condition():  # noqa: ASYNC110 - somebody else's state, which no event tells about
            await anyio.sleep(0.005)
    return condition()
