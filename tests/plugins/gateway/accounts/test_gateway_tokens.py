from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from mlo_gateway.accounts.tokens import bearer_in, digest_of, is_well_formed, new_id, new_token

TOKEN = new_token().text


def test_a_key_is_random_and_known_by_its_beginning() -> None:
    tokens = [new_token() for _ in range(200)]
    assert len({token.text for token in tokens}) == len({token.digest for token in tokens}) == 200
    assert all(re.fullmatch(r"mlo-[0-9A-Za-z]{42}", token.text) for token in tokens)
    assert all(token.text.startswith(token.prefix) and len(token.prefix) == 12 for token in tokens)


def test_a_key_is_stored_as_its_sha256() -> None:
    token = new_token()
    assert token.digest == hashlib.sha256(token.text.encode()).digest() == digest_of(token.text.encode())


def test_a_key_does_not_show_itself() -> None:
    token = new_token()
    assert token.text not in repr(token)
    assert token.digest.hex() not in repr(token)
    assert str(token.digest) not in repr(token)


@given(place=st.integers(0, len(TOKEN) - 1), letter=st.sampled_from("0AZaz9-_ é"))
def test_one_wrong_letter_shows(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    assert is_well_formed(changed.encode()) is (changed == TOKEN)


@given(st.binary(max_size=80))
def test_anything_else_is_no_key(text: bytes) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(TOKEN.encode() + text) or text == b""


@given(st.binary(max_size=60))
def test_headers_are_read_whatever_they_hold(header: bytes) -> None:
    found = bearer_in(header)
    assert found is None or header.lower().startswith(b"bearer")


def test_the_scheme_may_be_written_in_any_case() -> None:
    assert bearer_in(b"bearer  abc ") == bearer_in(b"BEARER abc") == b"abc"
    assert bearer_in(b"Basic abc") is None
    assert bearer_in(b"Bearer") == b""


@given(st.lists(st.integers(0, 4 * 10**15), min_size=2, max_size=20, unique=True))
def test_ids_sort_by_time(moments: list[int]) -> None:
    apart = sorted({moment // 1000 * 1000 for moment in moments})
    idents = [new_id("key", moment) for moment in apart]
    assert idents == sorted(idents)
    assert all(re.fullmatch(r"key-[0-9a-z]{20}", ident) for ident in idents)
