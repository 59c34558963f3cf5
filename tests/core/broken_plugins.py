"""Ten plugins, each broken in a way of its own. Importing any of them leaves a trace in the file ``imported``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

from mlo.testing import fake_dist
from tests.core.samples import HEAD, provider

__all__ = ["BROKEN", "Broken", "install_all"]

_SLOW = 60  # seconds: far more than the doctor waits


@frozen(kw_only=True)
class Broken:
    """A plugin called like its distribution.

    ``said`` is what the doctor says of it, ``fails`` whether it may not be used (a warning is enough for others).
    """

    source: str
    said: str
    group: str = "providers"
    fails: bool = True
    prepare: Callable[[Path], None] = field(default=lambda _folder: None)
    value: str = ""


def _no_metadata(folder: Path) -> None:
    (info,) = folder.glob("*.dist-info")
    (info / "METADATA").unlink()


BROKEN: Mapping[str, Broken] = {
    "missing-import": Broken(source="import mlo_nowhere\n", said="No module named 'mlo_nowhere'"),
    "syntax-error": Broken(source="def mlo_providers(:\n", said="SyntaxError"),
    "wrong-signature": Broken(
        source=HEAD + "\n@hookimpl\ndef mlo_providers(config, colour):\n    return []\n", said="colour"
    ),
    "missing-spec": Broken(source=provider("another-name"), said="entry points without a spec of that name"),
    "not-a-spec": Broken(
        source=HEAD + "\n@hookimpl\ndef mlo_providers():\n    return [{'name': 'not-a-spec'}]\n",
        said="mlo_providers must give ProviderSpec values, not dict",
    ),
    "next-api": Broken(source=provider("next-api"), group="mlo.v9.providers", said="made for plugin API 9"),
    "calls-home": Broken(
        source="import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\n", said="ConnectionRefusedError"
    ),
    "exits": Broken(source="import sys\nsys.exit('not today')\n", said="SystemExit: not today"),
    "kills": Broken(
        source="import os\nos._exit(3)\n", said="the import of broken_kills.plugin ended the interpreter (exit code 3)"
    ),
    "heavy": Broken(source=f"import time\ntime.sleep({_SLOW})\n", said="did not finish in 2 s"),
    "half-uninstalled": Broken(
        source=provider("half-uninstalled"), said="no METADATA", fails=False, prepare=_no_metadata
    ),
}


def install_all(folder: Path) -> list[Path]:
    """Write all of them, and two more that offer the same id, and return their folders."""
    trace = (
        f"from pathlib import Path\nwith Path({str(folder / 'imported')!r}).open('a') as f:\n    f.write(__name__)\n"
    )
    folders = []
    for name, broken in BROKEN.items():
        module = f"broken_{name.replace('-', '_')}.plugin"
        made = fake_dist(
            folder / name,
            f"broken-{name}",
            entry_points={broken.group: {name: module}},
            modules={module: trace + broken.source},
        )
        broken.prepare(made)
        folders.append(made)
    for twin in ("one", "two"):
        module = f"broken_twin_{twin}.plugin"
        folders.append(
            fake_dist(
                folder / twin,
                f"broken-twin-{twin}",
                entry_points={"providers": {"twin": module}},
                modules={module: trace + provider("twin")},
            )
        )
    return folders
