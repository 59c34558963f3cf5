"""HTTP tests run on every transport, on every backend it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from mlo_sdk import HttpClient, HttpSettings, Timeouts

Transport = Literal["direct", "httpx", "aiohttp"]
_SURROUNDINGS = {
    "asyncio-direct": (("asyncio", {"use_uvloop": False}), "direct"),
    "trio-direct": (("trio", {}), "direct"),
    "asyncio-httpx": (("asyncio", {"use_uvloop": False}), "httpx"),
    "asyncio-aiohttp": (("asyncio", {"use_uvloop": False}), "aiohttp"),
    "trio-httpx": (("trio", {}), "httpx"),
}


@pytest.fixture(params=list(_SURROUNDINGS.values()), ids=list(_SURROUNDINGS))
def surroundings(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture
def anyio_backend(surroundings: tuple[object, str]) -> object:
    return surroundings[0]


@pytest.fixture
def transport(surroundings: tuple[object, Transport]) -> Transport:
    return surroundings[1]


ClientOf = Callable[..., HttpClient]


@pytest.fixture
def client_of(transport: Transport) -> ClientOf:
    """A client with the transport under test."""

    def make(url: str, *, timeouts: Timeouts | None = None, **options: Any) -> HttpClient:
        return HttpClient(url, settings=HttpSettings(timeouts=timeouts or Timeouts(), transport=transport), **options)

    return make
