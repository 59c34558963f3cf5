"""Authorised keys made for a test run."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_ID = "ajekey00000000000000"
ACCOUNT = "ajeaccount0000000000"
COMMENT = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajekey00000000000000>\n"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    encoded = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


def write_key_file(path: Path, key: rsa.RSAPrivateKey, **changes: object) -> Path:
    """The file that the console gives, comment line and all."""
    content = {
        "id": KEY_ID,
        "service_account_id": ACCOUNT,
        "created_at": "2026-03-01T10:00:00.000000000Z",
        "key_algorithm": "RSA_2048",
        "public_key": public_pem(key),
        "private_key": COMMENT + private_pem(key),
    }
    path.write_text(json.dumps(content | changes))
    return path
