"""Tells systemd how the gateway stands, where systemd asks for it."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["notify"]


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` to the socket that ``$NOTIFY_SOCKET`` names; without one do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        # a service manager that does not listen is no reason not to serve
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
