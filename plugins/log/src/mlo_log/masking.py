"""Makes texts that look like credentials unreadable. A net below the rule that secrets never get this far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["MASK", "masked"]

MASK = "****"

_NAMES = re.compile(
    r"(api[-_]?key|authorization|password|passphrase|secret|credentials?|(^|[-_])token)$", re.IGNORECASE
)
_TEXTS = (
    re.compile(r"(?i)(\b(?:Bearer|Basic|Api-Key) )\S+"),
    re.compile(r"(://)[^/@\s]+(?=@)"),  # user:password@ in an address
    re.compile(r"""(?i)((?:key|token|password|secret)(?:=["']?|["']\s*:\s*["']))[^\s&;,"'}]+"""),
    re.compile(
        r"()(?:\b(?:sk|pk|rk)-[\w-]{8,}|\bAQVN[\w-]{20,}|\bt1\.[\w-]{20,}[\w.-]*|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*)"
    ),
)


def masked(value: Any, name: str = "") -> Any:
    """``value`` with everything that looks like a credential replaced; ``name`` is the key it stands under."""
    if isinstance(value, str):
        return MASK if _NAMES.search(name) else _masked_text(value)
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, name) for item in value]
    return value


def _masked_text(text: str) -> str:
    for pattern in _TEXTS:
        text = pattern.sub(lambda found: found[1] + MASK, text)
    return text
