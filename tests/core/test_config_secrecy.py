from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import field, frozen

from mlo import Secret
from mlo._secrecy import literal_secrets, masked


@frozen
class Inner:
    pin: Secret
    user: str = ""


@frozen
class Options:
    code: Secret | None = None
    url: str = ""
    inner: Inner | None = None
    either: str | Inner | None = None
    codes: tuple[Secret, ...] = ()
    by_name: dict[str, Secret] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    max_tokens: int | str = 0
    client_key: str = ""
    free: Any = None


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"code": "x"}, ("code",)),
        ({"inner": {"pin": "x", "user": "u"}}, ("inner", "pin")),
        ({"either": {"pin": "x"}}, ("either", "pin")),
        ({"codes": ["env:A", "x"]}, ("codes", 1)),
        ({"by_name": {"a": "x"}}, ("by_name", "a")),
        ({"headers": {"Authorization": "Bearer x", "Accept": "y"}}, ("headers", "Authorization")),
        ({"free": {"api_key": "x", "max_tokens": "5"}}, ("free", "api_key")),
        ({"unknown_password": "x"}, ("unknown_password",)),
    ],
)
def test_literal_secrets_are_found(options: dict[str, Any], path: tuple[str | int, ...]) -> None:
    assert literal_secrets(Options, options) == [path]
    shown: Any = masked(Options, options)
    for part in path:
        shown = shown[part]
    assert shown == "****"


@pytest.mark.parametrize(
    "options",
    [
        {"code": "env:KEY"},
        {"code": "file:key"},
        {"code": ""},
        {"url": "x", "max_tokens": "5", "client_key": "key.pem"},
        {"code": 5},
    ],
)
def test_what_is_no_literal_secret(options: dict[str, Any]) -> None:
    assert literal_secrets(Options, options) == []
    assert masked(Options, options) == options


def test_user_names_in_urls_are_masked() -> None:
    assert masked(Options, {"url": "https://me:pw@host/x"}) == {"url": "https://****@host/x"}


def test_the_original_stays_as_it_is() -> None:
    options = {"inner": {"pin": "x"}, "codes": ["y"]}
    masked(Options, options)
    assert options == {"inner": {"pin": "x"}, "codes": ["y"]}


def test_without_a_class_every_text_is_masked() -> None:
    options = {"a": "x", "b": ["y", 5, "env:B"], "c": {"d": "z", "e": True}}
    assert masked(None, options) == {"a": "****", "b": ["****", 5, "env:B"], "c": {"d": "****", "e": True}}
