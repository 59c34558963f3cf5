from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlo._candidates import Candidate, discover
from mlo._discovery import installed_version, load_object, normalized, oddities, scan
from mlo.testing import fake_dist, installed
from tests.core.samples import provider_dist


def rows_of(dist: str) -> list[Candidate]:
    return [row for row in discover() if row.dist == dist]


def test_entry_points_become_candidates(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, ids=["b", "a"], version="2.1")):
        first, second = rows_of("mlo-example")
    assert first == Candidate(
        kind="providers", id="a", value="mlo_example.plugin", dist="mlo-example", version="2.1", api=1
    )
    assert second.id == "b"


def test_discovery_imports_nothing(tmp_path: Path) -> None:
    with installed(provider_dist(tmp_path, source="raise SystemExit('imported')")):
        assert rows_of("mlo-example")
        assert "mlo_example" not in sys.modules


def test_kind_and_api_are_read_from_the_group(tmp_path: Path) -> None:
    groups = {"mlo.v12.observers": {"x": "m"}, "mlo.v1.commands": {"y": "m:f"}}
    with installed(fake_dist(tmp_path, entry_points=groups)):
        found = [(row.kind, row.id, row.api) for row in rows_of("mlo-example")]
    assert found == [("observers", "x", 12), ("commands", "y", 1)]


def test_groups_of_others_are_left_alone(tmp_path: Path) -> None:
    groups = {"console_scripts": {"x": "m:f"}, "mlo.v1.provider": {"x": "m"}, "xmlo.v1.providers": {"x": "m"}}
    with installed(fake_dist(tmp_path, entry_points=groups)):
        assert rows_of("mlo-example") == []


def test_a_dist_info_without_metadata_is_named_after_its_folder(tmp_path: Path) -> None:
    with installed(fake_dist(tmp_path, "mlo-torn", "3.0", entry_points={"auth": {"x": "m"}}, metadata=False)):
        (row,) = rows_of("mlo-torn")
    assert (row.version, row.verdict) == ("3.0", "available")


def test_a_copy_later_on_the_path_is_shadowed(tmp_path: Path) -> None:
    new = fake_dist(tmp_path / "new", version="2.0", entry_points={"auth": {"x": "m"}})
    old = fake_dist(tmp_path / "old", version="1.0", entry_points={"auth": {"x": "m"}})
    with installed(new, old):
        verdicts = {row.version: row for row in rows_of("mlo-example")}
    assert verdicts["2.0"].verdict == "available"
    assert verdicts["1.0"].verdict == "shadowed"
    assert "mlo-example 2.0" in verdicts["1.0"].reason


def test_a_copy_is_shadowed_even_by_one_without_plugins(tmp_path: Path) -> None:
    new = fake_dist(tmp_path / "new", version="2.0")
    old = fake_dist(tmp_path / "old", version="1.0", entry_points={"auth": {"x": "m"}})
    with installed(new, old):
        assert [row.verdict for row in rows_of("mlo-example")] == ["shadowed"]


def test_of_two_versions_in_one_folder_one_is_shadowed(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        fake_dist(tmp_path, version=version, entry_points={"auth": {"x": "m"}})
    with installed(tmp_path):
        rows = rows_of("mlo-example")
    assert sorted(row.verdict for row in rows) == ["available", "shadowed"]
    assert "reinstall mlo-example" in "".join(row.reason for row in rows)


def test_what_an_interrupted_upgrade_left_is_shadowed(tmp_path: Path) -> None:
    fake_dist(tmp_path, version="1.0", entry_points={"auth": {"x": "m"}}, metadata=False)
    fake_dist(tmp_path, version="2.0", entry_points={"auth": {"x": "m"}})
    with installed(tmp_path):
        rows = {row.version: row.verdict for row in rows_of("mlo-example")}
    assert rows == {"1.0": "shadowed", "2.0": "available"}


def test_a_folder_twice_on_the_path_counts_once(tmp_path: Path) -> None:
    folder = fake_dist(tmp_path, entry_points={"auth": {"x": "m"}})
    with installed(folder, folder):
        assert len(rows_of("mlo-example")) == 1


@pytest.mark.parametrize(
    "content", [b"[mlo.v1.auth\nx", b"\xff\xfe[mlo.v1.auth]\nx = m\n", b""], ids=["torn", "binary", "empty"]
)
def test_malformed_entry_points_do_no_harm(tmp_path: Path, content: bytes) -> None:
    fake_dist(tmp_path)
    (tmp_path / "mlo_example-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    with installed(tmp_path):
        assert rows_of("mlo-example") == []
        assert oddities() == []


def test_oddities_name_a_misspelt_group(tmp_path: Path) -> None:
    with installed(fake_dist(tmp_path, entry_points={"mlo.v1.provider": {"x": "m"}, "mlo.v1.auth": {"y": "m"}})):
        ((where, message),) = oddities()
    assert "mlo-example 1.0" in where
    assert "mlo.v1.provider is none of ours" in message


def test_oddities_name_a_dist_info_without_metadata(tmp_path: Path) -> None:
    with installed(fake_dist(tmp_path, "mlo-torn", metadata=False)):
        ((where, message),) = oddities()
    assert "mlo-torn 1.0" in where
    assert "no METADATA" in message


def test_version_of_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert installed_version("mlo-nowhere") is None
    with installed(fake_dist(tmp_path, "mlo-torn", metadata=False)):
        assert installed_version("mlo-torn") is None


def test_version_of_a_distribution(tmp_path: Path) -> None:
    with installed(fake_dist(tmp_path, version="7.1")):
        assert installed_version("mlo_example") == "7.1"


def test_names_are_compared_in_normal_form() -> None:
    assert normalized("MLO_Giga.Chat--x") == "mlo-giga-chat-x"


def test_an_object_is_loaded_by_module_and_attribute() -> None:
    assert load_object("mlo._discovery:scan") is scan


def test_forgotten_modules_are_imported_anew(tmp_path: Path) -> None:
    for version in ("1", "2"):
        with installed(fake_dist(tmp_path / version, modules={"mlo_again.part": f"version = {version}"})):
            assert load_object("mlo_again.part:version") == int(version)
    assert "mlo_again" not in sys.modules
