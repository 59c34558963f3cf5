"""One TLS context out of the options: the system's roots, an added CA and a client certificate, all at once.

httpx itself takes *either* a CA file *or* the system's roots, and drops a client certificate beside a CA file; a
context made here has all three.
"""

from __future__ import annotations

import hashlib
import math
import ssl
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from mlo.api import Finding
from mlo.errors import ConfigError
from mlo.secret import Secret

__all__ = ["InsecureTransport", "TlsConfig"]

_DAY = 86_400


class InsecureTransport(UserWarning):
    """The identity of the server is not verified: anybody on the way can read and change everything."""


@frozen(kw_only=True)
class TlsConfig:
    """Whom to trust, and how to prove who we are.

    ``ca_file`` (PEM, one certificate or several) is trusted *beside* the system's roots. ``ca_sha256`` is the SHA-256
    fingerprint that one certificate in ``ca_file`` must have, colons and case do not matter. ``client_cert`` and
    ``client_key`` are PEM files (the key may stand in the certificate's file), ``client_key_password`` opens the key.
    ``verify = false`` switches verification off and warns each time.
    """

    ca_file: str | None = None
    ca_sha256: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password: Secret | None = None
    verify: bool = True

    def ssl_context(self, path: str = "tls") -> ssl.SSLContext:
        """A context for all connections. ``path`` is where the options stand, for errors.

        Raises:
            ConfigError: for a file that is missing, not PEM, expired, or not the one with the fingerprint.
        """
        context = ssl.create_default_context()
        _ensure_roots(context)
        if self.ca_file is not None:
            context.load_verify_locations(cadata=self._ca(self.ca_file, path))
        elif self.ca_sha256 is not None:
            raise ConfigError(f"{path}.ca_sha256", "is the fingerprint of a CA file, but there is no ca_file")
        self._add_client(context, path)
        if not self.verify:
            warnings.warn(
                f"{path}.verify = false: the server's identity is not verified", InsecureTransport, stacklevel=2
            )
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def findings(self, path: str = "tls", *, now: float | None = None) -> Iterator[Finding]:
        """What ``mlo plugins doctor`` should say; reads files, opens no connection. ``now`` is Unix time."""
        if not self.verify:
            yield Finding(
                level="warning",
                message="TLS verification is switched off",
                where=f"{path}.verify",
                fix="remove it, and name the server's CA under ca_file",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureTransport)
            try:
                self.ssl_context(path)
            except ConfigError as error:
                yield Finding(level="error", message=error.reason, where=error.path, fix=error.hint)
                return
        moment = time.time() if now is None else now
        if self.ca_file is not None:
            for der in _certificates(_read(self.ca_file, f"{path}.ca_file"), f"{path}.ca_file", self.ca_file):
                left = _expiry(der) - moment
                if left < 30 * _DAY:
                    yield Finding(
                        level="warning",
                        message=f"a certificate in {self.ca_file} expires in {left / _DAY:.0f} days",
                        where=f"{path}.ca_file",
                        fix="get the new one from its issuer",
                    )

    def _ca(self, file: str, path: str) -> bytes:
        where = f"{path}.ca_file"
        certificates = _certificates(_read(file, where), where, file)
        if all(_expiry(der) < time.time() for der in certificates):
            raise ConfigError(where, f"every certificate in {file} has expired", hint="get the new one from its issuer")
        if self.ca_sha256 is not None:
            found = [hashlib.sha256(der).hexdigest() for der in certificates]
            if self.ca_sha256.replace(":", "").strip().lower() not in found:
                raise ConfigError(
                    f"{path}.ca_sha256",
                    f"no certificate in {file} has this fingerprint; found {', '.join(found)}",
                    hint="compare with what the issuer publishes: the file may be a forgery",
                )
        return b"".join(certificates)

    def _add_client(self, context: ssl.SSLContext, path: str) -> None:
        if self.client_cert is None:
            if self.client_key is not None:
                raise ConfigError(f"{path}.client_key", "there is a key, but no client_cert")
            return
        _read(self.client_cert, f"{path}.client_cert")
        if self.client_key is not None:
            _read(self.client_key, f"{path}.client_key")
        password = self.client_key_password.reveal() if self.client_key_password else ""  # "" : never ask the terminal
        try:
            context.load_cert_chain(self.client_cert, self.client_key, password)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"{path}.client_cert",
                f"cannot use {self.client_cert} with {self.client_key or 'the key inside it'}: {error}",
                hint="both must be PEM and belong together; an encrypted key needs client_key_password",
            ) from error


def _ensure_roots(context: ssl.SSLContext) -> None:
    known = ssl.get_default_verify_paths()
    if known.cafile is None and known.capath is None and not context.cert_store_stats()["x509_ca"]:
        import certifi  # noqa: PLC0415 - comes with httpx; only for systems without roots of their own

        context.load_verify_locations(certifi.where())


def _read(file: str, where: str) -> bytes:
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(where, f"cannot read {file}: {error.strerror or error}", hint="check the path") from error


def _certificates(pem: bytes, where: str, file: str) -> list[bytes]:
    """The certificates of a PEM file, as DER."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    blocks = [block.partition(end) for block in pem.decode("latin-1").split(begin)[1:]]
    try:
        found = [ssl.PEM_cert_to_DER_cert(f"{begin}{body}{end}\n") for body, mark, _ in blocks if mark]
        for der in found:
            _expiry(der)
    except (ValueError, ssl.SSLError) as error:
        raise _not_pem(where, file) from error
    if not found:
        raise _not_pem(where, file)
    return found


def _not_pem(where: str, file: str) -> ConfigError:
    return ConfigError(
        where,
        f"{file} holds no usable PEM certificate",
        hint=f"convert a DER file with: openssl x509 -inform der -in {file} -out ca.pem",
    )


def _expiry(der: bytes) -> float:
    """When a certificate expires, as Unix time; infinity for one that is no CA (ssl shows only those)."""
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    probe.load_verify_locations(cadata=der)
    shown = probe.get_ca_certs()
    return ssl.cert_time_to_seconds(str(shown[0]["notAfter"])) if shown else math.inf
