"""A canary in every place where content can stand sings in no sink, unless the configuration asks for content.

All observers of this repository watch the same calls: log, otel (spans, metrics and events), prometheus and ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlo_ledger.plugin
import mlo_prometheus.plugin
from mlo import MloError, Router
from mlo.messages import Message, ToolCall, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest
from tests.plugins.otel.otlp import Receiver, plain, receiving, routing
from tests.sdk.http_server import CLOSE, Received, frame, serving, streamed, whole, whole_json

pytestmark = pytest.mark.anyio

CANARY = "канарейка-7f3a"
CALL = ToolCall(id="t1", name="look", arguments=json.dumps({"at": CANARY}, ensure_ascii=False))
REQUEST = ChatRequest(
    messages=(
        Message.system(f"system {CANARY}"),
        Message.user(f"prompt {CANARY}"),
        Message.assistant(f"earlier {CANARY}", tool_calls=(CALL,)),
        Message.tool(CALL, f"result {CANARY}"),
    ),
    tools=(ToolDef(name="look", description=CANARY, parameters={"type": "object", "title": CANARY}),),
)


def answer(request: Received) -> list[Any]:
    """What a vendor may do with the canary: say it, stream it, call a tool with it, break off in the middle of it."""
    asked = request.json()
    if asked.get("model") == "broken":
        return [whole(f"<html>{CANARY}</html>".encode(), kind="text/html")]
    if asked.get("stream"):
        pieces = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("раз ", CANARY)]
        end = [] if asked.get("model") == "cut" else [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
        return [*streamed(*(frame(each) for each in (*pieces, *end)), end=bool(end)), *([] if end else [CLOSE])]
    call = {"id": "t2", "type": "function", "function": {"name": "look", "arguments": CALL.arguments}}
    message = {"role": "assistant", "content": CANARY, "reasoning_content": CANARY, "tool_calls": [call]}
    return [whole_json({"choices": [{"message": message, "finish_reason": "tool_calls"}]})]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def sing(router: Router) -> None:
    """Every kind of call, and every end."""
    await router.route(REQUEST, route="r")
    async with router.route_stream(REQUEST, route="r") as stream:
        _ = [event async for event in stream]
    async with router.route_stream(REQUEST, route="r") as stream:
        await anext(stream)
    for target in ("a:broken", "a:cut"):
        with pytest.raises(MloError):
            await (drained(router, target) if target == "a:cut" else router.route(REQUEST, target=target))
    await router.embed(EmbeddingRequest(texts=(CANARY,)), target="m")


async def drained(router: Router, target: str) -> None:
    async with router.route_stream(REQUEST, target=target) as stream:
        _ = [event async for event in stream]


async def watched(receiver: Receiver, folder: Path, *, content: bool) -> dict[str, bytes]:
    """What each sink got."""
    observers: dict[str, dict[str, Any]] = {
        "log": {"use": "log", "path": str(folder / "calls.log"), "level": "debug"},
        "everything": {"use": "log", "path": str(folder / "events.log"), "records": ["event_seen"]},
        "prometheus": {"use": "prometheus", "listen": False},
        "ledger": {"use": "ledger", "url": f"sqlite:///{folder / 'ledger.db'}"},
    }
    with serving(answer) as server:
        providers = {"a": {"use": "openai-compat", "base_url": server.url, "model": "x"}, "m": {}}
        async with routing(
            receiver.url,
            providers,
            {"r": {"targets": ("a",)}},
            capture=content,
            observers=observers,
            more_plugins=(mlo_ledger.plugin, mlo_prometheus.plugin),
            events=True,
            content=content,
        ) as router:
            await sing(router)
            prometheus: Any = await router.observer("prometheus")
            _, scraped = prometheus.exposition()
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {"otlp": receiver.raw(), "scraped": scraped, **files}


def written() -> tuple[bytes, ...]:
    """The canary as bytes, in the ways in which a sink may write it."""
    return CANARY.encode(), json.dumps(CANARY)[1:-1].encode(), CANARY.encode("utf-16-le")


async def test_no_sink_has_content_by_default(receiver: Receiver, tmp_path: Path) -> None:
    sinks = await watched(receiver, tmp_path, content=False)
    assert {"otlp", "scraped", "calls.log", "events.log", "ledger.db"} <= set(sinks)
    assert min(len(sinks[name]) for name in ("otlp", "scraped", "calls.log", "events.log", "ledger.db")) > 500
    assert [name for name, body in sinks.items() for canary in written() if canary in body] == []


async def test_two_settings_together_export_content(receiver: Receiver, tmp_path: Path) -> None:
    sinks = await watched(receiver, tmp_path, content=True)
    assert CANARY.encode() in sinks["otlp"]
    spans = [plain(span.attributes) for span in receiver.spans() if span.name == "chat"]
    (whole_answer, *_) = [said for said in spans if said.get("gen_ai.response.finish_reasons") == ["tool_calls"]]
    assert json.loads(whole_answer["gen_ai.system_instructions"]) == [{"type": "text", "content": f"system {CANARY}"}]
    assert [message["role"] for message in json.loads(whole_answer["gen_ai.input.messages"])] == [
        "user",
        "assistant",
        "tool",
    ]
    (output,) = json.loads(whole_answer["gen_ai.output.messages"])
    assert output["parts"][-1] == {"type": "tool_call", "id": "t2", "name": "look", "arguments": {"at": CANARY}}
    events = [said for name, said in receiver.events() if "gen_ai.output.messages" in said]
    assert events[0]["gen_ai.output.messages"][0]["role"] == "assistant"


@pytest.mark.parametrize(("capture", "content"), [(True, False), (False, True)])
async def test_one_setting_alone_exports_nothing(receiver: Receiver, capture: bool, content: bool) -> None:
    options: dict[str, Any] = {"capture": capture, "content": content, "events": True}
    async with routing(receiver.url, {"m": {"answer": CANARY}}, **options) as router:
        await router.route(REQUEST, target="m")
    assert receiver.events()
    assert CANARY.encode() not in receiver.raw()
