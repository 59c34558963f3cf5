"""Shared fixtures."""

from __future__ import annotations

import pytest

_BACKENDS = {"asyncio": ("asyncio", {"use_uvloop": False}), "trio": ("trio", {})}


@pytest.fixture(params=list(_BACKENDS.values()), ids=list(_BACKENDS))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run every test marked `anyio` on asyncio and on trio."""
    return request.param
