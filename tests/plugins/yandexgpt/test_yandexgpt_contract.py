"""What the kernel relies on, on both sides of the vendor's API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from mlo.api import Environment
from mlo.errors import ContextTooLong, InvalidRequest, Overloaded, QuotaExhausted, RateLimited, ServerFault
from mlo.events import Event
from mlo.models import Capability
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.ndjson import NdjsonParser
from mlo_sdk.testing import AuthContract, Failure, LoneEnvironment, ProviderContract
from mlo_yandexgpt.answers import FrameReader
from mlo_yandexgpt.plugin import mlo_auth_schemes, mlo_providers

from .cloud import KEY, OAUTH, URI, Cloud, emulated, table

[SPEC] = mlo_providers()
API_KEY, IAM = mlo_auth_schemes()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated(frame_chars=4, gauge=None) as found:
        yield found


def body_of(*texts: str) -> bytes:
    frames = [
        f'{{"result":{{"alternatives":[{{"message":{{"role":"assistant","text":"{text}"}},"status":"ALTERNATIVE_STATUS_'
        f'{"FINAL" if text == texts[-1] else "PARTIAL"}"}}],"usage":{{"inputTextTokens":"5","completionTokens":"7",'
        '"totalTokens":"12"},"modelVersion":"1"}}\n'
        for text in texts
    ]
    return "".join(frames).encode()


class TestNativeSide(ProviderContract):
    spec = SPEC
    deterministic = True
    samples = (body_of("При", "Привет,", "Привет, мир \U0001f30d"), body_of("a\u2028b", "a\u2028b\u0085c\u2029d"))

    @pytest.fixture
    def table(self, cloud: Cloud) -> Mapping[str, Any]:
        return table(cloud)

    @pytest.fixture
    def environment(self) -> Environment:
        return LoneEnvironment(scheme=StaticAuth({"authorization": f"Api-Key {KEY}"}))

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        parser, reader = NdjsonParser(), FrameReader(model=URI)
        documents = [document for chunk in chunks for document in parser.feed(chunk)] + parser.close()
        return [event for document in documents for event in reader.feed(document)] + [reader.close()]

    @pytest.fixture
    def failures(self, cloud: Cloud) -> Mapping[str, Failure]:
        return {
            "busy": Failure(error=Overloaded, prepare=lambda: cloud.change(status=503)),
            "gauge": Failure(error=RateLimited, prepare=lambda: cloud.change(status=None, gauge=0)),
            "hour": Failure(error=QuotaExhausted, prepare=lambda: cloud.change(gauge=None, generations_per_hour=0)),
            "html": Failure(error=ServerFault, prepare=lambda: cloud.change(generations_per_hour=None, html=True)),
            "empty": Failure(error=InvalidRequest, prompt=""),
            "long": Failure(error=ContextTooLong, prompt="я" * 100_001),
        }


class TestOpenWeightSide(ProviderContract):
    spec = SPEC
    deterministic = True
    model = "qwen3-235b-a22b-fp8/latest"
    capabilities = frozenset({Capability.CHAT, Capability.STREAM, Capability.JSON_OBJECT, Capability.JSON_SCHEMA})

    @pytest.fixture
    def table(self, cloud: Cloud) -> Mapping[str, Any]:
        return table(cloud)

    @pytest.fixture
    def environment(self) -> Environment:
        return LoneEnvironment(scheme=StaticAuth({"authorization": f"Api-Key {KEY}"}))


class TestApiKey(AuthContract):
    spec = API_KEY
    options: ClassVar[Mapping[str, Any]] = {"key": KEY}


class IamServer:
    """IAM as the auth contract sees it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @property
    def issued(self) -> int:
        return self._cloud.journal["iam exchanges"]

    def refuse(self) -> None:
        self._cloud.change(oauth_tokens=())

    def allow(self) -> None:
        self._cloud.change(oauth_tokens=(OAUTH,))


class TestIam(AuthContract):
    spec = IAM

    @pytest.fixture
    def table(self, cloud: Cloud) -> Mapping[str, Any]:
        return {"oauth_token": OAUTH, "iam_url": cloud.url}

    @pytest.fixture
    def issuer(self, cloud: Cloud) -> IamServer:
        return IamServer(cloud)
