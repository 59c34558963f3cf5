"""One gateway over the mock and the three emulators, for clients that nobody here wrote."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mlo import Router
from mlo_emulators import gigachat, ollama, yandexgpt
from mlo_emulators.server import running

from .running import Served, served

FOLDER = yandexgpt.Options().folder_id


@pytest.fixture(scope="session")
def gateway() -> Iterator[Served]:
    """A gateway on a socket; ``relayed`` speaks the client's wire, the others have to be translated."""
    with ExitStack() as stack:
        giga = stack.enter_context(running(gigachat.create_app(gigachat.Options(concurrency=0))))
        yandex = stack.enter_context(running(yandexgpt.create_app(yandexgpt.Options())))
        local = stack.enter_context(running(ollama.create_app(ollama.Options(models=("tiny",), parallel=4))))
        key = base64.b64encode(f"{uuid.uuid4()}:secret".encode()).decode()

        def providers(router: Router) -> None:
            oauth = {"use": "gigachat-oauth", "key": key, "auth_url": f"{giga.url}/api/v2/oauth"}
            cloud = {"use": "yandex-api-key", "key": yandexgpt.Options().api_keys[0]}
            router.add_provider("mock")
            router.add_provider("giga", use="gigachat", base_url=f"{giga.url}/v1", auth=oauth)
            router.add_provider("yandex", use="yandexgpt", folder_id=FOLDER, base_url=yandex.url, auth=cloud)
            router.add_provider("local", use="ollama", base_url=local.url, model="tiny")
            router.add_provider("relayed", use="openai-compat", base_url=f"{local.url}/v1", model="tiny")
            router.add_provider("busy", use="mock", fail_first=1, fail_with="rate-limit", retry_after=11)
            router.add_route("both", ["giga", "mock"])

        yield stack.enter_context(served(Router, providers, aliases={"gpt-4o-mini": "giga"}))
