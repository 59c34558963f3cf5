"""Processes that are killed, and a provider that counts what it has served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mlo_emulators.server import running

__all__ = ["Counter", "Facts", "Zygote", "counting_server", "wait_for", "zygote"]

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Counter:
    """The names of the requests that were answered to the last byte, or to where the client left."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.url = ""


@contextmanager
def counting_server() -> Iterator[Counter]:
    """Speaks OpenAI's API, and counts."""
    counter = Counter()

    async def chat(request: Request) -> Response:
        asked = await request.json()
        counter.served.append(asked["messages"][-1]["content"])
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "да"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({"id": "1", "model": "m", "choices": [choice], "usage": USAGE})
        return StreamingResponse(_events(), media_type="text/event-stream")

    with running(Starlette(routes=[Route("/chat/completions", chat, methods=["POST"])])) as server:
        counter.url = server.url
        yield counter


async def _events() -> Any:
    for delta, reason in (({"content": "да"}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield f"data: {json.dumps({'id': '1', 'model': 'm', 'choices': [choice]})}\n\n"
    yield f"data: {json.dumps({'id': '1', 'model': 'm', 'choices': [], 'usage': USAGE})}\n\n"
    yield "data: [DONE]\n\n"


class Facts:
    """What a worker's callers have got back."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def named(self, kind: str) -> list[str]:
        """The names behind all facts of a kind; the last line may be torn."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]
        found = [line.decode().partition(" ") for line in lines]
        return [name for said, _, name in found if said == kind]


class Zygote:
    """Starts workers quickly: each is a fork of one process that has imported everything."""

    def __init__(self) -> None:
        worker = Path(__file__).with_name("crash_worker.py")
        self._process = subprocess.Popen(
            (sys.executable, worker), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()

    def start(self, **work: Any) -> int:
        """The process id of a new worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(work) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@contextmanager
def zygote() -> Iterator[Zygote]:
    found = Zygote()
    try:
        yield found
    finally:
        found.close()


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
