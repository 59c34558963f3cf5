"""Makes texts unreadable: what looks like a credential, and whatever else the configuration names.

The first is a net below the rule that secrets never get this far.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlo.errors import ConfigError

from .config import RedactOptions

__all__ = ["MASK", "Redaction", "masked"]

MASK = "****"

_NAMES = re.compile(
    r"((api|secret|private|access)[-_]?key|authorization|cookie|passw(or)?d|pwd|passphrase|secret|credentials?"
    r"|(^|[-_])token)$",
    re.IGNORECASE,
)
_TEXTS = (
    re.compile(r"(?i)(\b(?:Bearer|Basic|Api-Key)[ \t]+)\S+"),
    re.compile(r"(?i)(\b(?:Api-Key|Authorization):[ \t]*)\S+"),
    re.compile(r"(://)[^/@\s]+(?=@)"),  # user:password@ in an address
    re.compile(r"""(?i)((?:key|token|password|secret)(?:=|["']\s*:\s*)["'])[^"']+"""),
    re.compile(r"""(?i)((?:key|token|password|secret)=)[^\s&;,"'}]+"""),
    re.compile(
        r"()(?:\b(?:sk|pk|rk)-[\w-]{8,}|\bAQVN[\w-]{20,}|\bt1\.[\w-]{20,}[\w.-]*|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*)"
    ),
)


def masked(value: Any, name: str = "") -> Any:
    """``value`` with everything that looks like a credential replaced; ``name`` is the key it stands under."""
    if isinstance(value, str | Mapping) and _NAMES.search(name):
        return MASK
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, name) for item in value]
    return value


def _masked_text(text: str) -> str:
    for pattern in _TEXTS:
        text = pattern.sub(lambda found: found[1] + MASK, text)
    return text


class Redaction:
    """What the configuration names beyond credentials. ``path`` is where it stands.

    Raises:
        ConfigError: for a pattern that is no regular expression.
    """

    def __init__(self, options: RedactOptions, path: str) -> None:
        self._names = frozenset(name for name in options.fields if "." not in name)
        self._paths = frozenset(name for name in options.fields if "." in name)
        self._patterns = [_compiled(pattern, f"{path}.patterns") for pattern in options.patterns]
        self._is_empty = not (options.fields or options.patterns)

    def applied(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """The line with all of it masked."""
        if self._is_empty:
            return dict(line)
        return {name: self._value(value, name, name) for name, value in line.items()}

    def _value(self, value: Any, name: str, path: str) -> Any:
        if name in self._names or path in self._paths:
            return MASK
        if isinstance(value, str):
            for pattern in self._patterns:
                value = pattern.sub(MASK, value)
            return value
        if isinstance(value, Mapping):
            return {key: self._value(item, str(key), f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, "", path) for item in value]
        return value


def _compiled(pattern: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        hint = "in a TOML text between single quotes, a backslash stands for itself"
        raise ConfigError(where, f"{pattern!r} is no regular expression: {error}", hint=hint) from error
