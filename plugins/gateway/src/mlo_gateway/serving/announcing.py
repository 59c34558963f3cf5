"""What is said once the gateway serves: where it is, what it keeps, the first key and a line to try it with."""

from __future__ import annotations

import socket
import sys

from .parts import Parts
from .sockets import url_of
from .texts import text

__all__ = ["announce", "greeting"]


def announce(parts: Parts, listener: socket.socket) -> None:
    """Print the greeting to standard output."""
    print(greeting(parts, url_of(listener, tls=parts.plan.config.serve.tls_cert is not None)), flush=True)  # noqa: T201
    if parts.plan.config.serve.workers > 1 and parts.plan.config.limits.redis is None:
        print(text("separate limits"), file=sys.stderr, flush=True)  # noqa: T201


def greeting(parts: Parts, url: str) -> str:
    """The lines for the person who started it."""
    plan = parts.plan
    source = text("demo") if plan.demo else plan.settings.source or text("no file")
    lines = [text("serving", url=url), text("configuration", source=source)]
    if parts.accounts is None:
        lines.append(text("no keys"))
    else:
        lines.append(text("database", database=_without_driver(parts.accounts.accounts.database.shown)))
    key = parts.first_key
    if key is not None:
        lines += [text("first key", key=key), "", text("try"), _example(url, key, next(iter(plan.settings.providers)))]
    return "\n".join(lines)


def _example(url: str, key: str, model: str) -> str:
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return f"curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' --json '{body}'"


def _without_driver(url: str) -> str:
    """The URL as people write it."""
    scheme, separator, rest = url.partition("://")
    return scheme.partition("+")[0] + separator + rest
