"""HTTP/1.1 without layers in between: a sans-IO parser, and a connection pool on anyio's sockets.

An API client needs little of HTTP: one origin, no redirects, no cookies. A call costs one write (head and body
together), and all chunks of a stream that have arrived are taken in one go. Runs on asyncio and trio.
"""

from __future__ import annotations

from .transport import DirectTransport, Exchange, Origin

__all__ = ["DirectTransport", "Exchange", "Origin"]
