"""Whom to trust: the CA of GigaChat's servers is in no common bundle, so the user names a file of it.

The fingerprint is the one published with the certificate (``gosuslugi.ru/crt``; valid until 2032-02-27).
"""

from __future__ import annotations

from attrs import evolve

from mlo_sdk.tls import TlsConfig

__all__ = ["ROOT_CA_SHA256", "effective_tls"]

ROOT_CA_SHA256 = "D2:6D:2D:02:31:B7:C3:9F:92:CC:73:85:12:BA:54:10:35:19:E4:40:5D:68:B5:BD:70:3E:97:88:CA:8E:CF:31"
"""SHA-256 of Russian Trusted Root CA."""


def effective_tls(tls: TlsConfig, *, verify_ssl: bool) -> TlsConfig:
    """The TLS options in force: a CA file without a fingerprint of its own must be the published root."""
    if tls.ca_file is not None and tls.ca_sha256 is None:
        tls = evolve(tls, ca_sha256=ROOT_CA_SHA256)
    return tls if verify_ssl else evolve(tls, verify=False)
