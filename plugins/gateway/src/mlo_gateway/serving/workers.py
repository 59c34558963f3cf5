"""The supervisor: several processes behind one listening socket.

The socket is never closed while the supervisor lives, so no connection is lost when workers are replaced: new ones
begin to accept before old ones stop.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from .notices import notify

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Supervisor", "WorkerCommand"]

WorkerCommand = Callable[[int, int, int], Sequence[str]]
"""From descriptors (listener, ready, lifeline) to the command of a worker.

It writes a byte to ``ready`` once it serves, and ends when ``lifeline`` is closed.
"""

_LOG = logging.getLogger("mlo.gateway")
_TICK = 0.1
_READY_WITHIN = 60.0
_FAST_DEATH = 5.0
_LONGEST_PAUSE = 30.0


@define(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    ready: int
    born: float = field(factory=time.monotonic)
    stopping: bool = False

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_ready(self, interrupted: Callable[[], bool]) -> bool:
        """Whether it came to serve."""
        while self.is_alive() and time.monotonic() - self.born < _READY_WITHIN and not interrupted():
            if select.select([self.ready], [], [], _TICK)[0]:
                return os.read(self.ready, 1) != b""
        return False

    def tell(self, number: signal.Signals) -> None:
        if self.is_alive():
            self.process.send_signal(number)

    def bury(self) -> None:
        os.close(self.ready)


class Supervisor:
    """Keeps ``count`` workers running.

    SIGTERM and SIGINT stop them, a second one at once; SIGHUP is passed on, to reload; SIGUSR2 replaces them one by
    one.
    """

    def __init__(self, listener: socket.socket, count: int, command: WorkerCommand) -> None:
        self._listener, self._count, self._command = listener, count, command
        self._workers: list[_Worker] = []
        self._old: list[_Worker] = []
        self._signals: list[signal.Signals] = []
        self._pause, self._resume_at = 0.0, 0.0
        self._lifeline = os.pipe()

    def run(self) -> int:
        """Run until told to stop; the exit code: 1 when no worker could be started."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, self._note)
        os.set_inheritable(self._listener.fileno(), True)  # noqa: FBT003 - positional only
        try:
            # the first one prepares the database and shows the first key: alone
            if not self._start():
                return 0 if self._is_to_stop() else 1
            notify("READY=1")
            while len(self._workers) < self._count and not self._is_to_stop():
                self._start()
            while not self._is_to_stop():
                self._tick()
            return 0
        finally:
            self._stop()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(signal.Signals(number))

    def _is_to_stop(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _start(self) -> bool:
        """Start a worker and wait until it serves; whether it does."""
        ready, told = os.pipe()
        descriptors = (self._listener.fileno(), told, self._lifeline[0])
        # a group of its own: Ctrl-C in a terminal is for the supervisor, which then tells the workers
        process = subprocess.Popen(self._command(*descriptors), pass_fds=descriptors, process_group=0)  # noqa: S603
        os.close(told)
        worker = _Worker(process, ready)
        if worker.wait_ready(self._is_to_stop):
            self._workers.append(worker)
            self._pause = 0.0
            return True
        worker.tell(signal.SIGTERM)
        self._old.append(worker)
        self._pause = min(_LONGEST_PAUSE, max(1.0, 2 * self._pause))
        self._resume_at = time.monotonic() + self._pause
        return False

    def _tick(self) -> None:
        while self._signals:
            match self._signals.pop(0):
                case signal.SIGHUP:
                    for worker in self._workers:
                        worker.tell(signal.SIGHUP)
                case signal.SIGUSR2:
                    self._replace()
                case other:
                    self._signals.append(other)
                    return
        self._count_the_dead()
        if len(self._workers) < self._count and time.monotonic() >= self._resume_at:
            self._start()
        time.sleep(_TICK)

    def _count_the_dead(self) -> None:
        for worker in [worker for worker in self._workers if not worker.is_alive()]:
            self._workers.remove(worker)
            _LOG.warning("worker %d ended with code %s", worker.process.pid, worker.process.returncode)
            if time.monotonic() - worker.born < _FAST_DEATH:
                self._pause = min(_LONGEST_PAUSE, max(1.0, 2 * self._pause))
                self._resume_at = time.monotonic() + self._pause
            worker.bury()
        for worker in [worker for worker in self._old if not worker.is_alive()]:
            self._old.remove(worker)
            worker.bury()

    def _replace(self) -> None:
        """A new worker for each old one; if one does not come to serve, the old ones stay."""
        for worker in list(self._workers):
            if self._is_to_stop() or not self._start():
                _LOG.warning("a new worker did not come to serve: the old ones stay")
                return
            self._workers.remove(worker)
            worker.tell(signal.SIGTERM)
            self._old.append(worker)

    def _stop(self) -> None:
        notify("STOPPING=1")
        already = len(self._signals)
        everyone = [*self._workers, *self._old]
        for worker in everyone:
            worker.tell(signal.SIGTERM)
        while any(worker.is_alive() for worker in everyone):
            if len(self._signals) > already:
                already = len(self._signals)
                for worker in everyone:
                    worker.tell(signal.SIGTERM)  # a second one ends at once
            time.sleep(_TICK)
        for worker in everyone:
            worker.bury()
        for descriptor in self._lifeline:
            os.close(descriptor)
