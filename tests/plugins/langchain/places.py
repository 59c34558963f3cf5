"""Routers over the mock and over emulated vendors, for tests that do not care which."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeAlias

import pytest
from attrs import frozen

import mlo_mock
from mlo import Router
from mlo.settings import RetrySettings
from mlo_emulators import gigachat, ollama, yandexgpt
from mlo_emulators.server import Journal, running

JOKE = json.dumps({"setup": "Почему кот?", "punchline": "Потому."}, ensure_ascii=False)
ONCE = RetrySettings(rounds=1)
# what the standard tests expect a model to read out of their questions
_UNDERSTOOD = {"input": 3, "customer_name": "你好 こんにちは"}


def _taught(make: Callable[..., Any]) -> Callable[..., Any]:
    """Values for a schema as an emulated model makes them, but with what a real one would have understood."""

    def taught(schema: Any, **options: Any) -> Any:
        made = make(schema, **options)
        return {name: _UNDERSTOOD.get(name, value) for name, value in made.items()} if isinstance(made, dict) else made

    return taught


def _hint(text: str) -> str:
    """A question about the weather names the tool for it."""
    return f"{text} get_weather" if "weather in" in text else text


@contextlib.contextmanager
def understanding() -> Iterator[None]:
    """Emulated models understand the standard tests while the block runs."""
    answers = [importlib.import_module(f"{each.__name__}.answers") for each in (gigachat, ollama, yandexgpt, mlo_mock)]
    with pytest.MonkeyPatch.context() as patch:
        for module in answers:
            patch.setattr(module, "value_for", _taught(module.value_for))
        *_, yandex, mock = answers
        said, wanted = mock._said, yandex._wanted
        patch.setattr(mock, "_said", lambda request: _hint(said(request)))
        patch.setattr(yandex, "_wanted", lambda tools, choice, text: wanted(tools, choice, _hint(text)))
        yield


@frozen(kw_only=True)
class Place:
    """Where a router leads: ``add`` makes it known under a name, ``journal`` is what the server has seen.

    ``fail`` lets it answer 503 from now on.
    """

    add: Callable[[Router, str], None]
    journal: Journal
    fail: Callable[[], None] = lambda: None


Open: TypeAlias = Callable[..., AbstractContextManager[Place]]


@contextlib.contextmanager
def gigachat_place(**options: Any) -> Iterator[Place]:
    """An emulated GigaChat with a key that nobody has used."""
    app = gigachat.create_app(gigachat.Options(**{"concurrency": 0, **options}))
    fail = partial(app.state.emulator.configure, fail_first=99, fail_status=503)
    key = base64.b64encode(f"{uuid.uuid4()}:secret".encode()).decode()
    with running(app) as server:
        auth = {"use": "gigachat-oauth", "key": key, "auth_url": f"{server.url}/api/v2/oauth"}

        def add(router: Router, name: str) -> None:
            router.add_provider(
                name, use="gigachat", base_url=f"{server.url}/v1", auth=auth, stop="emulate", concurrency=0
            )

        yield Place(add=add, journal=server.journal, fail=fail)


@contextlib.contextmanager
def yandexgpt_place(**options: Any) -> Iterator[Place]:
    """An emulated YandexGPT with an API key."""
    chosen = yandexgpt.Options(**{"gauge": None, **options})
    app = yandexgpt.create_app(chosen)
    with running(app) as server:
        auth = {"use": "yandex-api-key", "key": chosen.api_keys[0]}

        def add(router: Router, name: str) -> None:
            router.add_provider(
                name, use="yandexgpt", folder_id=chosen.folder_id, base_url=server.url, auth=auth, stop="client"
            )

        yield Place(add=add, journal=server.journal, fail=partial(app.state.world.change, status=503))


@contextlib.contextmanager
def ollama_place(**options: Any) -> Iterator[Place]:
    """An emulated Ollama with a model that can do everything, and one for embeddings."""
    able = ollama.Model(name="able", capabilities=("completion", "tools", "vision"), context_length=32768)
    other = ollama.Model(name="other", capabilities=("completion",), context_length=32768)
    embed = ollama.Model(name="embed", capabilities=("embedding",), context_length=512)
    app = ollama.create_app(ollama.Options(**{"models": (able, other, embed), "parallel": 8, **options}))
    with running(app) as server:

        def add(router: Router, name: str) -> None:
            router.add_provider(name, use="ollama", base_url=server.url, model="able", embedding_model="embed")

        yield Place(add=add, journal=server.journal)


@contextlib.contextmanager
def mock_place(**options: Any) -> Iterator[Place]:
    """The mock, which needs no server."""

    def add(router: Router, name: str) -> None:
        router.add_provider(name, use="mock", **options)

    yield Place(add=add, journal=Journal())


def router_over(*places: Place, **route: Any) -> Router:
    """A router, not yet open, that tries the places in order, each once."""
    router = Router()
    names = [f"p{index}" for index in range(len(places))]
    for name, place in zip(names, places, strict=True):
        place.add(router, name)
    router.add_route("default", names, **{"retry": ONCE, **route})
    return router
