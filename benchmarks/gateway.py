"""The gateway beside LiteLLM's proxy, in one run, in front of the same provider that answers at once.

Everything is on: keys, limits, ledger (SQLite) and metrics; ``alone`` is the data plane without them. The gateway runs
on one core, the provider and the load (``wrk``, Debian's) on the other. Ratios of one run count. CPU per request is the
gateway process's own, so that neighbours on the machine do not change it: a million of its microseconds is what one
worker can serve in a second.

Goals: at least 3,000 requests/s at 64 connections, 60,000 events/s passed through and 20,000 translated over 32
streams, at most 0.5 ms added at one connection, at most 120 MB and no growth over 200,000 requests, ready in 1.5 s.

``--litellm`` measures LiteLLM, too (``pip install 'litellm[proxy]'`` in a virtual environment below ``.dev/litellm``).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _measure import print_table
from _upstream import EVENTS
from attrs import frozen

HERE = Path(__file__).parent
DEV = HERE.parent / ".dev"
LITELLM = DEV / "litellm" / "bin"
CHAT = "/v1/chat/completions"
SAID = [{"role": "user", "content": "Привет, мир"}]
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
MODELS = ("openai", "giga", "local", "yandex")
ALONE = """
import sys, anyio, uvicorn
from mlo import Router
from mlo_gateway.anonymous import Anonymous, NoLimits
from mlo_gateway.app.application import create_app
from mlo_gateway.contracts import Gateway
async def main():
    async with Router.from_file(sys.argv[1]) as router:
        app = create_app(Gateway(router=router, authenticator=Anonymous(), limiter=NoLimits()))
        config = uvicorn.Config(app, port=int(sys.argv[2]), log_config=None, access_log=False, proxy_headers=False)
        await uvicorn.Server(config).serve()
anyio.run(main, backend_options={"use_uvloop": True})
"""


@frozen(kw_only=True)
class Subject:
    """Something that stands in front of the provider."""

    name: str
    url: str
    key: str = "sk-none"
    pid: int | None = None
    model: str = "openai"
    ready: float = 0.0


@frozen(kw_only=True)
class Load:
    """What wrk saw: answers a second, and times in milliseconds; ``cpu`` is the subject's, microseconds per answer."""

    rate: float
    median: float
    worst: float
    failed: int
    cpu: float


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: list[str], core: int, probe: str, env: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[tuple[int, float]]:
    """A process on its core, once ``probe`` answers: its number, and the seconds it took."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = ["taskset", "-c", str(cores[core % len(cores)]), *command]
    began = time.perf_counter()
    with (log or Path(os.devnull)).open("w") as out:
        child = subprocess.Popen(pinned, env={**os.environ, **(env or {})}, stdout=out, stderr=subprocess.STDOUT)
        try:
            while not _answers(probe):
                if child.poll() is not None or time.perf_counter() - began > 120:
                    raise SystemExit(f"{command[0]} did not start: {log.read_text()[-2000:] if log else ''}")
                time.sleep(0.02)
            yield child.pid, time.perf_counter() - began
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def memory_of(pid: int) -> float:
    """Megabytes that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def load(subject: Subject, connections: int, seconds: float, *, stream: bool = False, model: str = "") -> Load:
    """Ask as fast as the answers come."""
    body = json.dumps({"model": model or subject.model, "messages": SAID, **({"stream": True} if stream else {})})
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n')
        script.write(f'wrk.headers["authorization"] = "Bearer {subject.key}"\nwrk.body = {json.dumps(body)}\n')
        script.flush()
        cores = sorted(os.sched_getaffinity(0))
        command = ["taskset", "-c", str(cores[-1]), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
        command += ["--latency", "--timeout", "30s", "-s", script.name, subject.url + CHAT]
        before = cpu_of(subject.pid) if subject.pid else 0.0
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = (cpu_of(subject.pid) if subject.pid else 0.0) - before
    count = int(_found(r"(\d+) requests in", said))
    return Load(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        median=_time(r"50%\s+([\d.]+)(us|ms|s)", said),
        worst=_time(r"99%\s+([\d.]+)(us|ms|s)", said),
        failed=int(found[1]) if (found := re.search(r"Non-2xx or 3xx responses: (\d+)", said)) else 0,
        cpu=spent / max(1, count) * 1e6,
    )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said something else:\n{text}")
    return found[1]


def _time(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) * UNITS[found[2]] if found else float("nan")


def configuration(folder: Path, upstream: str, port: int) -> Path:
    """The gateway's configuration."""
    path = folder / "mlo.toml"
    path.write_text(f"""
[providers.openai]
use = "openai-compat"
base_url = "{upstream}/v1"
model = "m"
[providers.paced]
use = "openai-compat"
base_url = "{upstream}/paced/v1"
model = "m"
[providers.giga]
use = "gigachat"
base_url = "{upstream}/giga/v1"
auth = {{ use = "bearer", token = "literal:token" }}
concurrency = 0
[providers.local]
use = "ollama"
base_url = "{upstream}"
model = "m"
[providers.yandex]
use = "yandexgpt"
base_url = "{upstream}"
folder_id = "b1gemulatedfolder0000"
auth = {{ use = "yandex-api-key", key = "literal:AQVNemulated" }}
concurrency = 0
[gateway]
folder = "{folder}/data"
[gateway.serve]
port = {port}
""")
    return path


def open_gateway(stack: ExitStack, folder: Path, upstream: str) -> Subject:
    """``mlo serve``, with everything on."""
    port = free_port()
    path, log = configuration(folder, upstream, port), folder / "gateway.log"
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("mlo")), "--config", str(path), "serve"]
    pid, ready = stack.enter_context(process(command, 0, f"{url}/healthz", log=log))
    key = _found(r"(mlo-[0-9A-Za-z]{42})", log.read_text())
    return Subject(name="mlo serve", url=url, key=key, pid=pid, ready=ready)


def open_alone(stack: ExitStack, folder: Path, upstream: str) -> Subject:
    """The data plane without keys, limits, ledger and metrics."""
    port = free_port()
    (folder / "alone").mkdir()
    path = configuration(folder / "alone", upstream, port)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", ALONE, str(path), str(port)]
    pid, ready = stack.enter_context(process(command, 0, f"{url}/v1/models", log=folder / "alone.log"))
    return Subject(name="data plane alone", url=url, pid=pid, ready=ready)


def open_litellm(stack: ExitStack, folder: Path, upstream: str) -> Subject:
    """LiteLLM's proxy with a master key, no database, logging off: less than what ours does."""
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(f"""
model_list:
  - model_name: openai
    litellm_params: {{ model: openai/m, api_base: "{upstream}/v1", api_key: none }}
general_settings: {{ master_key: sk-bench }}
litellm_settings: {{ telemetry: false, set_verbose: false }}
""")
    url = f"http://127.0.0.1:{port}"
    command = [str(LITELLM / "litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    env = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    log = folder / "litellm.log"
    pid, ready = stack.enter_context(process(command, 0, f"{url}/health/liveliness", env, log))
    return Subject(name="LiteLLM", url=url, key="sk-bench", pid=pid, ready=ready)


def requests(subjects: list[Subject], seconds: float) -> dict[str, dict[int, Load]]:
    """Unstreamed answers at 1, 32 and 64 connections."""
    found: dict[str, dict[int, Load]] = {subject.name: {} for subject in subjects}
    for connections in (1, 32, 64):
        for subject in subjects:
            load(subject, connections, 1)
            found[subject.name][connections] = load(subject, connections, seconds)
    rows = []
    for subject in subjects:
        each = found[subject.name]
        rows.append(
            [
                subject.name,
                *(f"{each[count].rate:,.0f}" for count in each),
                f"{each[1].median:.2f} / {each[1].worst:.2f}",
                f"{each[32].median:.1f} / {each[32].worst:.1f}",
                f"{each[64].cpu:,.0f}" if subject.pid else "",
                f"{1e6 / each[64].cpu:,.0f}" if subject.pid and each[64].cpu else "",
                str(sum(load_.failed for load_ in each.values())),
            ]
        )
    head = ["", "req/s, 1", "32", "64", "p50/p99 ms, 1", "p50/p99 ms, 32", "CPU us", "per core s", "failed"]
    print_table("whole answers", head, rows)
    direct = found[subjects[0].name][1].median
    for subject in subjects[1:]:
        print(f"  {subject.name}: {found[subject.name][1].median - direct:+.2f} ms at one connection (p50)")
    return found


def streams(subjects: list[Subject], seconds: float) -> None:
    """Streamed answers over 32 connections."""
    rows = []
    for subject in subjects:
        for model in MODELS if subject.name in {"mlo serve", "data plane alone"} else ("openai",):
            load(subject, 32, 1, stream=True, model=model)
            seen = load(subject, 32, seconds, stream=True, model=model)
            events = seen.rate * EVENTS
            capacity = f"{1e6 / seen.cpu * EVENTS:,.0f}" if subject.pid and seen.cpu else ""
            each = f"{seen.cpu / EVENTS:,.1f}" if subject.pid else ""
            rows.append([f"{subject.name}: {model}", f"{events:,.0f}", each, capacity, str(seen.failed)])
    head = ["", "events/s, 32 streams", "CPU us/event", "per core s", "failed"]
    print_table(f"streams of {EVENTS} events", head, rows)


def first_chunk(subjects: list[Subject]) -> None:
    """Time to the first piece of a paced stream, 32 of them at a time, from a process of its own."""
    rows = []
    for subject in subjects:
        model, path = ("m", "/paced" + CHAT) if subject.pid is None else ("paced", CHAT)
        if subject.name == "LiteLLM":
            continue
        command = [sys.executable, "-c", FIRST, subject.url + path, subject.key, model]
        said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        rows.append([subject.name, f"{said[0]:.2f}", f"{said[1]:.2f}"])
    print_table("first piece, 32 paced streams, ms", ["", "p50", "p95"], rows)


FIRST = """
import asyncio, json, sys, time
from urllib.parse import urlsplit
url, key, model = sys.argv[1:]
at = urlsplit(url)
body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
head = f"POST {at.path} HTTP/1.1\\r\\nhost: x\\r\\ncontent-type: application/json\\r\\n"
head += f"authorization: Bearer {key}\\r\\ncontent-length: {len(body)}\\r\\nconnection: close\\r\\n\\r\\n"
async def one(times):
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    began = time.perf_counter()
    writer.write(head.encode() + body)
    await reader.readuntil(b"data: ")
    times.append((time.perf_counter() - began) * 1e3)
    await reader.readuntil(b"\\r\\n0\\r\\n\\r\\n")
    writer.close()
async def main():
    times = []
    for turn in range(4):
        found = []
        await asyncio.gather(*(asyncio.create_task(later(i, found)) for i in range(32)))
        if turn:
            times += found
    times.sort()
    print(json.dumps([times[len(times) // 2], times[len(times) * 95 // 100]]))
async def later(number, found):
    await asyncio.sleep(number * 0.01)
    await one(found)
asyncio.run(main())
"""


def soak(subject: Subject, count: int) -> None:
    """Memory over many requests."""
    if subject.pid is None:
        return
    rows = [[subject.name, "0", f"{memory_of(subject.pid):.0f}"]]
    done, began = 0, time.perf_counter()
    while done < count:
        rate = load(subject, 64, 5).rate
        done += int(rate * 5)
        rows.append(["", f"{done:,}", f"{memory_of(subject.pid):.0f}"])
    print_table(f"memory, MB ({time.perf_counter() - began:.0f} s)", ["", "after requests", "MB"], rows)


def opened(stack: ExitStack, folder: Path, *, litellm: bool) -> Callable[[], list[Subject]]:
    """The provider, and how to open what stands in front of it."""
    port = free_port()
    upstream = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(HERE / "_upstream.py"), str(port)]
    stack.enter_context(process(command, 1, f"{upstream}/v1/models"))

    def subjects() -> list[Subject]:
        found = [Subject(name="no gateway", url=upstream)]
        found += [open_(stack, folder, upstream) for open_ in (open_alone, open_gateway)]
        return [*found, open_litellm(stack, folder, upstream)] if litellm else found

    return subjects


def main() -> None:
    """Everything that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", action="store_true", help="measure LiteLLM's proxy, too")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument(
        "--soak", type=int, default=0, metavar="REQUESTS", help="watch the memory over so many requests"
    )
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    if arguments.litellm and not (LITELLM / "litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", str(LITELLM.parent)], check=True)
        subprocess.run([str(LITELLM / "pip"), "install", "-q", "litellm[proxy]"], check=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        subjects = opened(stack, Path(folder), litellm=arguments.litellm)()
        rows = [[each.name, f"{each.ready:.2f}", f"{memory_of(each.pid):.0f}"] for each in subjects if each.pid]
        print_table("ready", ["", "s", "MB"], rows)
        found = requests(subjects, arguments.seconds)
        if arguments.litellm:
            ratio = found["mlo serve"][64].rate / found["LiteLLM"][64].rate
            print(f"  mlo serve answers {ratio:.0f} times as many as LiteLLM at 64 connections")
        streams(subjects, arguments.seconds)
        first_chunk(subjects)
        if arguments.soak:
            soak(next(each for each in subjects if each.name == "mlo serve"), arguments.soak)


if __name__ == "__main__":
    main()
