"""The emulated cloud as tests use it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from attrs import frozen

from mlo import Router
from mlo.api import AuthScheme
from mlo_emulators.server import Journal, RunningServer, running
from mlo_emulators.yandexgpt import Options, World, create_app
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.testing import LoneEnvironment, hosted
from mlo_yandexgpt.config import YandexConfig
from mlo_yandexgpt.opening import open_yandexgpt
from mlo_yandexgpt.provider import YandexProvider

from .oracle import Witness, judge_answer, judge_request

FOLDER = Options().folder_id
KEY = Options().api_keys[0]
OAUTH = Options().oauth_tokens[0]
URI = f"gpt://{FOLDER}/yandexgpt/latest"


@frozen
class Cloud:
    """A running emulator."""

    server: RunningServer
    world: World
    answers: list[tuple[str, int, bytes]]

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def journal(self) -> Journal:
        return self.world.journal

    def change(self, **options: Any) -> None:
        self.world.change(**options)

    def judge(self, *, requests: bool = True) -> None:
        """Ask the oracle about everything that was said so far."""
        if requests:
            for request in self.journal.requests:
                if len(request.body) == int(request.headers.get("content-length", 0)):  # else the client left meanwhile
                    judge_request(request.path, request.body)
        for answer in self.answers:
            judge_answer(*answer)


@contextlib.contextmanager
def emulated(*, requests_are_valid: bool = True, **options: Any) -> Iterator[Cloud]:
    """A cloud for one test; at its end the oracle judges the traffic."""
    app = create_app(Options(**options))
    answers: list[tuple[str, int, bytes]] = []
    app.add_middleware(Witness, answers=answers)
    with running(app) as server:
        cloud = Cloud(server, app.state.world, answers)
        yield cloud
    cloud.judge(requests=requests_are_valid)


AUTH = {"use": "yandex-api-key", "key": KEY}


def table(cloud: Cloud, **options: Any) -> dict[str, Any]:
    """The provider's table for this cloud."""
    return {"folder_id": FOLDER, "base_url": cloud.url} | options


@contextlib.asynccontextmanager
async def routed(cloud: Cloud, auth: Mapping[str, Any] = AUTH, **options: Any) -> AsyncIterator[Router]:
    """A router whose only provider is this cloud."""
    async with Router() as router:
        router.add_provider("yandex", use="yandexgpt", auth=auth, **table(cloud, **options))
        yield router


@contextlib.asynccontextmanager
async def opened(cloud: Cloud, auth: AuthScheme | None = None, **options: Any) -> AsyncIterator[YandexProvider]:
    """The provider without a kernel."""
    scheme = auth or StaticAuth({"authorization": f"Api-Key {KEY}"})
    config = YandexConfig(**table(cloud, **options))
    async with hosted(open_yandexgpt, config, LoneEnvironment(scheme=scheme)) as provider:
        yield provider
