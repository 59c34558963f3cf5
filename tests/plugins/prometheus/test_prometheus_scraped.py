"""A real Prometheus server scrapes the endpoint, and runs the dashboard and the alerts that we ship."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import anyio
import pytest
from anyio.to_thread import run_sync
from attrs import frozen

from mlo import ChatRequest, Message, Router
from mlo.errors import CallRefused, MloError, Overloaded, StreamInterrupted
from mlo.records import CallFinished, CallStarted
from mlo_prometheus.catalogue import CATALOGUE
from mlo_prometheus.observer import PrometheusObserver
from tests.house.sources import ROOT
from tests.services.prometheus import PrometheusServer, program, prometheus_server

T = TypeVar("T")
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "multi-llm-orchestrator.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
VARIABLES = {"$__rate_interval": "1m", "$__range": "1m", "$project": ".*", "$provider": ".*"}
CONFIG = """
[providers.main]
use = "mock"
price = { prompt = "1000", completion = "2000" }
cached_tokens = 1
[providers.spare]
use = "mock"
price = { prompt = "1", completion = "1", currency = "USD", request = "0.5" }
[providers.free]
use = "mock"
[providers.ill]
use = "mock"
mode = "overloaded"
[providers.fragile]
use = "mock"
break_after = 2
[providers.hiccup]
use = "mock"
fail_every = 2
fail_with = "overloaded"
[routes.default]
targets = ["ill", "main"]
retry = { rounds = 1 }
[routes.again]
targets = ["hiccup"]
retry = { rounds = 3, base = 0.001 }
[observers.metrics]
use = "prometheus"
port = 0
"""


@frozen
class Scene:
    """A server that has seen all metrics move, and the observer that it scrapes."""

    server: PrometheusServer
    observer: PrometheusObserver


async def live(router: Router, observer: PrometheusObserver) -> None:
    """Do a little of everything."""
    ask = ChatRequest(messages=(Message.user("раз два три"),), metadata={"project": "shop"})
    await router.route(ask)
    await router.embed("раз", target="main")
    for target in ("spare", "free"):
        await router.route(ask, target=target)
    with suppress(Overloaded):  # once the budget of retries is spent
        await router.route(ask, route="again")
    async with router.route_stream(ask, target="main") as stream:
        [event async for event in stream]
    with pytest.raises(StreamInterrupted):
        async with router.route_stream(ask, target="fragile") as stream:
            [event async for event in stream]
    with pytest.raises(MloError):
        await router.route(ask, target="ill")
    refused(observer)
    observer.counter("mlo_rate_limited_total").labels("project").add()


def refused(observer: PrometheusObserver) -> None:
    error = CallRefused("no", reason="budget-exhausted")
    observer.on(CallStarted(call_id="refused", route="r", operation="chat"))
    observer.on(CallFinished(call_id="refused", route="r", status="error", elapsed=0.0, attempts=0, error=error))


def serve(folder: Path, ready: Event, done: Event, found: list[PrometheusObserver]) -> None:
    """Keep a router busy until ``done``, on an event loop of its own."""

    async def run() -> None:
        async with Router.from_file(folder / "mlo.toml") as router:
            observer = await router.observer("metrics")
            assert isinstance(observer, PrometheusObserver)
            observer.add_gauge("mlo_ledger_lag_seconds", lambda: 0.5)
            for name in ("ledger_backlog", "gateway_requests", "gateway_waiting", "gateway_overloaded"):
                observer.add_gauge(f"mlo_{name}", lambda: 3)
            observer.vocabulary("project").folded = 1
            found.append(observer)
            while not done.is_set():
                await live(router, observer)
                ready.set()
                await run_sync(done.wait, 0.1)

    anyio.run(run)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    program("prometheus")
    folder = tmp_path_factory.mktemp("scraped")
    (folder / "mlo.toml").write_text(CONFIG)
    ready, done = Event(), Event()
    found: list[PrometheusObserver] = []
    thread = Thread(target=serve, args=(folder, ready, done, found))
    thread.start()
    try:
        assert ready.wait(10)
        (observer,) = found
        assert observer.url is not None
        with prometheus_server(observer.url.removeprefix("http://").removesuffix("/metrics"), ALERTS) as server:
            until(lambda: server.query("rate(mlo_attempts_total[1m])"))
            until(lambda: server.query("mlo_labels_folded_total"))
            yield Scene(server, observer)
    finally:
        done.set()
        thread.join()


def until(found: Callable[[], T]) -> T:
    """What is found in the end: a scrape that was late on a busy machine leaves a hole behind."""
    deadline = time.monotonic() + 10
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def filled(expression: str) -> str:
    """What Grafana would send."""
    for name, text in VARIABLES.items():
        expression = expression.replace(name, text)
    assert "$" not in expression
    return expression


def test_the_server_takes_what_it_is_given(scene: Scene) -> None:
    def healthy() -> list[dict[str, Any]]:
        return [one for one in scene.server.get("targets")["activeTargets"] if one["health"] == "up"]

    (target,) = until(healthy)
    assert target["lastError"] == ""
    assert not scene.server.query("scrape_samples_scraped - scrape_samples_post_metric_relabeling > 0")


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_each_documented_metric_is_scraped_with_its_labels(scene: Scene, metric: Any) -> None:
    name = f"{metric.name}_count" if metric.kind == "histogram" else metric.name
    samples = until(lambda: scene.server.query(name))
    labels = set().union(*(sample["metric"] for sample in samples)) - {"__name__", "instance", "job"}
    assert labels == set(metric.labels)
    family = metric.name.removesuffix("_total")  # as OpenMetrics, which the server asks for, calls a counter
    known = scene.server.get("metadata", metric=family)[family]
    assert [(each["type"], each["help"]) for each in known] == [(metric.kind, metric.help)]


def test_sums_on_the_server_are_those_of_the_process(scene: Scene) -> None:
    """Tokens of the stream's and the plain calls: each of them has three words in and four out."""
    expression = "sum by (gen_ai_token_type) (gen_ai_client_token_usage_sum{provider='free'})"
    counts = until(lambda: scene.server.query(expression))
    per_type = {each["metric"]["gen_ai_token_type"]: float(each["value"][1]) for each in counts}
    calls = per_type["input"] / 3
    assert calls == int(calls)
    assert per_type["output"] == calls * 4


@pytest.mark.parametrize("title", PANELS)
def test_every_expression_of_the_dashboard_has_values(scene: Scene, title: str) -> None:
    for expression in expressions(PANELS[title]):
        samples = until(partial(scene.server.query, filled(expression)))
        assert [each for each in samples if each["value"][1] != "NaN"], expression


def test_the_dashboard_is_whole() -> None:
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "project", "provider"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
    for panel in PANELS.values():
        assert " · " in panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_variables_of_the_dashboard_have_values(scene: Scene) -> None:
    for variable in DASHBOARD["templating"]["list"][1:]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
        assert found is not None
        values = scene.server.get(f"label/{found[2]}/values", **{"match[]": found[1]})
        assert {"project": "shop", "provider": "main"}[variable["name"]] in values


def test_the_dashboard_shows_every_metric() -> None:
    shown = " ".join(expression for panel in PANELS.values() for expression in expressions(panel))
    hidden = {metric.name for metric in CATALOGUE if metric.name not in shown}
    assert hidden == set()


def test_every_alert_is_evaluated(scene: Scene) -> None:
    def rules() -> list[dict[str, Any]]:
        (group,) = scene.server.get("rules")["groups"]
        found: list[dict[str, Any]] = group["rules"]
        return found

    until(lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert [(rule["health"], rule.get("lastError", "")) for rule in rules()] == [("ok", "")] * 8


def test_an_alert_becomes_pending_when_its_cause_is_there(scene: Scene) -> None:
    def pending() -> set[str]:
        return {alert["labels"]["alertname"] for alert in scene.server.get("alerts")["alerts"]}

    until(lambda: {"MloProviderFails", "MloCostUnknown"} <= pending())
    assert "MloLedgerLags" not in pending()


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    command = (program("promtool"), *arguments)
    done = subprocess.run(command, cwd=ALERTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rule_tests_notice_a_rule_that_never_fires(tmp_path: Path) -> None:
    rules = ALERTS.read_text()
    for name in ("alerts.yml", "alerts.test.yml"):
        text = (ALERTS.parent / name).read_text()
        (tmp_path / name).write_text(text.replace("mlo_ledger_lag_seconds) > 60", "mlo_ledger_lag_seconds) > 600"))
    assert (tmp_path / "alerts.yml").read_text() != rules
    command = (program("promtool"), "test", "rules", "alerts.test.yml")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_promtool_finds_nothing_wrong_with_the_page(scene: Scene) -> None:
    page = scene.observer.exposition()[1]
    done = subprocess.run((program("promtool"), "check", "metrics"), input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_alert_speaks_both_languages() -> None:
    text = ALERTS.read_text()
    assert text.count("- alert: ") == text.count(" summary: ") == text.count(" summary_ru: ") == 8
    summaries = re.findall(r"summary_ru: (.*)", text)
    assert all(any("а" <= letter <= "я" for letter in summary) for summary in summaries)
