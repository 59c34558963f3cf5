"""Tasks that run beside a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

__all__ = ["beside"]


@asynccontextmanager
async def beside(*functions: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run the functions while the block does, and cancel what is left of them at its end.

    An error of the block is raised as it is; a function that fails cancels the block.
    """
    tasks = anyio.create_task_group()
    await tasks.__aenter__()
    for function in functions:
        tasks.start_soon(function)
    try:
        yield
    finally:
        tasks.cancel_scope.cancel()
        # the block's own error is not handed over: the group would wrap it
        await tasks.__aexit__(None, None, None)
