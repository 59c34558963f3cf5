"""Tokens that are renewed some time after they were fetched, however long they live."""

from __future__ import annotations

import pytest

from mlo.api import Credentials
from mlo.errors import TransportFailed
from mlo_sdk.auth import TokenSource

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    def __init__(self, life: float | None) -> None:
        self.life, self.calls, self.broken = life, 0, False

    async def __call__(self) -> Credentials:
        self.calls += 1
        if self.broken:
            raise TransportFailed("down")
        return Credentials(expires_at=self.life)


@pytest.mark.parametrize("life", [12 * 3600.0, None])
async def test_renewed_after_the_hour(life: float | None) -> None:
    clock, issuer = Clock(), Issuer(life)
    source = TokenSource(issuer, refresh_after=3600, clock=clock)
    generations = []
    for clock.now in (0.0, 3599.0, 3601.0):
        generations.append((await source.credentials()).generation)
    assert generations == [1, 1, 2]


async def test_old_token_serves_while_the_issuer_is_down() -> None:
    clock, issuer = Clock(), Issuer(12 * 3600.0)
    source = TokenSource(issuer, refresh_after=3600, clock=clock)
    await source.credentials()
    clock.now, issuer.broken = 4000.0, True
    assert (await source.credentials()).generation == 1
    assert issuer.calls == 2


async def test_short_life_counts_before_the_hour() -> None:
    clock, issuer = Clock(), Issuer(600.0)
    source = TokenSource(issuer, refresh_before=60, refresh_after=3600, clock=clock)
    await source.credentials()
    clock.now = 541.0
    await source.credentials()
    assert issuer.calls == 2
