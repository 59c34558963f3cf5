"""What is wrong with a configuration, collected so that one run shows all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from .errors import ConfigError

__all__ = ["Fault", "Faults", "as_error", "dotted"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Fault:
    """One thing that is wrong. ``path`` are the keys and indices that lead there, from the table ``under`` on."""

    path: tuple[str | int, ...]
    reason: str
    hint: str = ""
    under: str = ""

    def below(self, *prefix: str | int) -> Fault:
        """The same fault seen from further up."""
        return evolve(self, path=(*prefix, *self.path))


class Faults(ValueError):
    """Carries faults up through the converter."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*(fault.reason for fault in faults))
        self.faults = faults


def dotted(path: Iterable[str | int]) -> str:
    """The path as TOML writes it: ``providers."a b".targets[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{key}" if text else key
    return text


def as_error(faults: Sequence[Fault], *, path: str = "", source: str | None = None) -> ConfigError:
    """One error that tells of every fault; ``path`` leads to the table that they are in."""
    single = [ConfigError(_joined(path or fault.under, fault.path), fault.reason, hint=fault.hint) for fault in faults]
    lines = "".join(f"\n  {error}" for error in single)  # the file is named once, in front
    for error in single:
        error.source = source
    if len(single) == 1:
        return single[0]
    return ConfigError(path or "configuration", f"{len(single)} problems:{lines}", source=source, problems=single)


def _joined(prefix: str, path: Sequence[str | int]) -> str:
    rest = dotted(path)
    if not prefix or not rest:
        return prefix or rest or "configuration"
    return prefix + (rest if rest.startswith("[") else f".{rest}")
