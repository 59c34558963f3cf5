"""What the schemes put into a request; the contract of all schemes is checked elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest

from mlo import ConfigError, Secret
from mlo.errors import AuthFailed, ProtocolViolated, TransportFailed
from mlo_sdk.auth import ApiKeyConfig, BasicConfig, BearerConfig, NoAuthConfig, OAuth2Config
from mlo_sdk.auth.oauth2 import bearer_credentials
from mlo_sdk.auth.plugin import mlo_auth_schemes
from mlo_sdk.testing import LoneEnvironment
from tests.sdk.http_server import CLOSE, Received, serving, whole, whole_json

pytestmark = pytest.mark.anyio
_SPECS = {spec.name: spec for spec in mlo_auth_schemes()}
_ENVIRONMENT = LoneEnvironment(path="providers.x.auth")


async def headers(scheme: str, config: object) -> Mapping[str, str]:
    async with _SPECS[scheme].open(config, _ENVIRONMENT) as auth:
        return (await auth.credentials()).headers


_HEADERS: dict[str, tuple[str, object, dict[str, str]]] = {
    "none": ("none", NoAuthConfig(), {}),
    "bearer": ("bearer", BearerConfig(Secret("abc")), {"authorization": "Bearer abc"}),
    "bearer from a file": ("bearer", BearerConfig(Secret(" abc\n")), {"authorization": "Bearer abc"}),
    "api key": ("api-key", ApiKeyConfig(key=Secret("abc")), {"x-api-key": "abc"}),
    "api key of another kind": (
        "api-key",
        ApiKeyConfig(key=Secret("abc"), header="Authorization", prefix="Api-Key"),
        {"authorization": "Api-Key abc"},
    ),
    "basic": (
        "basic",
        BasicConfig(username="мы", password=Secret("a:b")),
        {"authorization": "Basic " + base64.b64encode("мы:a:b".encode()).decode()},
    ),
}


@pytest.mark.parametrize(("scheme", "config", "expected"), _HEADERS.values(), ids=list(_HEADERS))
async def test_headers_of_fixed_credentials(scheme: str, config: object, expected: dict[str, str]) -> None:
    assert await headers(scheme, config) == expected


@pytest.mark.parametrize("key", ["", "  \n", "a b", "a\nb", "ключ"], ids=["empty", "blank", "space", "line", "letters"])
async def test_a_key_that_cannot_be_one(key: str) -> None:
    with pytest.raises(ConfigError, match=r"^providers\.x\.auth\.token: ") as caught:
        await headers("bearer", BearerConfig(Secret(key)))
    assert not key.strip() or key not in str(caught.value)


class TokenServer:
    """Answers what it is told, once for each request."""

    def __init__(self, *answers: Iterable[object]) -> None:
        self.answers = list(answers)

    def __call__(self, _request: Received) -> Iterable[object]:
        return self.answers.pop(0)


def token(text: str = "t-1", **more: object) -> Iterable[object]:
    return [whole_json({"access_token": text, "token_type": "bearer", "expires_in": 1800, **more})]


def oauth(url: str, **options: Any) -> OAuth2Config:
    return OAuth2Config(token_url=f"{url}/oauth", client_id="id/1", client_secret=Secret("s3cret+"), **options)


def form(request: Received) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


async def test_client_credentials_by_basic_header() -> None:
    with serving(TokenServer(token())) as server:
        found = await headers("oauth2-client-credentials", oauth(server.url, scope="a b", extra={"audience": "x"}))
    (request,) = server.requests
    assert found == {"authorization": "Bearer t-1"}
    assert (request.method, request.path) == ("POST", "/oauth")
    assert form(request) == {"grant_type": "client_credentials", "scope": "a b", "audience": "x"}
    scheme, _, encoded = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", b"id%2F1:s3cret%2B")


async def test_client_credentials_in_the_body() -> None:
    with serving(TokenServer(token())) as server:
        await headers("oauth2-client-credentials", oauth(server.url, client_auth="body"))
    (request,) = server.requests
    assert "authorization" not in request.headers
    assert form(request) == {"grant_type": "client_credentials", "client_id": "id/1", "client_secret": "s3cret+"}


async def test_a_rejected_token_is_renewed() -> None:
    with serving(TokenServer(token("t-1"), token("t-2"))) as server:
        async with _SPECS["oauth2-client-credentials"].open(oauth(server.url), _ENVIRONMENT) as auth:
            first = await auth.credentials()
            second = await auth.credentials(first.generation)
    assert [one.headers["authorization"] for one in (first, second)] == ["Bearer t-1", "Bearer t-2"]


async def test_two_instances_of_one_client_share_the_token() -> None:
    with serving(TokenServer(token())) as server:
        config = oauth(server.url)
        async with _SPECS["oauth2-client-credentials"].open(config, _ENVIRONMENT) as auth:
            assert await headers("oauth2-client-credentials", config) == (await auth.credentials()).headers
    assert len(server.requests) == 1


_REFUSALS: dict[str, tuple[Iterable[object], type[Exception], str]] = {
    "unknown client": (
        [whole_json({"error": "invalid_client", "error_description": "Who?"}, status=401)],
        AuthFailed,
        r"Who\? \[HTTP 401, code invalid_client\]",
    ),
    "wrong scope": ([whole_json({"error": "invalid_scope"}, status=400)], AuthFailed, "invalid_scope"),
    "wrong address": ([whole(b"<html>404</html>", status=404, kind="text/html")], AuthFailed, "404"),
    "a web page": ([whole(b"<html>Log in</html>", kind="text/html")], ProtocolViolated, "expected JSON"),
    "cut": ([whole(b'{"access_token": "s3cret')], ProtocolViolated, "expected JSON"),
    "a list": ([whole_json(["s3cret"])], ProtocolViolated, "expected a JSON object"),
    "an echo": ([whole_json({"error": "who is s3cret+?"}, status=401)], AuthFailed, r"who is \*\*\*\*"),
    "no token": ([whole_json({"b": 1, "a": 2})], ProtocolViolated, "no access_token, only a, b"),
    "down": ([CLOSE], TransportFailed, "was lost"),
}


@pytest.mark.parametrize(("answer", "error", "message"), _REFUSALS.values(), ids=list(_REFUSALS))
async def test_a_refusal_says_why_and_shows_no_secret(
    answer: Iterable[object], error: type[Exception], message: str
) -> None:
    with serving(TokenServer(answer)) as server:
        with pytest.raises(error, match=message) as caught:
            await headers("oauth2-client-credentials", oauth(server.url))
    assert "s3cret" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


_LIFETIMES: dict[str, tuple[dict[str, object], float | None]] = {
    "number": ({"expires_in": 60}, 160.0),
    "string": ({"expires_in": "60"}, 160.0),
    "nonsense": ({"expires_in": "soon"}, None),
    "unsaid": ({}, None),
}


@pytest.mark.parametrize(("fields", "expires_at"), _LIFETIMES.values(), ids=list(_LIFETIMES))
def test_lifetime_of_a_token(fields: dict[str, object], expires_at: float | None) -> None:
    assert bearer_credentials({"access_token": "t", **fields}, asked_at=100.0).expires_at == expires_at
