"""``mlo plugins new``: renders the plugin template with copier, which asks the questions."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from .texts import text

__all__ = ["add_to"]

# copier's own command shows a traceback where it refuses an answer
_SCRIPT = """\
import json, os, sys
from copier import run_copy
from copier.errors import CopierError
template, folder, options = json.loads(sys.argv[1])
try:
    run_copy(template, folder, quiet=True, **options)
except KeyboardInterrupt:
    sys.exit(130)
except (CopierError, OSError, ValueError) as error:
    if os.environ.get("MLO_DEBUG"):
        raise
    sys.exit(f"error: nothing was rendered: {error}")
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``mlo plugins``."""
    about = text("plugins new")
    command = commands.add_parser("new", help=about, description=about, allow_abbrev=False)
    command.set_defaults(run=_new)
    command.add_argument("folder", metavar="FOLDER", type=Path, help=text("new folder"))
    command.add_argument("--template", metavar="WHERE", help=text("template"))
    command.add_argument("--ref", metavar="TAG", help=text("template ref"))
    command.add_argument("--data", metavar="NAME=VALUE", action="append", default=[], help=text("template data"))
    command.add_argument("--defaults", action="store_true", help=text("template defaults"))


def _new(options: argparse.Namespace) -> int:
    from mlo.errors import MloError  # noqa: PLC0415 - only here

    template = options.template or _home()
    if template is None:
        raise MloError("this release does not say where its repository is: give --template, such as gh:OWNER/NAME")
    if options.folder.exists() and not options.folder.is_dir():
        raise MloError(f"{options.folder} is a file: choose a new folder")
    if options.folder.is_dir() and any(options.folder.iterdir()):
        raise MloError(f"{options.folder} is not empty: choose a new folder (`copier update` changes an old project)")
    if find_spec("copier") is None:
        raise MloError(
            "the template is rendered by copier, which is not installed here: `pip install copier`, or without "
            f"installing it `uvx copier copy {template} {options.folder}`"
        )
    asked = {"data": dict(map(_answer, options.data)), "defaults": options.defaults, "vcs_ref": options.ref}
    order = json.dumps([template, str(options.folder), asked])
    return subprocess.run([sys.executable, "-c", _SCRIPT, order], check=False).returncode  # noqa: S603


def _answer(pair: str) -> tuple[str, str]:
    from mlo.errors import ConfigError  # noqa: PLC0415 - only here

    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise ConfigError("--data", f"{pair!r} is not an answer", hint="say NAME=VALUE, such as plugin_id=acme")
    return name, value


def _home() -> str | None:
    """The repository that the metadata of the kernel names."""
    from mlo._discovery import project_url  # noqa: PLC0415 - only here

    return project_url("mlo-core", "Repository")
