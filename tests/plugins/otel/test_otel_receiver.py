"""Over OTLP/HTTP to a receiver that nobody here wrote: OtelTap, whose server is a program in Rust.

It decodes what it gets by itself and prints it as JSON, which is what is looked at.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mlo import ChatRequest
from mlo.requests import EmbeddingRequest
from tests.plugins.otel.otlp import routing

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(importlib.util.find_spec("oteltap") is None, reason="oteltap is not installed"),
]

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Tap:
    """The running receiver and what it has printed."""

    def __init__(self, port: int) -> None:
        command = (sys.executable, "-u", "-m", "oteltap", "--port", str(port))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._thread.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait(self, *words: str) -> str:
        """All it has printed, once each of the words is there."""
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            text = "".join(self.lines)
            if all(word in text for word in words):
                return text
            time.sleep(0.01)
        pytest.fail(f"not received: {[word for word in words if word not in text]}; received:\n{text[-3000:]}")


@pytest.fixture
def tap() -> Iterator[Tap]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tap = Tap(port)
    try:
        tap.wait("Listening")
        yield tap
    finally:
        tap.close()


async def test_spans_metrics_and_events_arrive(tap: Tap) -> None:
    metadata = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    request = ChatRequest(messages=ChatRequest.of("раз два").messages, metadata=metadata)
    async with routing(tap.url, {"a": {"mode": "overloaded"}, "b": {}}, events=True) as router:
        await router.route(request, route="r")
        await router.embed(EmbeddingRequest(texts=("раз",)), target="b")
    tap.wait(
        "mlo.request",
        "route r",
        "embeddings",
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "mlo.call.duration",
        "gen_ai.client.inference.operation.details",
        "Overloaded",
    )
    said = tap.said()
    spans = {each["spanId"]: each for each in said if "parentSpanId" in each and each["traceId"] == TRACE}
    names = {
        each["name"]: spans[each["parentSpanId"]]["name"] if each["parentSpanId"] in spans else each["parentSpanId"]
        for each in spans.values()
    }
    assert names == {"mlo.request": SPAN, "route r": "mlo.request", "chat": "route r"}
    statuses = sorted(each["status"]["code"] for each in spans.values() if each["name"] == "chat")
    assert statuses == [0, 2]  # the one that answered, and the one that failed
    (tokens,) = [each for each in said if each.get("name") == "gen_ai.client.token.usage"]
    asked = [point["sum"] for point in tokens["histogram"]["dataPoints"] if "input" in json.dumps(point)]
    assert sum(asked) == 3  # two words, and one to embed
