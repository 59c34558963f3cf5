"""What is inside the wheels and the source archives."""

from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.house.sources import projects

pytestmark = pytest.mark.timeout(120)
_NAMES = sorted(project["project"]["name"] for project in projects().values())


def _wheel(folder: Path, name: str) -> zipfile.ZipFile:
    (path,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
    return zipfile.ZipFile(path)


def test_every_distribution_is_built_twice(wheels: Path) -> None:
    assert len(list(wheels.glob("*.whl"))) == len(list(wheels.glob("*.tar.gz"))) == len(_NAMES)


@pytest.mark.parametrize("name", _NAMES)
def test_wheel_holds_one_typed_package_and_the_licence(wheels: Path, name: str) -> None:
    with _wheel(wheels, name) as archive:
        members = archive.namelist()
    folders = {member.split("/")[0] for member in members}
    (package,) = (folder for folder in folders if not folder.endswith(".dist-info"))
    assert f"{package}/py.typed" in members
    assert [member for member in members if member.endswith("licenses/LICENSE")]
    assert [member for member in members if "__pycache__" in member or "/tests/" in member] == []


@pytest.mark.parametrize("name", _NAMES)
def test_wheel_is_described(wheels: Path, name: str) -> None:
    with _wheel(wheels, name) as archive:
        (path,) = (member for member in archive.namelist() if member.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(path))
    assert metadata["Name"] == name
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Summary"]
    assert metadata.get_payload()


@pytest.mark.parametrize("name", _NAMES)
def test_source_archive_has_the_licence_itself(wheels: Path, name: str) -> None:
    (path,) = wheels.glob(f"{name.replace('-', '_')}-*.tar.gz")
    with tarfile.open(path) as archive:
        (licence,) = (member for member in archive.getmembers() if member.name.endswith("/LICENSE"))
    assert licence.isfile()
