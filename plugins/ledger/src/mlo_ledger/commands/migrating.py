"""What ``mlo ledger migrate`` does."""

from __future__ import annotations

import argparse
import re
from importlib.resources import files

from mlo.errors import ConfigError
from mlo_ledger.migrate import PACKAGE, current_version, migrate_now, newest_version

from .place import chosen_database
from .tables import say
from .texts import text

__all__ = ["move"]

_VERSION = re.compile(r"(v\d{4})_\w+\.py")


def move(options: argparse.Namespace) -> int:
    """Bring the tables to the version that was asked for; the file is made where there is none.

    Raises:
        ConfigError: when there is no such version, or going back to it was not agreed to.
    """
    versions = sorted(match[1] for file in files(PACKAGE).iterdir() if (match := _VERSION.fullmatch(file.name)))
    if options.to not in {"head", "base", *versions}:
        raise ConfigError("--to", text("no version", version=options.to), hint=", ".join(["base", *versions]))
    goal = {"head": newest_version(), "base": ""}.get(options.to, options.to)
    database = chosen_database(options, create=True)
    try:
        before = database.read_now(current_version)
        if goal < (before or "") and options.to != "head" and not options.yes:
            raise ConfigError("--to", text("needs yes", revision=options.to), hint=text("needs yes hint"))
        migrate_now(database, to=options.to)
        after = database.read_now(current_version)
    finally:
        database.close()
    key = "schema is" if before == after else "migrated"
    say(text(key, before=before or text("no schema"), after=after or text("no schema")))
    return 0
