from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from mlo import hookimpl
from mlo._candidates import Candidate
from mlo._registry import PluginRegistry
from mlo.api import AuthSpec, DoctorContext, Finding, ObserverSpec, ProviderSpec, StrategySpec
from mlo.errors import (
    PluginBlocked,
    PluginConflict,
    PluginError,
    PluginIncompatible,
    PluginLoadFailed,
    PluginNotFound,
)
from mlo.settings import PluginPolicy
from mlo.testing import fake_dist, installed
from tests.core.samples import HEAD, candidate, provider, provider_dist


@frozen
class Config:
    """Nothing to configure."""


def opened(config: object, environment: object) -> Any:
    raise NotImplementedError


def built(config: object) -> Any:
    raise NotImplementedError


def plugin(name: str, **hooks: Callable[..., object]) -> types.ModuleType:
    """A plugin made in the program."""
    module = types.ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def offers(*names: str) -> Callable[[], Iterable[ProviderSpec[Any]]]:
    return lambda: [ProviderSpec(name=name, config=Config, open=opened) for name in names]


def empty_registry(policy: PluginPolicy | None = None) -> PluginRegistry:
    return PluginRegistry(PluginPolicy() if policy is None else policy, candidates=[])


# each hook


def test_hook_providers() -> None:
    registry = empty_registry()
    registry.register(plugin("p", mlo_providers=offers("one", "two")))
    assert registry.provider("two").name == "two"


def test_hook_strategies() -> None:
    registry = empty_registry()
    registry.register(plugin("p", mlo_strategies=lambda: [StrategySpec(name="x", config=Config, build=built)]))
    assert registry.strategy("x").build is built


def test_hook_auth_schemes() -> None:
    registry = empty_registry()
    registry.register(plugin("p", mlo_auth_schemes=lambda: [AuthSpec(name="x", config=Config, open=opened)]))
    assert registry.auth("x").open is opened


def test_hook_observers() -> None:
    registry = empty_registry()
    registry.register(plugin("p", mlo_observers=lambda: [ObserverSpec(name="x", config=Config, open=opened)]))
    assert registry.observer("x").open is opened


def test_hook_doctor() -> None:
    def mlo_doctor(context: DoctorContext) -> list[Finding]:
        return [Finding(level="ok", message=f"{len(context.instances)} instances")]

    registry = empty_registry()
    registry.register(plugin("p", mlo_providers=offers("x"), mlo_doctor=mlo_doctor))
    (row,) = registry.candidates()
    assert [finding.message for finding in registry.ask_doctor(row, DoctorContext())] == ["0 instances"]


# loading what is installed


def test_nothing_is_discovered_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    scans: list[str] = []

    def discover() -> tuple[Candidate, ...]:
        scans.append("scan")
        return ()

    monkeypatch.setattr("mlo._registry.discover", discover)
    registry = PluginRegistry()
    assert scans == []
    registry.candidates()
    registry.candidates()
    assert scans == ["scan"]


def test_a_plugin_is_imported_on_first_use(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        registry = PluginRegistry()
        registry.candidates()
        assert "mlo_example.plugin" not in sys.modules
        assert registry.provider("example") is registry.provider("example")
        assert "mlo_example.plugin" in sys.modules


def test_one_module_may_serve_several_ids(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, ids=["a", "b"])):
        registry = PluginRegistry()
        assert registry.provider("a").config is registry.provider("b").config


def test_an_entry_point_may_name_an_object(tmp_path: Path) -> None:
    source = HEAD + (
        "class Plugin:\n    @hookimpl\n    def mlo_providers(self):\n"
        "        return [ProviderSpec(name='example', config=Config, open=opened)]\nplugin = Plugin()\n"
    )
    folder = fake_dist(
        tmp_path, entry_points={"providers": {"example": "mlo_object:plugin"}}, modules={"mlo_object": source}
    )
    with installed(folder):
        assert PluginRegistry().provider("example").name == "example"


COUNTED = "with open('imports', 'a') as file:\n    file.write('x')\n"
BROKEN = {
    "import": ("import mlo_no_such_module", "ModuleNotFoundError: No module named 'mlo_no_such_module'"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def", "SyntaxError"),
    "hook": (HEAD + "@hookimpl\ndef mlo_provider(): return []", "unknown hook 'mlo_provider'"),
    "signature": (HEAD + "@hookimpl\ndef mlo_providers(nope): return []", "PluginValidationError"),
    "hook raises": (HEAD + "@hookimpl\ndef mlo_providers(): raise RuntimeError('no')", "RuntimeError: no"),
    "not specs": (HEAD + "@hookimpl\ndef mlo_providers(): return ['x']", "must give ProviderSpec values, not str"),
    "no hooks": (HEAD, "entry points without a spec of that name: providers:example"),
    "other name": (provider("else"), "entry points without a spec of that name: providers:example"),
    "more names": (provider("example", "else"), "specs without an entry point of that name: providers:else"),
    "twice": (provider("example", "example"), "offers 'example' twice"),
    "config": (provider("example").replace("config=Config", "config=dict"), "must be an attrs class"),
    "api": (provider("example") + "mlo_api = 'new'", "mlo_api must be a pair of integers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_fails_with_its_cause(tmp_path: Path, name: str) -> None:
    source, text = BROKEN[name]
    with installed(provider_dist(tmp_path, source=source)), pytest.raises(PluginLoadFailed) as caught:
        PluginRegistry().provider("example")
    assert text in str(caught.value)
    assert "mlo-example 1.0 (mlo_example.plugin)" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert (caught.value.dist, caught.value.version) == ("mlo-example", "1.0")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_leaves_the_others_alone(tmp_path: Path, name: str) -> None:
    broken = provider_dist(tmp_path, source=BROKEN[name][0])
    with installed(broken, provider_dist(tmp_path, "mlo-sound", ["sound"])):
        registry = PluginRegistry()
        with pytest.raises(PluginLoadFailed):
            registry.provider("example")
        assert registry.provider("sound").name == "sound"
        assert [hook.implementers for hook in registry.hooks() if "mlo_example.plugin" in hook.implementers] == []


def test_a_failure_is_remembered(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source=COUNTED + "raise ValueError('first')")):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            registry = PluginRegistry()
            for _ in range(3):
                with pytest.raises(PluginLoadFailed, match="first"):
                    registry.provider("example")
        assert (tmp_path / "imports").read_text() == "x"


def test_ctrl_c_during_an_import_is_not_swallowed(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source="raise KeyboardInterrupt")), pytest.raises(KeyboardInterrupt):
        PluginRegistry().provider("example")


@pytest.mark.parametrize("wanted", ["(1, 99)", "(2, 0)", "(0, 1)"])
def test_a_plugin_may_demand_another_api(tmp_path: Path, wanted: str) -> None:
    with installed(provider_dist(tmp_path, source=provider("example") + f"\nmlo_api = {wanted}")):
        registry = PluginRegistry()
        for _ in range(2):
            with pytest.raises(PluginIncompatible, match="needs plugin API"):
                registry.provider("example")


def test_a_plugin_may_state_the_api_it_was_made_for(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source=provider("example") + "\nmlo_api = (1, 0)")):
        assert PluginRegistry().provider("example").name == "example"


def test_a_group_of_another_api_is_incompatible(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, group="mlo.v2.providers")):
        with pytest.raises(PluginIncompatible, match="made for plugin API 2"):
            PluginRegistry().provider("example")
        assert "mlo_example" not in sys.modules


def test_a_module_may_serve_two_apis(tmp_path: Path) -> None:
    folder = provider_dist(tmp_path)
    info = folder / "mlo_example-1.0.dist-info" / "entry_points.txt"
    info.write_text(info.read_text() + "[mlo.v2.providers]\nnewer = mlo_example.plugin\n")
    with installed(folder):
        assert PluginRegistry().provider("example").name == "example"


def test_what_an_old_copy_promised_is_forgotten(tmp_path: Path) -> None:
    new = provider_dist(tmp_path / "new", version="2.0")
    old = provider_dist(tmp_path / "old", ids=["example", "gone"])
    with installed(new, old):
        assert PluginRegistry().provider("example").name == "example"


def test_a_blocked_plugin_is_never_imported(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        registry = PluginRegistry(PluginPolicy(deny=("example",)))
        with pytest.raises(PluginBlocked, match=r"denied by 'example' in plugins\.deny"):
            registry.provider("example")
        registry.hooks()
        assert "mlo_example" not in sys.modules


def test_a_conflict_lists_both_and_says_what_to_do(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, "mlo-one"), provider_dist(tmp_path, "mlo-two", version="2.0")):
        with pytest.raises(PluginConflict) as caught:
            PluginRegistry().provider("example")
        assert PluginRegistry(PluginPolicy(prefer={"example": "mlo-two"})).provider("example").name == "example"
    text = str(caught.value)
    assert "mlo-one 1.0 (mlo_one.plugin)" in text
    assert "mlo-two 2.0 (mlo_two.plugin)" in text
    assert 'plugins.prefer = { example = "mlo-one" }' in text


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("exampel", "did you mean 'example'?"),
        ("zzz", "known: example"),
        ("first-available", "is the name of a strategy"),
    ],
)
def test_an_unknown_id_gets_a_hint(wanted: str, text: str) -> None:
    registry = PluginRegistry(candidates=[candidate(), candidate("first-available", kind="strategies")])
    with pytest.raises(PluginNotFound) as caught:
        registry.provider(wanted)
    assert text in str(caught.value)


def test_with_nothing_installed_the_hint_says_so() -> None:
    with pytest.raises(PluginNotFound, match="there are none"):
        empty_registry().observer("log")


def test_threads_load_a_plugin_once(tmp_path: Path) -> None:
    source = COUNTED + "import time\ntime.sleep(0.05)\n" + provider("example")
    with installed(provider_dist(tmp_path, source=source)), pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        registry = PluginRegistry()
        with ThreadPoolExecutor(8) as pool:
            specs = list(pool.map(lambda _: registry.provider("example"), range(8)))
        assert len(set(map(id, specs))) == 1
        assert (tmp_path / "imports").read_text() == "x"


def test_a_plugin_that_hangs_does_not_hold_up_others(tmp_path: Path) -> None:
    hangs = provider_dist(
        tmp_path, "mlo-hang", ["hang"], source="import builtins\nbuiltins.mlo_gate.wait()\n" + provider("hang")
    )
    gate = threading.Event()
    with installed(hangs, provider_dist(tmp_path)), pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.mlo_gate", gate, raising=False)
        registry = PluginRegistry()
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(registry.provider, "hang")
            assert registry.provider("example").name == "example"
            assert not slow.done()
            gate.set()
            assert slow.result().name == "hang"


# plugins of the program


def test_a_registered_object_is_listed(tmp_path: Path) -> None:
    registry = empty_registry()
    registry.register(plugin("my_plugin", mlo_providers=offers("x")))
    (row,) = registry.candidates()
    assert (row.kind, row.id, row.dist, row.verdict) == ("providers", "x", "my_plugin", "available")
    assert registry.is_programmatic(row)


def test_an_instance_with_hooks_is_named_after_its_class() -> None:
    class Mine:
        @hookimpl
        def mlo_providers(self) -> Iterable[ProviderSpec[Any]]:
            return offers("x")()

    registry = empty_registry()
    registry.register(Mine())
    assert str(registry.candidates()[0].dist).endswith("Mine")
    assert registry.provider("x").name == "x"


def test_registering_an_id_of_an_installed_plugin_is_a_conflict(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        registry = PluginRegistry()
        with pytest.raises(PluginConflict, match="mine"):
            registry.register(plugin("mine", mlo_providers=offers("example")))
        assert registry.provider("example").config is not Config


def test_prefer_lets_a_registered_plugin_win(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        registry = PluginRegistry(PluginPolicy(prefer={"example": "mine"}))
        registry.register(plugin("mine", mlo_providers=offers("example")))
        assert registry.provider("example").config is Config
        assert "mlo_example" not in sys.modules


def test_registering_twice_is_refused() -> None:
    registry = empty_registry()
    registry.register(plugin("mine", mlo_providers=offers("x")))
    with pytest.raises(PluginConflict, match="registered already"):
        registry.register(plugin("mine", mlo_providers=offers("y")))


def test_registering_an_installed_plugin_changes_nothing(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        registry = PluginRegistry()
        registry.provider("example")
        registry.register(sys.modules["mlo_example.plugin"])
        assert len([row for row in registry.candidates() if row.id == "example"]) == 1


def test_a_refused_registration_leaves_nothing_behind() -> None:
    registry = empty_registry()
    with pytest.raises(PluginLoadFailed, match="mlo_nothing"):
        registry.register(plugin("mine", mlo_nothing=offers("x")))
    assert registry.candidates() == ()
    registry.register(plugin("mine", mlo_providers=offers("x")))
    assert registry.provider("x").name == "x"


def test_the_policy_binds_registered_plugins_too() -> None:
    registry = empty_registry(PluginPolicy(deny=("dist:mine",)))
    registry.register(plugin("mine", mlo_providers=offers("x")))
    with pytest.raises(PluginBlocked):
        registry.provider("x")


# what the hooks and the start demand


def test_hooks_are_listed_with_signatures_and_implementers(tmp_path: Path) -> None:
    registry = empty_registry()
    registry.register(plugin("mine", mlo_providers=offers("x")))
    first, *_, last = registry.hooks()
    assert first.signature == "mlo_providers() -> Iterable[ProviderSpec[Any]]"
    assert first.implementers == ("mine",)
    assert last.signature.startswith("mlo_doctor(context: DoctorContext)")
    assert last.implementers == ()


def test_a_doctor_hook_that_raises_is_a_finding() -> None:
    def mlo_doctor(context: DoctorContext) -> list[Finding]:
        raise RuntimeError("sick itself")

    registry = empty_registry()
    registry.register(plugin("p", mlo_providers=offers("x"), mlo_doctor=mlo_doctor))
    (finding,) = registry.ask_doctor(registry.candidates()[0], DoctorContext())
    assert finding.level == "error"
    assert "RuntimeError: sick itself" in finding.message


def test_a_doctor_hook_that_gives_other_things_is_a_finding() -> None:
    registry = empty_registry()
    registry.register(plugin("p", mlo_providers=offers("x"), mlo_doctor=lambda context: ["fine"]))
    (finding,) = registry.ask_doctor(registry.candidates()[0], DoctorContext())
    assert "must give Finding values" in finding.message


def test_commands_are_loaded_by_name(tmp_path: Path) -> None:
    folder = fake_dist(
        tmp_path,
        entry_points={"commands": {"hello": "mlo_hello:run", "broken": "mlo_hello:number"}},
        modules={"mlo_hello": "def run(argv): return len(argv)\nnumber = 1\n"},
    )
    with installed(folder):
        registry = PluginRegistry()
        assert registry.command("hello")(["a", "b"]) == 2
        with pytest.raises(PluginLoadFailed, match="must be callable"):
            registry.command("broken")


def test_unmet_requirements_refuse_the_start(tmp_path: Path) -> None:
    with installed(fake_dist(tmp_path, version="2.0")):
        policy = PluginPolicy(require={"mlo-example": "1", "mlo-nowhere": "1"}, pin={"mlo-example": "3"})
        with pytest.raises(PluginError) as caught:
            PluginRegistry(policy).check_strict()
    assert "mlo-example 1 is required" in str(caught.value)
    assert "mlo-nowhere 1 is required" in str(caught.value)
    assert "pinned to 3" in str(caught.value)


def test_strict_lists_everything_that_is_broken(tmp_path: Path) -> None:
    folders = [
        provider_dist(tmp_path, "mlo-bad", ["bad"], source="1 / 0"),
        provider_dist(tmp_path, "mlo-new", ["new"], group="mlo.v2.providers"),
        provider_dist(tmp_path, "mlo-denied", ["denied"], source="1 / 0"),
    ]
    with installed(*folders):
        policy = PluginPolicy(allow=("bad", "new", "denied"), deny=("denied",), strict=True)
        with pytest.raises(PluginError) as caught:
            PluginRegistry(policy).check_strict()
    assert "ZeroDivisionError" in str(caught.value)
    assert "providers:new of mlo-new 1.0: incompatible" in str(caught.value)
    assert "denied" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_a_sound_installation_may_start(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path)):
        policy = PluginPolicy(allow=("example",), require={"mlo-example": "1"}, strict=True)
        registry = PluginRegistry(policy)
        registry.check_strict()
        assert "mlo_example.plugin" in sys.modules


def test_without_strict_broken_plugins_do_not_matter(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source="1 / 0")):
        PluginRegistry(PluginPolicy(allow=("example",))).check_strict()
        assert "mlo_example" not in sys.modules


def test_the_kernel_brings_one_strategy() -> None:
    assert PluginRegistry().strategy("first-available").summary


def test_two_different_kinds_may_share_an_id() -> None:
    registry = empty_registry()
    auth = AuthSpec[Any](name="x", config=Config, open=opened)
    registry.register(plugin("p", mlo_providers=offers("x"), mlo_auth_schemes=lambda: [auth]))
    assert registry.auth("x") is auth
    assert isinstance(registry.provider("x"), ProviderSpec)
