from __future__ import annotations

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo_gigachat.keys import normalised

ID, SECRET = "39e3c6e0-5f0e-4c9b-8d4e-0d6b2f6a1b3c", "d1f0a9c2-7b1e-4f3a-9c55-4f1b6f0e7a21"
PLAIN = f"{ID}:{SECRET}"
KEY = base64.b64encode(PLAIN.encode()).decode()


@pytest.mark.parametrize(
    "pasted",
    [
        KEY,
        f"  {KEY}\n",
        f"Basic {KEY}",
        f"basic {KEY}",
        "\n".join(textwrap.wrap(KEY, 20)),
        "\r\n".join(textwrap.wrap(KEY, 76)),
    ],
)
def test_what_pasting_adds_is_taken_away(pasted: str) -> None:
    assert normalised(Secret(pasted), "auth.key") == KEY


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (SECRET, "client id or a client secret"),
        (PLAIN, "in the clear"),
        (base64.b64encode(KEY.encode()).decode(), "twice"),
        ("не ключ", "not base64"),
        (KEY[:-3], "not base64"),
        (base64.b64encode(b"no colon").decode(), "does not hold"),
    ],
    ids=["empty", "space", "secret", "clear", "twice", "letters", "truncated", "no colon"],
)
def test_what_is_no_key_is_explained_without_showing_it(pasted: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        normalised(Secret(pasted), "providers.giga.auth.key")
    shown = str(caught.value)
    assert shown.startswith("providers.giga.auth.key: ")
    assert caught.value.hint
    assert not pasted.strip() or pasted.strip() not in shown


@given(st.text())
def test_any_text_is_a_key_or_an_explanation(text: str) -> None:
    try:
        assert normalised(Secret(text), "key").isascii()
    except ConfigError as error:
        assert error.hint


@given(st.binary(min_size=1))
def test_every_real_key_survives(secret: bytes) -> None:
    key = base64.b64encode(b"client:" + secret.hex().encode()).decode()
    assert normalised(Secret(f"Basic {key}\n"), "key") == key
