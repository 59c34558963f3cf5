from __future__ import annotations

import sys
from collections.abc import Iterable

import httpx
import pytest

from mlo import ConfigError, Secret
from mlo_sdk import HttpClient, HttpSettings, TlsConfig
from mlo_sdk.transports import open_transport, proxy_for
from tests.sdk.http_server import Received, serving, whole_json

pytestmark = pytest.mark.anyio
_URL = httpx.URL("http://a.example/v1")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in _PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_environment_is_not_asked_by_default(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://proxy:1")
    assert proxy_for(_URL, HttpSettings()) is None


_FROM_ENVIRONMENT: dict[str, tuple[dict[str, str], str | None]] = {
    "scheme": ({"http_proxy": "http://proxy:1"}, "http://proxy:1"),
    "all": ({"all_proxy": "http://proxy:2"}, "http://proxy:2"),
    "without scheme": ({"http_proxy": "proxy:1"}, "http://proxy:1"),
    "exempt": ({"http_proxy": "http://proxy:1", "no_proxy": "a.example"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("variables", "proxy"), _FROM_ENVIRONMENT.values(), ids=list(_FROM_ENVIRONMENT))
def test_the_environment_is_asked_on_request(
    environment: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert proxy_for(_URL, HttpSettings(trust_env=True)) == proxy


def test_a_configured_proxy_goes_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "http://proxy:1")
    settings = HttpSettings(trust_env=True, proxy=Secret("http://me:pw@own:3"))
    assert proxy_for(_URL, settings) == "http://me:pw@own:3"
    assert "pw" not in repr(settings)


async def test_a_request_goes_through_the_proxy() -> None:
    def script(_request: Received) -> Iterable[object]:
        return [whole_json({"by": "proxy"})]

    with serving(script) as proxy:
        settings = HttpSettings(proxy=Secret(proxy.url))
        async with HttpClient("http://unreachable.example/v1", settings=settings) as client:
            assert (await client.request("GET", "/models")).data == {"by": "proxy"}
    assert proxy.requests[0].path == "http://unreachable.example/v1/models"


@pytest.mark.parametrize("proxy", ["gopher://a", "socks5://a:1"], ids=["unknown scheme", "package missing"])
async def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    settings = HttpSettings(proxy=Secret(proxy))
    with pytest.raises(ConfigError, match=r"^providers\.x\.http\.proxy: cannot use this proxy"):
        open_transport(_URL, settings, TlsConfig(), "providers.x")


class TestAiohttp:
    settings = HttpSettings(transport="aiohttp")

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_knows_no_proxies(self) -> None:
        settings = HttpSettings(transport="aiohttp", proxy=Secret("http://a"))
        with pytest.raises(ConfigError, match="no proxies with aiohttp"):
            open_transport(_URL, settings, TlsConfig(), "")

    async def test_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        monkeypatch.delitem(sys.modules, "mlo_sdk.aiohttp_transport", raising=False)
        with pytest.raises(ConfigError, match=r"^http\.transport: aiohttp is not installed \(pip install"):
            open_transport(_URL, self.settings, TlsConfig(), "")


class TestAiohttpOnTrio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"

    async def test_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="runs on asyncio only"):
            open_transport(_URL, HttpSettings(transport="aiohttp"), TlsConfig(), "")
