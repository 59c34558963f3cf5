"""TLS for emulators: which files a server shows, and throwaway certificates for people who have none."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from attrs import frozen

__all__ = ["ServerTls", "ThrowawayTls", "fingerprint", "throwaway"]


@frozen(kw_only=True)
class ServerTls:
    """The certificate of a server, and the CA whose client certificates it demands (``None``: demands none).

    All are paths of PEM files.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


@frozen(kw_only=True)
class ThrowawayTls:
    """A server's certificate, and what its clients need to talk to it. All are paths of PEM files."""

    server: ServerTls
    ca_file: Path
    client_cert_file: Path
    client_key_file: Path


def throwaway(folder: Path, *, client_cert: bool = False) -> ThrowawayTls:
    """Make a CA, a server certificate for the loopback names, and a client certificate, in ``folder``.

    Raises:
        ModuleNotFoundError: without the package ``trustme`` (the extra ``tls`` of this distribution).
    """
    import trustme  # noqa: PLC0415 - an optional dependency

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1", "::1")
    client = authority.issue_cert("client@emulator.test")
    ca_file, cert_file, key_file = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    client_cert_file, client_key_file = folder / "client.pem", folder / "client.key"
    authority.cert_pem.write_to_path(str(ca_file))
    server.private_key_and_cert_chain_pem.write_to_path(str(cert_file))
    server.private_key_pem.write_to_path(str(key_file))
    client.private_key_and_cert_chain_pem.write_to_path(str(client_cert_file))
    client.private_key_pem.write_to_path(str(client_key_file))
    for secret in (cert_file, key_file, client_cert_file, client_key_file):
        secret.chmod(0o600)
    return ThrowawayTls(
        server=ServerTls(cert_file=cert_file, key_file=key_file, client_ca_file=ca_file if client_cert else None),
        ca_file=ca_file,
        client_cert_file=client_cert_file,
        client_key_file=client_key_file,
    )


def fingerprint(pem_file: Path) -> str:
    """SHA-256 of a PEM certificate, as clients want it to be sure of it: hex."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem_file.read_text())).hexdigest()
