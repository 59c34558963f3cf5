"""The server's generation options: names, types, and which of them belong to the loaded model.

Source: the structs ``Options`` and ``Runner`` of Ollama 0.33. The server ignores names it does not know and answers
HTTP 500 for wrong types, so both are found here first.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

__all__ = ["LOAD_TIME", "complaint"]

_INTEGER = "an integer"
_NUMBER = "a number"
_BOOLEAN = "true or false"
_STRINGS = "a list of strings"
_TYPES: Mapping[str, str] = {
    "num_ctx": _INTEGER,
    "num_batch": _INTEGER,
    "num_gpu": _INTEGER,
    "main_gpu": _INTEGER,
    "num_thread": _INTEGER,
    "use_mmap": _BOOLEAN,
    "num_keep": _INTEGER,
    "seed": _INTEGER,
    "num_predict": _INTEGER,
    "top_k": _INTEGER,
    "top_p": _NUMBER,
    "min_p": _NUMBER,
    "typical_p": _NUMBER,
    "repeat_last_n": _INTEGER,
    "temperature": _NUMBER,
    "repeat_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "stop": _STRINGS,
}
LOAD_TIME = frozenset({"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"})
"""Options of the loaded model: another value in one call would reload it, for seconds or minutes."""


def complaint(options: Mapping[str, Any], *, strict: bool = True, per_call: bool = False) -> str | None:
    """What is wrong with ``options``, as a sentence without a subject; ``None`` if nothing is.

    ``strict`` minds unknown names, ``per_call`` minds options that would reload the model.
    """
    for name, value in options.items():
        if name not in _TYPES:
            if strict:
                near = difflib.get_close_matches(name, _TYPES, n=1)
                hint = f": did you mean {near[0]!r}?" if near else " (strict_options = false lets it through)"
                return f"option {name!r} is unknown, and Ollama would ignore it{hint}"
        elif not _fits(_TYPES[name], value):
            return f"option {name!r} must be {_TYPES[name]}, not {value!r}"
        elif per_call and name in LOAD_TIME:
            return f"option {name!r} would reload the model: set it in the configuration, for the instance or the model"
    return None


def _fits(wanted: str, value: Any) -> bool:
    if wanted == _BOOLEAN:
        return isinstance(value, bool)
    if wanted == _STRINGS:
        return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return wanted == _NUMBER or float(value).is_integer()
