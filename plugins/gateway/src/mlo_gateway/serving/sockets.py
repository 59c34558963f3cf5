"""Listening sockets: bound here, or inherited from whoever started this process."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping

from mlo.errors import ConfigError

from .config import ServeConfig

__all__ = ["BACKLOG", "bound", "host_of", "inherited", "url_of"]

BACKLOG = 4096
"""Connections that may wait to be accepted."""

_FIRST = 3
"""The first descriptor that systemd hands over."""


def bound(config: ServeConfig, path: str = "gateway.serve") -> socket.socket:
    """A socket that listens where the configuration says.

    Raises:
        ConfigError: when the address cannot be had.
    """
    where = f"{config.host}:{config.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # the protocol has to be named: event loops switch Nagle's algorithm off only where it is TCP
        listener = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    except OSError as error:
        raise ConfigError(f"{path}.host", f"cannot listen on {where}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "another program may be there: choose another port, or 0 for a free one"
        raise ConfigError(f"{path}.port", f"cannot listen on {where}: {error.strerror}", hint=hint) from error
    return listener


def inherited(descriptor: int | None = None, environ: Mapping[str, str] | None = None) -> socket.socket | None:
    """The listening socket ``descriptor``, or the one that systemd hands over; ``None`` when there is none.

    Raises:
        ConfigError: when the descriptor is no listening socket.
    """
    if descriptor is None:
        found = os.environ if environ is None else environ
        if found.get("LISTEN_PID") != str(os.getpid()) or found.get("LISTEN_FDS", "0") == "0":
            return None
        descriptor = _FIRST
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ConfigError("serve", f"descriptor {descriptor} is no socket")
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError("serve", f"descriptor {descriptor} cannot be used: {error.strerror}") from error
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
    return listener


def host_of(listener: socket.socket) -> str:
    """The address that it listens on; a path of this machine's file system is an address of this machine."""
    if listener.family in {socket.AF_INET, socket.AF_INET6}:
        return str(listener.getsockname()[0])
    return "localhost"


def url_of(listener: socket.socket, *, tls: bool) -> str:
    """Where clients find it, without a slash at the end."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{'https' if tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"
