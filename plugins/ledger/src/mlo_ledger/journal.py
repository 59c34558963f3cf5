"""The journal: files in a folder of this machine, in which everything stands before the database has it.

Each process writes files of its own, ``OWNER-1.journal``, ``OWNER-2.journal`` … , and holds a lock on ``OWNER.lock`` as
long as it lives, so that others see whose files may be taken over. What has been handed to the operating system
survives the end of the process, however it ends.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from attrs import define

from mlo.errors import ConfigError

try:
    import fcntl
except ImportError:  # pragma: no cover - not on POSIX
    fcntl = None  # type: ignore[assignment]  # told apart in `_locked`

from .lines import decoded

__all__ = ["Journal", "Place", "owners_gone", "owners_waiting", "read_file", "read_journal", "remove_journal"]

_SEGMENT = 8 << 20
_TRIAL = 0.1  # s between two trials to go on after a failure
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


@define(eq=False)
class Place:
    """A file of the journal.

    ``pending`` is how many of its settlements the database does not have yet, ``skipped`` how many of these are kept
    nowhere but in the file.
    """

    number: int
    path: Path
    descriptor: int
    size: int = 0
    pending: int = 0
    skipped: int = 0


class Journal:
    """The journal of this process. :meth:`append` may be called from any thread.

    ``carried`` gives the lines that a new file must begin with: those of calls that are still under way.

    Raises:
        OSError: when the folder or the files in it cannot be made.
        ConfigError: when this system has no locks on files.
    """

    def __init__(self, folder: Path, owner: str, carried: Callable[[], Iterable[bytes]], *, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self.owner, self._carried, self._limit = folder, owner, carried, limit
        self._lock = threading.RLock()
        self._held = _locked(folder / f"{owner}.lock")
        self._places: deque[Place] = deque([self._opened(1)])
        self._next_trial = 0.0
        self._is_renewing = False
        self.error: OSError | None = None
        self.size = 0

    @property
    def is_full(self) -> bool:
        """Whether the files have reached their limit."""
        return self.size >= self._limit

    def append(self, line: bytes, *, settles: bool = False) -> Place | None:
        """Hand one line to the operating system: the file that it went to, ``None`` if that could not be done.

        ``settles`` says that the file is needed until :meth:`settled` is told of it.
        """
        with self._lock:
            if self.error is not None and not self.try_again():
                return None
            if self._is_full_segment() and self._renew() is None:
                return None
            place = self._places[-1]
            if self.is_full or not self._written(place, line):
                return None
            if settles:
                place.pending += 1
            return place

    def try_again(self) -> bool:
        """Whether the journal can be written. After a failure this tries a new file, but not at every call."""
        with self._lock:
            if self.error is None:
                return True
            if self._is_renewing or monotonic() < self._next_trial:
                return False
            self._next_trial = monotonic() + _TRIAL
            return self._renew() is not None

    def _is_full_segment(self) -> bool:
        # the collector may end a call in the middle of renewing: its line goes to the file at hand
        return self._places[-1].size > _SEGMENT and not self._is_renewing

    def settled(self, place: Place, count: int) -> None:
        """The database has ``count`` of the settlements in that file. Files of which nothing is needed are deleted."""
        with self._lock:
            place.pending -= count
            self._drop()
            if self.is_full and place.pending <= 0 and place is self._places[-1]:
                self._renew()

    def _drop(self) -> None:
        while len(self._places) > 1 and self._places[0].pending <= 0:
            self._discard(self._places.popleft())

    def skipped(self, place: Place) -> None:
        """A settlement in that file is in no queue: the file is to be read again."""
        with self._lock:
            place.skipped += 1

    def to_read(self) -> Place | None:
        """The oldest file with skipped settlements. Nothing is appended to it any more."""
        with self._lock:
            found = next((place for place in list(self._places) if place.skipped), None)
            if found is not None and found is self._places[-1] and self.error is None:
                self._renew()  # if that fails, nothing is appended before it succeeds
            return found

    @property
    def has_skipped(self) -> bool:
        """Whether there is a file to be read again."""
        return any(place.skipped for place in list(self._places))

    def was_read(self, place: Place, refused: int = 0) -> int:
        """The database has all settlements of that file that were skipped, but for ``refused``; how many those are."""
        with self._lock:
            count, place.skipped = place.skipped, 0
            self.settled(place, max(0, count - refused))
            return count

    def close(self, *, keep: bool) -> None:
        """Release the lock; the files are deleted unless somebody has to read them. Nothing is written after that.

        A call may still end, in a finalizer: its line must not go to whatever has the descriptor's number by then.
        """
        with self._lock:
            self.error, self._next_trial = OSError(errno.EBADF, "the ledger is closed"), inf
            places, self.size = list(self._places), 0
            self._places.clear()
            for place in places:
                os.close(place.descriptor)
                if not keep:
                    place.path.unlink(missing_ok=True)
            if not keep:
                (self._folder / f"{self.owner}.lock").unlink(missing_ok=True)
            os.close(self._held)

    def _opened(self, number: int) -> Place:
        path = self._folder / f"{self.owner}-{number}.journal"
        return Place(number=number, path=path, descriptor=os.open(path, _FLAGS, 0o600))

    def _renew(self) -> Place | None:
        """A new file, which begins with what is still under way."""
        self._is_renewing = True
        try:
            return self._renewed()
        finally:
            self._is_renewing = False

    def _renewed(self) -> Place | None:
        try:
            place = self._opened(self._places[-1].number + 1)
        except OSError as error:
            self.error = error
            return None
        self._places.append(place)
        self.error = None
        if all(self._written(place, line) for line in self._carried()):
            self._drop()
            return place
        self._places.pop()
        self._discard(place)
        return None

    def _written(self, place: Place, line: bytes) -> bool:
        try:
            done = os.write(place.descriptor, line)
            if done != len(line):
                os.ftruncate(place.descriptor, place.size)  # a torn line would spoil the next one
                raise OSError(28, "no space left on device")  # noqa: TRY301 - a short write has no error of its own
        except OSError as error:
            self.error = error
            return False
        place.size += done
        self.size += done
        return True

    def _discard(self, place: Place) -> None:
        self.size -= place.size
        with suppress(OSError):
            os.close(place.descriptor)
            place.path.unlink(missing_ok=True)


def _locked(path: Path) -> int:
    if fcntl is None:  # pragma: no cover - not on POSIX
        raise ConfigError("journal", "this system has no locks on files, which the ledger's journal needs")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def owners_gone(folder: Path) -> Iterator[tuple[str, int]]:
    """The owners in ``folder`` that live no more, each with the lock on its files: close it when done.

    Nobody else gets the same owner as long as the lock is held.
    """
    for path in sorted(folder.glob("*.lock")):
        try:
            descriptor = _locked(path)
        except OSError:
            continue  # it lives, or somebody else is at it
        try:
            is_current = os.fstat(descriptor).st_ino == path.stat().st_ino
        except OSError:
            is_current = False
        if not is_current:  # it was removed while we came
            os.close(descriptor)
            continue
        yield path.stem, descriptor


def owners_waiting(folder: Path) -> int:
    """How many owners in ``folder`` live no more."""
    count = 0
    for _owner, lock in owners_gone(folder):
        os.close(lock)
        count += 1
    return count


def read_journal(folder: Path, owner: str) -> Iterator[Any]:
    """What the lines of an owner say, in order; torn ones are left out."""
    for path in sorted(folder.glob(f"{owner}-*.journal"), key=_number):
        yield from read_file(path)


def read_file(path: Path) -> Iterator[Any]:
    """What the lines of one file say."""
    with path.open("rb") as file:
        yield from (value for line in file if (value := decoded(line)) is not None)


def remove_journal(folder: Path, owner: str, *, keep_files: bool = False) -> None:
    """Delete the files of an owner, the lock last; without it nobody looks at files that are kept."""
    for path in [] if keep_files else list(folder.glob(f"{owner}-*.journal")):
        path.unlink(missing_ok=True)
    (folder / f"{owner}.lock").unlink(missing_ok=True)


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
