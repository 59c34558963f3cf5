from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import warnings
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mlo import ConfigError, Secret
from mlo_sdk import InsecureTransport, TlsConfig


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return file


@pytest.fixture
def client(ca: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """Certificate and key, in two files."""
    issued = ca.issue_cert("client@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def fingerprint(pem: bytes) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()


def trusted(context: ssl.SSLContext) -> set[bytes]:
    return set(context.get_ca_certs(binary_form=True))


def test_an_added_ca_stands_beside_the_systems_roots(ca: trustme.CA, ca_file: Path) -> None:
    plain, added = TlsConfig().ssl_context(), TlsConfig(ca_file=str(ca_file)).ssl_context()
    assert trusted(added) - trusted(plain) == {ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())}
    assert (added.verify_mode, added.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_systems_without_roots_get_those_that_come_with_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ssl.DefaultVerifyPaths(None, None, "", "", "", "")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    assert len(trusted(TlsConfig().ssl_context())) > 50


@pytest.mark.parametrize("style", [str.lower, str.upper], ids=["lower", "upper"])
def test_the_right_fingerprint_passes(ca: trustme.CA, ca_file: Path, style: object) -> None:
    digest = fingerprint(ca.cert_pem.bytes())
    written = ":".join(digest[at : at + 2] for at in range(0, 64, 2))
    assert callable(style)
    context = TlsConfig(ca_file=str(ca_file), ca_sha256=style(written)).ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_the_fingerprint_may_belong_to_one_of_several(ca: trustme.CA, ca_file: Path) -> None:
    ca_file.write_bytes(trustme.CA().cert_pem.bytes() + ca.cert_pem.bytes())
    assert trusted(TlsConfig(ca_file=str(ca_file), ca_sha256=fingerprint(ca.cert_pem.bytes())).ssl_context())


def test_comments_in_a_ca_file_do_no_harm(ca: trustme.CA, ca_file: Path) -> None:
    ca_file.write_bytes("# Корневой сертификат\n".encode() + ca.cert_pem.bytes() + b"\ntrailing")
    assert trusted(TlsConfig(ca_file=str(ca_file)).ssl_context())


def refused(config: TlsConfig) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.ssl_context("providers.x.tls")
    return caught.value


def test_another_fingerprint(ca_file: Path) -> None:
    error = refused(TlsConfig(ca_file=str(ca_file), ca_sha256="00" * 32))
    assert error.path == "providers.x.tls.ca_sha256"
    assert "may be a forgery" in error.hint


def test_a_fingerprint_of_nothing() -> None:
    assert refused(TlsConfig(ca_sha256="00" * 32)).path == "providers.x.tls.ca_sha256"


def test_a_missing_file(tmp_path: Path) -> None:
    error = refused(TlsConfig(ca_file=str(tmp_path / "no.pem")))
    assert (error.path, "No such file" in error.reason) == ("providers.x.tls.ca_file", True)


_NOT_PEM = {
    "der": b"\x30\x82",
    "empty": b"",
    "broken": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "not base64": b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    "cut": b"-----BEGIN CERTIFICATE-----\nAAAA\n",
}


@pytest.mark.parametrize("content", _NOT_PEM.values(), ids=list(_NOT_PEM))
def test_a_file_that_is_no_pem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    error = refused(TlsConfig(ca_file=str(tmp_path / "ca.pem")))
    assert (error.path, "openssl x509" in error.hint) == ("providers.x.tls.ca_file", True)


def test_an_expired_ca(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = dt.datetime(9999, 1, 2, tzinfo=dt.UTC).timestamp()
    monkeypatch.setattr("time.time", lambda: far)
    assert "has expired" in refused(TlsConfig(ca_file=str(ca_file))).reason


def test_client_certificate_with_its_key(client: tuple[Path, Path]) -> None:
    certificate, key = client
    assert trusted(TlsConfig(client_cert=str(certificate), client_key=str(key)).ssl_context())


def test_an_encrypted_key_needs_its_password(client: tuple[Path, Path]) -> None:
    certificate, key = client
    private = load_pem_private_key(key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"p4ssword")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    config = TlsConfig(client_cert=str(certificate), client_key=str(key), client_key_password=Secret("p4ssword"))
    assert trusted(config.ssl_context())
    error = refused(TlsConfig(client_cert=str(certificate), client_key=str(key)))
    assert "client_key_password" in error.hint
    assert "p4ssword" not in repr(config)


def test_a_key_of_another_certificate(client: tuple[Path, Path], tmp_path: Path) -> None:
    trustme.CA().issue_cert("other@example.com").private_key_pem.write_to_path(tmp_path / "other.key")
    error = refused(TlsConfig(client_cert=str(client[0]), client_key=str(tmp_path / "other.key")))
    assert error.path == "providers.x.tls.client_cert"


def test_a_key_without_a_certificate() -> None:
    assert refused(TlsConfig(client_key="client.key")).path == "providers.x.tls.client_key"


def test_no_verification_warns() -> None:
    with pytest.warns(InsecureTransport, match=r"^providers\.x\.tls\.verify = false"):
        context = TlsConfig(verify=False).ssl_context("providers.x.tls")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_doctor_has_nothing_to_say_of_the_default() -> None:
    assert list(TlsConfig().findings()) == []


def test_doctor_warns_of_no_verification_once() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (finding,) = TlsConfig(verify=False).findings("providers.x.tls")
    assert (finding.level, finding.where) == ("warning", "providers.x.tls.verify")


def test_doctor_reports_what_opening_would() -> None:
    (finding,) = TlsConfig(ca_file="/no/such/file").findings("tls")
    assert (finding.level, finding.where, finding.fix) == ("error", "tls.ca_file", "check the path")


def test_doctor_warns_before_a_ca_expires(ca_file: Path) -> None:
    expires = dt.datetime(3000, 1, 1, tzinfo=dt.UTC).timestamp()  # what trustme sets
    config = TlsConfig(ca_file=str(ca_file))
    assert list(config.findings(now=expires - 40 * 86_400)) == []
    (finding,) = config.findings(now=expires - 10 * 86_400)
    assert "expires in 10 days" in finding.message
