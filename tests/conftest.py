"""Shared fixtures."""

from __future__ import annotations

import pytest
from hypothesis import settings

# how long an example may take says something about the machine, nothing about the code
settings.register_profile("mlo", settings(), deadline=None)
settings.load_profile("mlo")

_BACKENDS = {"asyncio": ("asyncio", {"use_uvloop": False}), "trio": ("trio", {})}


@pytest.fixture(params=list(_BACKENDS.values()), ids=list(_BACKENDS))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run every test marked `anyio` on asyncio and on trio."""
    return request.param
