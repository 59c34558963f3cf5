"""Files for deployment: valid by the rules of their tools, and true about this program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import lock
import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from mlo import Router
from mlo.settings import section
from mlo_gateway.commands.serve import _parser
from mlo_gateway.config import GatewayConfig
from mlo_gateway.serving.server import LAST_WORDS

_ROOT = Path(__file__).resolve().parents[4]
_DEPLOY = _ROOT / "deploy"
_DOCKERFILE = _DEPLOY / "docker" / "Dockerfile"
_COMPOSE = _DEPLOY / "compose" / "compose.yaml"
_BIN = Path(sys.executable).parent


def _documents(name: str) -> list[dict[str, Any]]:
    text = (_DEPLOY / "kubernetes" / name).read_text()
    return [document for document in yaml.safe_load_all(text) if document]


def _instructions() -> list[str]:
    """The instructions of the Dockerfile, each on one line."""
    text = re.sub(r"^#.*\n", "", _DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line) for line in text.splitlines() if line.strip()]


def _checked(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    _checked(_BIN / "hadolint", "--failure-threshold", "info", _DOCKERFILE)


def test_the_compose_file_fits_its_schema() -> None:
    _checked(_BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", _COMPOSE)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    unit = (_DEPLOY / "systemd" / "mlo-gateway.service").read_text()
    # the program need not be installed where the unit expects it
    (tmp_path / "mlo-gateway.service").write_text(unit.replace("/opt/mlo/bin/mlo", "/bin/true"))
    shutil.copy(_DEPLOY / "systemd" / "mlo-gateway.socket", tmp_path)
    command = ("systemd-analyze", "verify", "--man=no", tmp_path / "mlo-gateway.service")
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert "mlo-gateway" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_kustomize_accepts_the_manifests() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    _checked("kubectl", "kustomize", _DEPLOY / "kubernetes")


def test_the_image_runs_as_nobody_in_particular() -> None:
    instructions = _instructions()
    assert "USER 10001:10001" in instructions
    assert instructions.index("USER 10001:10001") < next(
        place for place, line in enumerate(instructions) if line.startswith("ENTRYPOINT")
    )
    assert [line for line in instructions if line.startswith("FROM")] == ["FROM ${BASE} AS build", "FROM ${BASE}"]
    assert any("--require-hashes" in line for line in instructions)
    assert any("--no-index" in line for line in instructions)
    assert any(line.startswith("HEALTHCHECK") and "/healthz" in line for line in instructions)


def test_the_image_holds_extras_that_there_are() -> None:
    (named,) = re.findall(r"multi-llm-orchestrator\[([a-z,-]+)\]", _DOCKERFILE.read_text())
    extras = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert tuple(named.split(",")) == lock.IMAGE_EXTRAS
    assert set(lock.IMAGE_EXTRAS) <= set(extras)


def test_the_lock_of_the_image_is_part_of_the_whole_one() -> None:
    def pins(file: Path) -> dict[str, set[str]]:
        """Hashes by name and version."""
        found: dict[str, set[str]] = {}
        for line in file.read_text().splitlines():
            if match := re.match(r"([a-z0-9._-]+==\S+)", line):
                hashes = found.setdefault(match[1], set())
            hashes.update(re.findall(r"sha256:[0-9a-f]{64}", line))
        return found

    image, whole = pins(lock.IMAGE_LOCK), pins(lock.LOCK)
    assert image.keys() <= whole.keys()
    assert all(hashes and hashes <= whole[pin] for pin, hashes in image.items())
    names = {pin.partition("==")[0] for pin in image}
    projects = [tomllib.loads(file.read_text())["project"] for file in _ROOT.glob("plugins/*/pyproject.toml")]
    shipped = [project for project in projects if project["name"].removeprefix("mlo-") in lock.IMAGE_EXTRAS]
    wanted = {re.split(r"[\[><=; ]", line)[0] for project in shipped for line in project["dependencies"]}
    assert {name for name in wanted if not name.startswith("mlo-")} - names == set()


def test_the_commands_are_those_of_the_program() -> None:
    entrypoint, command = _instructions()[-2:]
    assert (entrypoint, command.partition(" ")[0]) == ('ENTRYPOINT ["mlo"]', "CMD")
    words = re.findall(r'"([^"]+)"', command)
    assert words[0] == "serve"
    arguments = _parser().parse_args(words[1:])
    assert (arguments.host, f"EXPOSE {arguments.port}") == ("0.0.0.0", "EXPOSE 8080")
    unit = (_DEPLOY / "systemd" / "mlo-gateway.service").read_text()
    assert "ExecStart=/opt/mlo/bin/mlo serve\n" in unit
    assert "Type=notify\n" in unit  # serving/notices.py tells it
    assert "ExecReload=/bin/kill -HUP $MAINPID\n" in unit  # serving/running.py hears it


@pytest.mark.parametrize("folder", ["compose", "kubernetes"])
def test_the_configurations_are_right(folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (_DEPLOY / folder / "mlo.toml").read_text()
    for number, path in enumerate(re.findall(r"file:(/run/secrets/\w+)", text)):
        (tmp_path / str(number)).write_text("x://y")
        text = text.replace(path, str(tmp_path / str(number)))
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("REDIS_URL", "redis://:secret@h/0")
    (tmp_path / "mlo.toml").write_text(text)
    settings = Router.from_file(tmp_path / "mlo.toml").settings
    config = section(settings, "gateway", GatewayConfig)
    assert config.database
    assert config.limits.redis
    assert "secret" not in repr(config)
    assert _patience(folder) > config.serve.drain_delay + config.serve.drain_timeout + 2 * LAST_WORDS


def _patience(folder: str) -> float:
    """How long the container may take to end before it is killed."""
    if folder == "compose":
        return float(yaml.safe_load(_COMPOSE.read_text())["services"]["gateway"]["stop_grace_period"].rstrip("s"))
    (gateway,) = _documents("gateway.yaml")
    return float(gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def test_compose_names_no_registry_and_what_it_names_exists() -> None:
    compose = yaml.safe_load(_COMPOSE.read_text())
    gateway = compose["services"]["gateway"]
    for service in compose["services"].values():
        assert re.fullmatch(r"(\$\{[A-Z_]+:-)?[a-z-]+(:[\w.-]+)?\}?", service["image"])
        for secret in service.get("secrets", ()):
            assert secret in compose["secrets"]
    assert (_COMPOSE.parent / gateway["build"]["context"] / gateway["build"]["dockerfile"]).resolve() == _DOCKERFILE
    assert gateway["read_only"]
    assert gateway["cap_drop"] == ["ALL"]
    assert {volume.split(":")[1] for volume in gateway["volumes"]} == {"/etc/mlo/mlo.toml", "/var/lib/mlo"}
    named = set(re.findall(r"file:/run/secrets/(\w+)", (_COMPOSE.parent / "mlo.toml").read_text()))
    assert named == set(gateway["secrets"])
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])


def test_the_secrets_of_compose_are_made_once(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    shutil.copy(_DEPLOY / "compose" / "secrets.sh", script)
    _checked("sh", script)
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert first.keys() == set(yaml.safe_load(_COMPOSE.read_text())["secrets"])
    assert re.fullmatch(r"postgresql://mlo:[0-9a-f]{48}@postgres/mlo", first["database_url"])
    assert re.fullmatch(r"redis://:[0-9a-f]{48}@redis/0", first["redis_url"])
    (tmp_path / "secrets" / "database_url").chmod(0o600)
    (tmp_path / "secrets" / "redis_url").chmod(0o600)
    _checked("sh", script)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == first


def test_manifests_have_what_kubernetes_requires() -> None:
    kustomization = yaml.safe_load((_DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        for document in _documents(name):
            assert {"apiVersion", "kind", "metadata", "spec"} <= document.keys()
            assert re.fullmatch(r"[a-z][a-z0-9-]*", document["metadata"]["name"])
    (generated,) = kustomization["configMapGenerator"]
    assert all((_DEPLOY / "kubernetes" / name).exists() for name in generated["files"])
    (gateway,) = _documents("gateway.yaml")
    services = {service["metadata"]["name"]: service for service in _documents("service.yaml")}
    assert gateway["spec"]["serviceName"] in services
    pod = gateway["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 10001
    (container,) = pod["containers"]
    assert container["image"] in {image["name"] for image in kustomization["images"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in gateway["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["http"] == 8080
    for service in services.values():
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert all(probe["port"] in ports for probe in probes.values())
    text = (_DEPLOY / "kubernetes" / "mlo.toml").read_text()
    assert set(re.findall(r"env:([A-Z_]+)", text)) == {variable["name"] for variable in container["env"]}
    metrics = tomllib.loads(text)["observers"]["metrics"]["port"]
    annotations = gateway["spec"]["template"]["metadata"]["annotations"]
    assert str(metrics) == str(ports["metrics"]) == annotations["prometheus.io/port"]
