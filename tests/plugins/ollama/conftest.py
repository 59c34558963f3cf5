"""Emulated Ollama servers on real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest

from mlo_emulators.ollama import Options, create_app
from mlo_emulators.server import RunningServer, running

Serve: TypeAlias = Callable[..., RunningServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start an emulator with the given options; it stops with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> RunningServer:
            return stack.enter_context(running(create_app(Options(**options))))

        yield start


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """One emulator without faults for the tests of a module that leave it as it was."""
    with running(create_app()) as found:
        yield found
