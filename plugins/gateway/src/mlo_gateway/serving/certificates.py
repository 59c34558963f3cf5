"""The server's certificate: checked before anything is opened, and read again when the configuration is."""

from __future__ import annotations

import ssl

from mlo.errors import ConfigError

from .config import ServeConfig

__all__ = ["check_certificate", "load_certificate"]


def check_certificate(config: ServeConfig) -> None:
    """See that the files of ``config`` can be used, where there are any.

    Raises:
        ConfigError: when they cannot.
    """
    load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), config)


def load_certificate(context: ssl.SSLContext | None, config: ServeConfig) -> None:
    """Have new connections of ``context`` use the certificate as the files have it now.

    Raises:
        ConfigError: when the files cannot be used; then the former certificate stays.
    """
    if context is None or config.tls_cert is None:
        return
    try:
        # tried out apart: a certificate that does not fit its key would spoil a context in use
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.tls_cert, config.tls_key)
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except OSError as error:  # SSLError is one
        reason = f"cannot use {config.tls_cert} with {config.tls_key}: {error.strerror or error}"
        hint = "both are files in PEM, and the key has no password"
        raise ConfigError("gateway.serve.tls_cert", reason, hint=hint) from error
