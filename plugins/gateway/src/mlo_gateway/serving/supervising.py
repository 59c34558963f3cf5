"""Serving by several processes, where the configuration asks for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .plan import Overrides, read_plan
from .sockets import bound, inherited
from .workers import Supervisor

__all__ = ["supervise"]


def supervise(overrides: Overrides, descriptor: int | None) -> int | None:
    """Serve by workers until told to stop; the exit code, or ``None`` when there are to be none.

    Raises:
        MloError: when the configuration is wrong or the address cannot be had.
    """
    config = read_plan(overrides).config.serve
    if not config.workers:
        return None
    given = {
        "--host": overrides.host,
        "--port": overrides.port,
        "--workers": overrides.workers,
        "--auth": overrides.auth,
    }
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]

    greeting = iter([()])  # said once, by the first worker

    def command(*descriptors: int) -> Sequence[str]:
        numbers, quiet = [str(number) for number in descriptors], next(greeting, ("--quiet",))
        return (sys.executable, "-m", "mlo_gateway.serving", *options, *quiet, "--worker", *numbers)

    with inherited(descriptor) or bound(config) as listener:
        return Supervisor(listener, config.workers, command).run()
