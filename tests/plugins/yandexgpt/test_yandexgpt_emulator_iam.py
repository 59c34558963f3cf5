"""IAM of the emulator checks what the real one checks: the signature, the claims, the key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from mlo_emulators.yandexgpt import AuthorizedKey

from .cloud import Cloud, emulated
from .keys import ACCOUNT, KEY_ID, new_key, public_pem

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"


@pytest.fixture(scope="module")
def private_key() -> RSAPrivateKey:
    return new_key()


@pytest.fixture(scope="module")
def stranger() -> RSAPrivateKey:
    return new_key()


@pytest.fixture
def cloud(private_key: RSAPrivateKey) -> Iterator[Cloud]:
    key = AuthorizedKey(id=KEY_ID, service_account_id=ACCOUNT, public_key=public_pem(private_key))
    with emulated(authorized_keys=(key,)) as found:
        yield found


def signed(key: RSAPrivateKey, *, kid: str = KEY_ID, algorithm: str = "PS256", **claims: Any) -> str:
    now = int(time.time())
    payload = {"iss": ACCOUNT, "aud": AUDIENCE, "iat": now, "exp": now + 3600} | claims
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid})


def exchange(cloud: Cloud, token: str) -> int:
    return httpx.post(f"{cloud.url}/iam/v1/tokens", json={"jwt": token}).status_code


def test_good_token_is_exchanged(cloud: Cloud, private_key: RSAPrivateKey) -> None:
    assert exchange(cloud, signed(private_key)) == 200


def test_other_key_is_refused(cloud: Cloud, stranger: RSAPrivateKey) -> None:
    assert exchange(cloud, signed(stranger)) == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere"},
        {"iss": "ajesomebodyelse"},
        {"exp": int(time.time()) + 7200},
        {"iat": int(time.time()) - 8000, "exp": int(time.time()) - 5000},
    ],
    ids=["audience", "issuer", "too long", "expired"],
)
def test_wrong_claims_are_refused(cloud: Cloud, private_key: RSAPrivateKey, claims: dict[str, Any]) -> None:
    assert exchange(cloud, signed(private_key, **claims)) == 401


def test_other_algorithm_is_refused(cloud: Cloud, private_key: RSAPrivateKey) -> None:
    assert exchange(cloud, signed(private_key, algorithm="RS256")) == 401


def test_unknown_key_id_is_refused(cloud: Cloud, private_key: RSAPrivateKey) -> None:
    assert exchange(cloud, signed(private_key, kid="ajeother")) == 401


def test_what_is_no_jwt_is_refused(cloud: Cloud) -> None:
    assert exchange(cloud, "no.jwt.atall") == 401
