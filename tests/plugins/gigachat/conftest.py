"""Emulators that the tests of this folder share."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import pytest

from mlo_emulators.gigachat import Emulator, Options, create_app
from mlo_emulators.server import RunningServer, running

SECRET = "s3cret-canary"


def new_key() -> str:
    """An authorization key that nobody has used: tokens are shared by all who have the same one."""
    return base64.b64encode(f"{uuid.uuid4()}:{SECRET}".encode()).decode()


@pytest.fixture(scope="session")
def _giga_app() -> Iterator[tuple[Emulator, RunningServer]]:
    app = create_app(Options(concurrency=0))
    with running(app) as server:
        yield app.state.emulator, server


@pytest.fixture
def emulator(_giga_app: tuple[Emulator, RunningServer]) -> Emulator:
    """The state of the running emulator, as new."""
    state, _ = _giga_app
    state.configure()
    return state


@pytest.fixture
def url(_giga_app: tuple[Emulator, RunningServer], emulator: Emulator) -> str:
    """Where the emulator runs, without a path."""
    return _giga_app[1].url


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """An authorization key, also in the variable GIGACHAT_KEY."""
    fresh = new_key()
    monkeypatch.setenv("GIGACHAT_KEY", fresh)
    return fresh
