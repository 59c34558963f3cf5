"""Reading ``mlo.toml``: one file, one profile of it, the environment's last word, and every mistake at once.

::

    file ─► TOML ─► tables (_tables) ─► profile (_profiles) ─► targets (_routes) ─► Settings
                                                    options of a component ─► build_options, when it opens

A configuration that is malformed anywhere is refused as a whole, inactive profiles included: a policy that was
misread must not let more plugins in.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve

from ._convert import structure
from ._faults import Fault, Faults, as_error
from ._policy import narrowed, pattern_fault
from ._profiles import settings_of
from ._refs import Sources
from ._routes import route_faults
from ._tables import Document
from .errors import ConfigError
from .settings import Settings

__all__ = ["build_options", "check_routes", "find_file", "load_settings", "parse_settings"]

C = TypeVar("C")

DEFAULT_FILE = "mlo.toml"


def load_settings(
    path: str | os.PathLike[str] | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings that a file says under a profile.

    Without a path: ``$MLO_CONFIG``, then ``mlo.toml`` in the working directory, then nothing (which is no error).

    Raises:
        ConfigError: the file cannot be read, is not TOML, or says something wrong.
    """
    environ = os.environ if environ is None else environ
    file = find_file(path, environ)
    data = {} if file is None else _read(file)
    return parse_settings(data, profile=profile, environ=environ, source=None if file is None else str(file))


def parse_settings(
    data: Mapping[str, Any],
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    source: str | None = None,
) -> Settings:
    """The settings that parsed TOML says. The profile: the argument, then ``$MLO_PROFILE``, then ``mlo.profile``.

    Raises:
        ConfigError: tells everything that is wrong.
    """
    environ = os.environ if environ is None else environ
    try:
        document = structure(Document, data, Sources(follow=False))
        chosen = profile or environ.get("MLO_PROFILE") or document.mlo.profile
        settings = evolve(settings_of(document, chosen), source=source)
        check_routes(settings)
    except Faults as error:
        raise as_error(error.faults, source=source) from error
    allow, deny = (_patterns(name, environ) for name in ("MLO_PLUGINS_ALLOW", "MLO_PLUGINS_DENY"))
    return evolve(settings, plugins=narrowed(settings.plugins, allow=allow, deny=deny))


def build_options(
    config_class: type[C],
    options: Mapping[str, Any],
    path: str,
    *,
    environ: Mapping[str, str] | None = None,
    base_dir: str | os.PathLike[str] | None = None,
    source: str | None = None,
) -> C:
    """A component's options as its configuration class, references followed.

    ``env:NAME`` and ``file:PATH`` are followed where the class wants text, a :class:`~mlo.Secret` or a path; relative
    paths start at ``base_dir``, or else at the folder of ``source``.

    Raises:
        ConfigError: tells everything that is wrong, with full paths and without values.
    """
    if base_dir is None and source is not None:
        base_dir = Path(source).parent
    sources = Sources(
        environ=os.environ if environ is None else environ, base_dir=None if base_dir is None else Path(base_dir)
    )
    try:
        return structure(config_class, options, sources)
    except Faults as error:
        raise as_error(error.faults, path=path, source=source) from error


def check_routes(settings: Settings) -> None:
    """See that every target of every route leads somewhere.

    Raises:
        ConfigError: an unknown instance or route, or routes that lead in a circle.
    """
    faults = route_faults(settings.providers, settings.routes)
    if faults:
        raise as_error(faults, source=settings.source)


def find_file(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: the argument, ``$MLO_CONFIG``, ``mlo.toml`` here, or none."""
    named = path or environ.get("MLO_CONFIG")
    if named:
        return Path(named)
    here = Path(DEFAULT_FILE)
    return here if here.is_file() else None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(str(file), f"cannot read the configuration: {reason}", hint="see MLO_CONFIG") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), "the configuration is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        text, line, column = _position(str(error))
        raise ConfigError(f"{file}{line}{column}", f"not valid TOML: {text}") from error


def _position(message: str) -> tuple[str, str, str]:
    """``(at line 3, column 5)`` of a TOML error as the ``:3:5`` that editors understand."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    return (match[1], f":{match[2]}", f":{match[3]}") if match else (message, "", "")


def _patterns(name: str, environ: Mapping[str, str]) -> Sequence[str]:
    """Comma-separated globs of an environment variable; an empty variable is as good as none."""
    text = environ.get(name, "")
    if not text:
        return ()
    patterns = [pattern.strip() for pattern in text.split(",")]
    faults = [Fault((), fault, "comma-separated globs") for fault in map(pattern_fault, patterns) if fault]
    if faults:
        raise as_error(faults[:1], path=name)
    return patterns
