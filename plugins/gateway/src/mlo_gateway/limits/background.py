"""Tasks that run beside a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

__all__ = ["beside"]


@asynccontextmanager
async def beside(*functions: Callable[[], Coroutine[Any, Any, object]]) -> AsyncIterator[TaskGroup]:
    """Run the functions while the block does, and cancel what is left of them at its end.

    More can be started in the task group that this gives.
    An error of the block is raised as it is; a function that fails cancels the block.
    """
    tasks = anyio.create_task_group()
    await tasks.__aenter__()
    for function in functions:
        tasks.start_soon(function)
    try:
        yield tasks
    finally:
        tasks.cancel_scope.cancel()
        # the block's own error is not handed over: the group would wrap it
        await tasks.__aexit__(None, None, None)
