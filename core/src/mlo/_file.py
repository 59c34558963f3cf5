"""The configuration file and the variables beside it, before anybody looks at what they mean.

Light on purpose: ``mlo`` reads a policy from here on its way to a command.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._faults import Fault, as_error
from ._policy import narrowed, pattern_fault
from .errors import ConfigError
from .settings import PluginPolicy

__all__ = ["find_file", "load_policy", "narrowings", "read_toml"]

DEFAULT_FILE = "mlo.toml"


def load_policy(environ: Mapping[str, str]) -> PluginPolicy:
    """Which plugins may load, by ``$MLO_CONFIG``, ``$MLO_PROFILE`` and the variables that narrow.

    A file that says nothing of plugins is not looked at any closer.

    Raises:
        ConfigError: as :func:`mlo._config.load_settings` does.
    """
    file = find_file(None, environ)
    data = {} if file is None else read_toml(file)
    if _without_policy(data) and not environ.get("MLO_PROFILE"):
        return narrowed(PluginPolicy(), **narrowings(environ))
    from ._config import parse_settings  # noqa: PLC0415 - costs more than everything before it

    return parse_settings(data, environ=environ, source=None if file is None else str(file)).plugins


def _without_policy(data: Mapping[str, Any]) -> bool:
    """Whether the file surely says nothing of plugins: a misspelt table must not be taken for none."""
    kernel = data.get("mlo", {})
    return data.keys() <= {"mlo", "providers", "routes", "observers"} and "profile" not in kernel


def narrowings(environ: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """What the environment takes away from a policy.

    Raises:
        ConfigError: a malformed list.
    """
    return {
        "allow": _patterns("MLO_PLUGINS_ALLOW", environ),
        "deny": _patterns("MLO_PLUGINS_DENY", environ),
    }


def find_file(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: the argument, ``$MLO_CONFIG``, ``mlo.toml`` here, or none. It need not exist."""
    named = path or environ.get("MLO_CONFIG")
    if named:
        return Path(named)
    here = Path(DEFAULT_FILE)
    return here if here.is_file() else None


def read_toml(file: Path) -> dict[str, Any]:
    """The file's content.

    Raises:
        ConfigError: it cannot be read, or is not TOML; says where.
    """
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
