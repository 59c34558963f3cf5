"""The two forms of a client's request: bytes with few changes, and a chat request that is built on demand."""

from __future__ import annotations

import copy
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo import ChatRequest, Message, Sampling, ToolDef
from mlo.errors import InvalidRequest
from mlo.models import Capability
from mlo.relay import RelayRequest

CHAT = frozenset({Capability.CHAT})
NAMES = st.sampled_from(["model", "messages", "stream", "stream_options", "мodel", 'a"model', "n", "a\\b", "model "])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["model", '"model":"x"', "т", "\\", ":", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=6)
CHANGES = st.fixed_dictionaries(
    {"model": st.sampled_from(["giga", 'ги"га', "x"])},
    optional={"stream_options": st.just({"include_usage": True}), "seed": st.integers(0, 3)},
)


def request(raw: bytes) -> RelayRequest:
    return RelayRequest(wire="w", raw=raw, document=json.loads(raw), chat=ChatRequest.of("x"))


@given(
    document=DOCUMENTS,
    changes=CHANGES,
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    space=st.sampled_from([b"", b" \n"]),
)
def test_the_body_says_what_the_changes_say(
    document: dict[str, Any], changes: dict[str, Any], indent: int | None, ascii_only: bool, space: bytes
) -> None:
    raw = space + json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode() + space
    assert json.loads(request(raw).body(changes)) == {**document, **changes}


@pytest.mark.parametrize(
    ("raw", "changed"),
    [
        (b'{"model":"a","n":1.0}', b'{"model":"b","n":1.0}'),
        (b' { "n" : 1e2 , "model" :\t"a" } ', b' { "n" : 1e2 , "model":"b" } '),
        ('{"messages":["\\"model\\":\\"x\\" Привет"],"model":"a"}'.encode(), None),
        (b'{"n":12345678901234567890,"model":"\\\\"}', b'{"n":12345678901234567890,"model":"b"}'),
        (b'{"model":"b","n":1.0}', b'{"model":"b","n":1.0}'),
    ],
)
def test_every_other_byte_stays(raw: bytes, changed: bytes | None) -> None:
    assert request(raw).body({"model": "b"}) == (changed or raw.replace(b'"model":"a"', b'"model":"b"'))


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"mod\u0065l":"mine","x":{"model":"inner"}}',
        b'{"model":"first","model":"mine"}',
        b'{"x":{"model":"inner"},"model":"mine"}',
        b'{"model":5}',
        b"{}",
        b'{"x":"model"}',
        # the model that was parsed is the right one already
        b'{"model":"first","model":"ours"}',
        rb'{"mod\u0065l":"first","model":"ours"}',
        rb'{"\u006Dode\u006c" : "first", "n":1, "\u006d\u006f\u0064el":"ours"}',
        b'{"Model":"first","model":"ours"}',
        b'{"model":"mine","MODEL":"last"}',
    ],
)
@pytest.mark.parametrize("more", [{}, {"stream_options": {"include_usage": True}}])
def test_no_model_slips_past_the_change(raw: bytes, more: dict[str, Any]) -> None:
    changed = json.loads(request(raw).body({"model": "ours", **more}), object_pairs_hook=list)
    assert [value for name, value in changed if name.lower() == "model"] == ["ours"]


def test_escaped_letters_elsewhere_keep_every_byte() -> None:
    raw = rb'{"model":"a","n": 1.0,"messages":["\u041f \"model\": \u005c"],"x":"model"}'
    assert request(raw).body({"model": "b"}) == raw.replace(b'"model":"a"', b'"model":"b"')


def test_half_a_surrogate_pair_goes_through_escaped() -> None:
    raw = rb'{"model":"a","model":"a","x":"\ud800"}'
    assert request(raw).body({"model": "b"}) == rb'{"model":"b","x":"\ud800"}'


def test_new_fields_come_first() -> None:
    body = request(b'{"model":"a","n": 1}').body({"model": "a", "stream_options": {"include_usage": True}})
    assert body == b'{"stream_options":{"include_usage":true},"model":"a","n": 1}'


def test_a_request_shows_no_content() -> None:
    assert "secret" not in repr(request(b'{"messages":"secret"}'))


# deferred requests


def whole() -> ChatRequest:
    return ChatRequest(messages=(Message.user("Привет"),), tools=(ToolDef(name="f"),), extra={"user": "u"})


def deferred(**parts: Any) -> tuple[ChatRequest, list[int]]:
    built: list[int] = []

    def build() -> ChatRequest:
        built.append(1)
        return whole()

    return ChatRequest.deferred(build, needs=CHAT, **parts), built


def test_what_is_there_builds_nothing() -> None:
    request, built = deferred(model="m", sampling=Sampling(max_tokens=5), metadata={"key": "k"})
    assert isinstance(request, ChatRequest)
    assert (request.model, request.sampling.max_tokens, request.metadata) == ("m", 5, {"key": "k"})
    assert (request.needs(), hasattr(request, "nothing"), built) == (CHAT, False, [])


def test_another_model_builds_nothing_either() -> None:
    request, built = deferred(model="m", sampling=Sampling(max_tokens=5), metadata={"key": "k"})
    other = request.for_model("n")
    assert (other.model, other.sampling, other.metadata, other.needs(), built) == (
        "n",
        request.sampling,
        {"key": "k"},
        CHAT,
        [],
    )
    assert (other.messages, other.tools) == (whole().messages, whole().tools)
    assert (request.model, whole().for_model("n")) == ("m", attrs.evolve(whole(), model="n"))
    assert attrs.evolve(request, tools=()).for_model("n").model == "n"


def test_what_is_missing_is_built_once() -> None:
    request, built = deferred(model="m")
    assert (request.messages, request.tools, request.extra) == (whole().messages, whole().tools, {"user": "u"})
    assert request.reasoning is None
    assert built == [1]
    assert request.model == "m"


def test_a_deferred_request_is_like_any_other() -> None:
    request, _ = deferred()
    assert request == whole()
    assert whole() == request
    assert request != ChatRequest.of("x")
    assert request.__eq__("x") is NotImplemented
    assert copy.copy(request) == request
    changed = attrs.evolve(request, model="m")
    assert changed == attrs.evolve(whole(), model="m")
    assert attrs.evolve(request, model="m", tools=()).needs() == CHAT
    assert changed.needs() == CHAT | {Capability.TOOLS}


def test_an_error_of_the_builder_reaches_who_asked() -> None:
    def build() -> ChatRequest:
        raise InvalidRequest("messages is not a list")

    request = ChatRequest.deferred(build, needs=CHAT)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="not a list"):
            request.messages  # noqa: B018 - reading is what builds
