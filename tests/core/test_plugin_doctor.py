from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlo._doctor import Report
from mlo._registry import PluginRegistry
from mlo.api import ConfiguredInstance
from mlo.errors import PluginLoadFailed, PluginNotFound
from mlo.settings import PluginPolicy
from mlo.testing import fake_dist, installed
from tests.core.samples import provider, provider_dist

ONLY = PluginPolicy(allow=("example", "other"))


def examine(*folders: Path, policy: PluginPolicy = ONLY, timeout: float = 10, **kwargs: object) -> Report:
    with installed(*folders):
        return PluginRegistry(policy).doctor(timeout=timeout, **kwargs)  # type: ignore[arg-type]


def messages(report: Report, level: str) -> list[str]:
    return [f"{each.where}: {each.message}" for each in report.findings if each.level == level]


def test_a_sound_plugin_is_loaded_and_timed(tmp_path: Path) -> None:
    report = examine(provider_dist(tmp_path), ids=["example"])
    (plugin,) = report.plugins
    assert plugin.state == "loaded"
    assert plugin.import_seconds is not None
    assert report.findings == ()
    assert not report.has("error")


def test_a_heavy_import_is_a_warning_given_once_for_each_module(tmp_path: Path) -> None:
    source = f"import time\ntime.sleep(0.6)\n{provider('example', 'other')}"
    report = examine(provider_dist(tmp_path, ids=["example", "other"], source=source), ids=["example", "other"])
    assert [plugin.state for plugin in report.plugins] == ["loaded", "loaded"]
    (warning,) = messages(report, "warning")
    assert warning.startswith("providers:example of mlo-example 1.0: the import of mlo_example.plugin takes ")


def test_a_failure_shows_the_chain_of_causes(tmp_path: Path) -> None:
    source = (
        "try:\n    import mlo_missing\nexcept ImportError as error:\n    raise RuntimeError('wrapped') from error\n"
    )
    report = examine(provider_dist(tmp_path, source=source))
    plugin = next(each for each in report.plugins if each.candidate.id == "example")
    assert plugin.state == "failed"
    assert [cause.partition(":")[0] for cause in plugin.causes] == [
        "PluginLoadFailed",
        "RuntimeError",
        "ModuleNotFoundError",
    ]
    assert messages(report, "error") == [
        "providers:example of mlo-example 1.0: cannot be loaded: RuntimeError: wrapped"
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import time\ntime.sleep(60)", "did not finish in 0.5 s"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed the interpreter (signal 9)"),
        ("import os\nos._exit(0)", "ended the interpreter"),
    ],
    ids=["hangs", "crashes", "exits"],
)
def test_an_import_that_would_take_us_along(tmp_path: Path, source: str, text: str) -> None:
    timeout = 0.5 if "sleep" in source else 10
    report = examine(provider_dist(tmp_path, source=source), ids=["example"], timeout=timeout)
    assert [text in message for message in messages(report, "error")] == [True]
    assert report.plugins[0].state == "failed"


def test_what_hangs_is_set_aside_before_instances_are_built(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source="import time\ntime.sleep(60)")):
        registry = PluginRegistry(ONLY)
        errors: list[str] = []

        def instances() -> Sequence[ConfiguredInstance]:
            with pytest.raises(PluginLoadFailed) as caught:
                registry.provider("example")
            errors.append(str(caught.value))
            return ()

        registry.doctor(instances, ["example"], timeout=0.5)
        assert "did not finish" in errors[0]
        assert "mlo_example" not in sys.modules


def test_an_import_that_merely_exits_is_an_ordinary_failure(tmp_path: Path) -> None:
    report = examine(provider_dist(tmp_path, source="raise SystemExit('bye')"), ids=["example"])
    assert "SystemExit: bye" in messages(report, "error")[0]


def test_blocked_plugins_are_not_imported(tmp_path: Path) -> None:
    marker = tmp_path / "imported"
    folder = provider_dist(tmp_path, source=f"open({str(marker)!r}, 'w')")
    report = examine(folder, policy=PluginPolicy(allow=("nothing",)))
    assert {each.state for each in report.plugins} == {"not loaded"}
    assert not marker.exists()


def test_names_in_the_policy_that_nobody_has_are_noted(tmp_path: Path) -> None:
    policy = PluginPolicy(allow=("example", "exmaple", "dist:later-*"), deny=("dist:mlo-exmaple",))
    report = examine(provider_dist(tmp_path), policy=policy)
    assert messages(report, "info") == [
        "plugins.allow: 'exmaple' speaks of no installed plugin",
        "plugins.deny: 'dist:mlo-exmaple' speaks of no installed plugin",
    ]


def test_verdicts_become_findings(tmp_path: Path) -> None:
    folders = [
        provider_dist(tmp_path, "mlo-one"),
        provider_dist(tmp_path, "mlo-two"),
        provider_dist(tmp_path, "mlo-new", ["other"], group="mlo.v7.providers"),
    ]
    report = examine(*folders)
    assert len(messages(report, "error")) == 2
    assert "incompatible: made for plugin API 7" in messages(report, "warning")[0]


def test_odd_metadata_and_unmet_demands_are_findings(tmp_path: Path) -> None:
    torn = fake_dist(tmp_path / "torn", "mlo-torn", metadata=False)
    typo = fake_dist(tmp_path / "typo", "mlo-typo", entry_points={"mlo.v1.provider": {"x": "m"}})
    report = examine(torn, typo, policy=PluginPolicy(allow=("none",), require={"mlo-nowhere": "1"}))
    warnings = "\n".join(messages(report, "warning"))
    assert "no METADATA" in warnings
    assert "mlo.v1.provider is none of ours" in warnings
    assert "mlo-nowhere 1 is required" in messages(report, "error")[0]


DOCTOR = """
@hookimpl
def mlo_doctor(context):
    paths = [each.path for each in context.instances]
    return [Finding(level="warning", message=" ".join(paths))]
"""
STUCK = """
import builtins
@hookimpl
def mlo_doctor(context):
    builtins.mlo_gate.wait()
    return []
"""


def test_a_plugin_is_asked_about_its_own_instances(tmp_path: Path) -> None:
    instances = [
        ConfiguredInstance(path="providers.a", kind="providers", use="example", config=None),
        ConfiguredInstance(path="providers.b", kind="providers", use="else", config=None),
        ConfiguredInstance(path="observers.c", kind="observers", use="example", config=None),
    ]
    folder = provider_dist(tmp_path, ids=["example", "other"], source=provider("example", "other") + DOCTOR)
    report = examine(folder, instances=instances, ids=["example", "other"])
    assert messages(report, "warning") == [": providers.a"]


def test_a_check_that_hangs_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr("builtins.mlo_gate", gate, raising=False)
    report = examine(provider_dist(tmp_path, source=provider("example") + STUCK), ids=["example"], timeout=2)
    gate.set()
    assert "mlo_doctor did not finish in 2 s" in messages(report, "error")[0]


def test_commands_are_examined_too(tmp_path: Path) -> None:
    folder = fake_dist(
        tmp_path,
        entry_points={"commands": {"example": "mlo_cmd:run", "other": "mlo_cmd:gone"}},
        modules={"mlo_cmd": "def run(argv): return 0\n"},
    )
    report = examine(folder, ids=["example", "other"])
    assert [each.state for each in report.plugins] == ["loaded", "failed"]


def test_registered_plugins_are_not_imported_again() -> None:
    class Mine:
        pass

    registry = PluginRegistry(candidates=[])
    registry.register(Mine())
    assert registry.doctor().plugins == ()


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(PluginNotFound, match="did you mean 'first-available'"):
        PluginRegistry().doctor(ids=["first-availabel"])
