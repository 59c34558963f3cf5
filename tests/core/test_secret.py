from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo import Secret

TEXTS = st.text(min_size=12).filter(lambda text: text not in "Secret('****')")


@given(TEXTS)
def test_no_rendering_shows_the_value(text: str) -> None:
    secret = Secret(text)
    shown = f"{secret} {secret!r} {secret!s} {secret:>20} " + "%s %r" % (secret, secret)  # noqa: UP031
    assert text not in shown
    assert text not in repr([secret])
    assert secret.reveal() == text


@given(st.text(), st.text())
def test_secrets_are_equal_by_value(one: str, two: str) -> None:
    assert (Secret(one) == Secret(two)) is (one == two)
    assert hash(Secret(one)) == hash(Secret(one))


def test_a_secret_differs_from_its_text() -> None:
    secret: Any = Secret("x")
    assert secret != "x"


def test_bytes_that_are_no_text_can_be_compared() -> None:
    undecodable = b"\xff".decode("utf-8", errors="surrogateescape")
    assert Secret(undecodable) == Secret(undecodable)


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")


def test_a_secret_is_its_own_copy() -> None:
    secret = Secret("x")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(Secret("x"))
