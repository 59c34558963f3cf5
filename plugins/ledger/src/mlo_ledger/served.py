"""Where a gateway keeps its ledger if no observer says so: asked by the gateway, and by commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, frozen

from mlo.secret import Secret
from mlo.settings import SectionSettings, Settings, section

__all__ = ["DATABASE", "Served", "data_folder", "served_url"]

DATABASE = "mlo.db"
"""The SQLite file in the gateway's folder, where no other database is configured."""

_TABLE = "gateway"
_FOLDER = "mlo-data"


@frozen(kw_only=True)
class Served:
    """What ``[gateway]`` says of places; the rest of the table is the gateway's."""

    folder: str | None = None
    database: Secret | None = None


def data_folder(settings: Settings, folder: str | None, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the gateway's files, which need not exist.

    It is ``folder`` of ``[gateway]``, else what systemd sets aside (``$STATE_DIRECTORY``), else ``mlo-data``. Relative
    paths are relative to the configuration file; without a file, to the working directory.
    """
    environ = os.environ if environ is None else environ
    base = Path.cwd() if settings.source is None else Path(settings.source).absolute().parent
    if folder is not None:
        return base / Path(folder).expanduser()
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    return base / _FOLDER


def served_url(settings: Settings, environ: Mapping[str, str] | None = None) -> str | None:
    """The database of a gateway with this configuration; ``None`` where there is neither a gateway nor its file.

    Raises:
        ConfigError: when what ``[gateway]`` says of places is wrong.
    """
    table = settings.sections.get(_TABLE)
    options = (
        {} if table is None else {key: table.options[key] for key in ("folder", "database") if key in table.options}
    )
    found = SectionSettings(options=options, path=_TABLE if table is None else table.path)
    place = section(evolve(settings, sections={_TABLE: found}), _TABLE, Served, environ=environ)
    if place.database is not None:
        return place.database.reveal()
    file = data_folder(settings, place.folder, environ) / DATABASE
    return f"sqlite:///{file}" if table is not None or file.is_file() else None
