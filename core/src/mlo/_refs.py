"""References in text: ``env:NAME`` and ``file:PATH``, so that no secret has to stand in the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from ._faults import Fault, Faults

__all__ = ["Sources", "is_reference", "resolved"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@frozen(kw_only=True)
class Sources:
    """Where references lead. ``found`` collects what they gave: values that no error message may repeat."""

    environ: Mapping[str, str] = field(factory=lambda: os.environ, repr=False)
    base_dir: Path | None = None
    follow: bool = True
    found: set[str] = field(factory=set, repr=False)


def is_reference(text: str) -> bool:
    """Whether the text stands for a value that is elsewhere."""
    return text.startswith(("env:", "file:"))


def resolved(text: str, sources: Sources) -> str:
    """The text itself, or what it refers to; ``literal:`` in front takes the rest as it is."""
    if not sources.follow:
        return text
    scheme, _, rest = text.partition(":")
    if scheme == "env":
        return _remember(_from_environment(rest, sources), sources)
    if scheme == "file":
        return _remember(_from_file(rest, sources), sources)
    return text.removeprefix("literal:")


def _remember(text: str, sources: Sources) -> str:
    sources.found.add(text)
    return text


def _from_environment(name: str, sources: Sources) -> str:
    if not _NAME.fullmatch(name):
        raise Faults(Fault((), "env: must be followed by the name of an environment variable", "such as env:API_KEY"))
    value = sources.environ.get(name)
    if value is None:
        raise Faults(Fault((), f"the environment variable {name} is not set", f"export {name}=…"))
    return value


def _from_file(name: str, sources: Sources) -> str:
    path = Path(name).expanduser()
    if sources.base_dir is not None:
        path = sources.base_dir / path
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Faults(
            Fault((), f"cannot read the file {path}: {reason}", "file:PATH is relative to mlo.toml")
        ) from error
    except UnicodeDecodeError as error:
        raise Faults(Fault((), f"the file {path} is not UTF-8 text")) from error
