"""How the contract of providers is kept by the mock: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mlo.errors import AuthFailed, InvalidRequest, RateLimited, TransportFailed
from mlo_sdk.testing import Failure, ProviderContract

from .plugin import mlo_providers

__all__ = ["TestMock", "TestSlowMock"]


class TestMock(ProviderContract):
    """As it comes, and told to fail."""

    (spec,) = mlo_providers()
    deterministic = True

    @pytest.fixture
    def failures(self) -> Mapping[str, Failure]:
        """Modes that are failures, and what comes out."""
        return {
            "rate limit": Failure(error=RateLimited, table={"mode": "rate-limit", "retry_after": 1.5}),
            "auth": Failure(error=AuthFailed, table={"mode": "auth-error"}),
            "bad request": Failure(error=InvalidRequest, table={"mode": "invalid-request"}),
            "timeout": Failure(error=TransportFailed, table={"mode": "timeout"}),
        }


class TestSlowMock(ProviderContract):
    """Pauses everywhere, so that there are places to cancel at."""

    (spec,) = mlo_providers()
    deterministic = True

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """Short pauses."""
        return {"delay": 0.001, "first_delay": 0.001, "chunk_delay": 0.001, "chunk_size": 3}
