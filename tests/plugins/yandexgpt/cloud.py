"""The emulated cloud as tests use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from mlo_emulators.server import Journal, RunningServer, running
from mlo_emulators.yandexgpt import Options, World, create_app

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
