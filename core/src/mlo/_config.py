"""Reading ``mlo.toml``: one file, one profile of it, the environment's last word, and every mistake at once.

::

    file ─► TOML ─┬─► tables (_tables) ─► profile (_profiles) ─► targets (_routes) ─┬─► Settings
                  └─► tables of commands (_sections) ───────────────────────────────┘
                       options of a component, table of a command ─► build_options, when it is used

A configuration that is malformed anywhere is refused as a whole, inactive profiles included: a policy that was
misread must not let more plugins in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve

from ._convert import structure
from ._faults import Faults, as_error
from ._file import find_file, narrowings, read_toml
from ._policy import narrowed
from ._profiles import lineage, settings_of
from ._refs import Sources
from ._routes import route_faults
from ._sections import Split, sections_of, split
from ._tables import Document
from .settings import Settings

__all__ = ["build_options", "check_routes", "load_settings", "parse_settings", "profiles_of"]

C = TypeVar("C")


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
    data = {} if file is None else read_toml(file)
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
        tables = split(data)
        document = _document(tables)
        chosen = profile or environ.get("MLO_PROFILE") or document.mlo.profile
        settings = evolve(settings_of(document, chosen), source=source)
        if tables.sections:
            chain = lineage({str(name): table for name, table in document.profiles.items()}, chosen) if chosen else ()
            settings = evolve(settings, sections=sections_of(tables, tuple(reversed(chain))))
        check_routes(settings)
    except Faults as error:
        raise as_error(error.faults, source=source) from error
    policy = narrowed(settings.plugins, **narrowings(environ))
    if policy.lock is not None and source is not None:
        policy = evolve(policy, lock=str(Path(source).parent / policy.lock))
    return evolve(settings, plugins=policy)


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


def profiles_of(file: Path) -> list[str]:
    """The names of the file's profiles.

    Raises:
        ConfigError: as :func:`load_settings` does.
    """
    try:
        document = _document(split(read_toml(file)))
    except Faults as error:
        raise as_error(error.faults, source=str(file)) from error
    return [str(name) for name in document.profiles]


def _document(tables: Split) -> Document:
    try:
        document = structure(Document, tables.kernel, Sources(follow=False))
    except Faults as error:
        raise Faults(*tables.faults, *error.faults) from error
    if tables.faults:
        raise Faults(*tables.faults)
    return document


def check_routes(settings: Settings) -> None:
    """See that every target of every route leads somewhere.

    Raises:
        ConfigError: an unknown instance or route, or routes that lead in a circle.
    """
    faults = route_faults(settings.providers, settings.routes)
    if faults:
        raise as_error(faults, source=settings.source)
