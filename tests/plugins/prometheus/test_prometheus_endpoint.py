from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import anyio
import pytest
from attrs import frozen

from mlo import Router
from mlo.api import ConfiguredInstance, DoctorContext
from mlo.errors import ConfigError
from mlo.records import CallStarted
from mlo_prometheus.config import PrometheusConfig
from mlo_prometheus.observer import PrometheusObserver
from mlo_prometheus.opening import open_prometheus
from mlo_prometheus.plugin import mlo_doctor
from mlo_prometheus.server import why_not
from mlo_sdk.testing import LoneEnvironment

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(**options: object) -> AsyncIterator[PrometheusObserver]:
    config = PrometheusConfig(**{"port": 0, **options})  # type: ignore[arg-type]
    async with open_prometheus(config, LoneEnvironment(path="observers.metrics")) as observer:
        yield observer


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        zipped = self.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(self.body) if zipped else self.body).decode()


def port_of(observer: PrometheusObserver) -> int:
    assert observer.url is not None
    return int(observer.url.rpartition(":")[2].partition("/")[0])


async def get(observer: PrometheusObserver, path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
    assert observer.url is not None
    host = observer.url.removeprefix("http://").rpartition(":")[0].strip("[]")

    def ask() -> Answer:
        connection = HTTPConnection(host, port_of(observer), timeout=10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    return await anyio.to_thread.run_sync(ask)


async def test_it_serves_on_loopback_in_prometheus_own_format() -> None:
    async with opened() as observer:
        answer = await get(observer)
        assert observer.url == f"http://127.0.0.1:{port_of(observer)}/metrics"
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE mlo_attempts_total counter\n" in answer.text
    assert "process_cpu_seconds_total" in answer.text


async def test_it_speaks_openmetrics_to_who_asks_for_it() -> None:
    async with opened() as observer:
        answer = await get(observer, Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


async def test_the_page_is_compressed_for_who_takes_it() -> None:
    async with opened() as observer:
        answer = await get(observer, **{"Accept-Encoding": "gzip"})
        plain = await get(observer, **{"Accept-Encoding": "identity"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert "mlo_attempts_total" in answer.text
    assert "mlo_attempts_total" in plain.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/metricsx", 404), ("POST", "", 501)]
)
async def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    async with opened() as observer:
        answer = await get(observer, path, method)
    assert answer.status == status
    assert "Python" not in answer.headers["Server"]


async def test_a_head_has_no_body() -> None:
    async with opened() as observer:
        answer = await get(observer, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


async def test_without_an_endpoint_the_page_is_there_for_who_serves_it() -> None:
    async with opened(listen=False) as observer:
        content_type, page = observer.exposition("text/plain")
        assert observer.url is None
    assert content_type.startswith("text/plain")
    assert b"mlo_attempts_total" in page


async def test_a_port_that_is_taken_is_a_configuration_error() -> None:
    async with opened() as observer:
        port = port_of(observer)
        with pytest.raises(ConfigError, match=rf"observers\.metrics\.port: port {port} on 127\.0\.0\.1 is taken"):
            async with opened(port=port):
                raise AssertionError


async def test_an_address_of_another_machine_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"observers\.metrics\.host: cannot listen on 192\.0\.2\.1"):
        async with opened(host="192.0.2.1"):
            raise AssertionError


def test_a_port_for_root_only_is_explained() -> None:
    assert why_not(PermissionError(13, "Permission denied"), "127.0.0.1", 80)[:2] == (
        "port",
        "port 80 is not allowed to this user",
    )


async def test_it_answers_on_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with opened(host="::1") as observer:
            assert observer.url is not None
            assert observer.url.startswith("http://[::1]:")
            assert (await get(observer)).status == 200
    except ConfigError:
        pytest.skip("no IPv6 here")


async def test_closing_frees_the_port_and_ends_the_thread() -> None:
    async with opened() as observer:
        port = port_of(observer)
    assert not [thread for thread in threading.enumerate() if thread.name == "mlo-prometheus"]
    async with opened(port=port) as again:
        assert (await get(again)).status == 200


async def test_clients_that_say_nothing_do_not_keep_others_out() -> None:
    """All places are taken by idle clients; they are given up, and the next scrape is served."""
    async with opened() as observer:
        port = port_of(observer)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        try:
            closed = [connection for connection in idle[8:] if connection.recv(1) == b""]
            assert len(closed) == 12
        finally:
            for connection in idle:
                connection.close()
        with anyio.fail_after(10):
            while True:
                try:
                    answer = await get(observer)
                    break
                except (OSError, HTTPException):
                    await anyio.sleep(0.02)
    assert answer.status == 200


async def test_a_scrape_does_not_stop_the_event_loop() -> None:
    """The page is made in a thread: while a gauge takes its time there, the loop goes on."""
    async with opened() as observer:
        release, asked = threading.Event(), threading.Event()

        def slow() -> float:
            asked.set()
            release.wait(10)
            return 1.0

        observer.add_gauge("slow", slow)
        pages: list[str] = []

        async def scrape() -> None:
            pages.append((await get(observer)).text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scrape)
            with anyio.fail_after(10):
                while not asked.is_set():
                    await anyio.sleep(0.005)
            observer.on(CallStarted(call_id="c", route="r", operation="chat"))
            assert observer.calls_under_way == 1
            release.set()
    assert "\nslow 1.0\n" in pages[0]


async def test_a_router_serves_what_its_calls_did(tmp_path: Path) -> None:
    path = tmp_path / "mlo.toml"
    path.write_text('[providers.a]\nuse = "mock"\n[observers.metrics]\nuse = "prometheus"\nport = 0\n')
    async with Router.from_file(path) as router:
        await router.route("привет")
        observer = await router.observer("metrics")
        assert isinstance(observer, PrometheusObserver)
        text = (await get(observer)).text
    assert 'mlo_attempts_total{model="mock",operation="chat",outcome="ok",project="",provider="a"} 1.0' in text


async def test_a_reload_that_wants_the_same_port_changes_nothing(tmp_path: Path) -> None:
    async with opened() as observer:
        port = port_of(observer)
    path = tmp_path / "mlo.toml"
    text = f'[providers.a]\nuse = "mock"\n[observers.metrics]\nuse = "prometheus"\nport = {port}\n'
    path.write_text(text)
    async with Router.from_file(path) as router:
        before = await router.observer("metrics")
        await router.reload()
        assert await router.observer("metrics") is before
        path.write_text(text + "labels = 5\n")
        with pytest.raises(ConfigError, match=r"observers\.metrics\.port: port \d+ on 127\.0\.0\.1 is taken"):
            await router.reload()
        await router.route("привет")
        assert isinstance(before, PrometheusObserver)
        assert "mlo_attempts_total{" in (await get(before)).text


def test_doctor_warns_of_metrics_for_everybody() -> None:
    configs = (
        PrometheusConfig(),
        PrometheusConfig(host="::1"),
        PrometheusConfig(host="0.0.0.0", listen=False),
        PrometheusConfig(host="0.0.0.0"),
    )
    instances = [
        ConfiguredInstance(path=f"observers.{number}", kind="observers", use="prometheus", config=config)
        for number, config in enumerate(configs)
    ]
    (finding,) = mlo_doctor(DoctorContext(instances=tuple(instances)))
    assert (finding.level, finding.where) == ("warning", "observers.3.host")


def test_options_out_of_range_are_refused() -> None:
    for options in ({"port": 65_536}, {"port": -1}, {"labels": 0}, {"series": 0}):
        with pytest.raises(ValueError, match=r"must be"):
            PrometheusConfig(**options)  # type: ignore[arg-type]
