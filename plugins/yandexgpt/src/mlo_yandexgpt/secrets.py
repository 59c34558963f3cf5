"""Which kind of credential a pasted text is, so that a mix-up is explained instead of ending in a 401."""

from __future__ import annotations

import json
import re
from typing import Literal, TypeAlias

from mlo.errors import ConfigError

__all__ = ["SecretKind", "expect", "kind_of"]

SecretKind: TypeAlias = Literal[
    "api-key", "iam-token", "oauth-token", "authorized-key", "private-key", "key-id", "nothing"
]

_WHERE = {
    "api-key": 'an API key: use auth = { use = "yandex-api-key", key = … }',
    "iam-token": 'an IAM token: use auth = { use = "yandex-iam", token = … } (it lives 12 hours at most)',
    "oauth-token": 'an OAuth token: use auth = { use = "yandex-iam", oauth_token = … }',
    "authorized-key": 'an authorised key: use auth = { use = "yandex-iam", key_file = … }',
    "private-key": "a bare private key: yandex-iam wants the whole JSON file of the authorised key (key_file = …)",
    "key-id": "the id of a key: the secret part is what was shown once, when the key was made",
    "nothing": "empty: is the variable or the file that it refers to filled?",
}


def kind_of(text: str) -> SecretKind:
    """What ``text`` looks like. Whatever has no mark of another kind counts as an API key."""
    text = text.strip()
    if not text:
        return "nothing"
    if re.match(r"t\d\.", text):
        return "iam-token"
    if re.match(r"y[0-3]_", text):
        return "oauth-token"
    if text.startswith("{"):
        return "authorized-key" if _is_key_file(text) else "api-key"
    if "-----BEGIN" in text:
        return "private-key"
    if re.fullmatch(r"aj[a-z][a-z0-9]{17}", text):
        return "key-id"
    return "api-key"


def _is_key_file(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and "private_key" in found


def expect(kind: SecretKind, text: str, path: str) -> str:
    """``text`` without white space around it, when it is of ``kind``.

    Raises:
        ConfigError: when it is something else, saying what and where that belongs, or cannot stand in a header.
    """
    found = kind_of(text)
    if found != kind:
        raise ConfigError(path, f"this is {_WHERE[found]}")
    text = text.strip()
    if kind != "authorized-key" and (not text.isascii() or not text.isprintable() or " " in text):
        raise ConfigError(path, "holds a space, a line break or a letter outside ASCII", hint="paste it again")
    return text
