"""Which server ``mlo ollama`` talks to."""

from __future__ import annotations

import os
from argparse import Namespace
from urllib.parse import urlsplit

from mlo import ConfigError, Router
from mlo_ollama.checks import is_hosted

from .texts import text

__all__ = ["chosen", "url_of_host"]

_PLUGINS = frozenset({"ollama", "ollama-cloud"})
_PORT = 11434


def url_of_host(host: str) -> str:
    """A base URL from ``OLLAMA_HOST``, which may lack scheme and port, and may be the address that a server binds.

    >>> url_of_host("0.0.0.0")
    'http://127.0.0.1:11434'
    """
    url = urlsplit(host if "://" in host else f"http://{host}")
    name = url.hostname or "127.0.0.1"
    name = "127.0.0.1" if name in {"0.0.0.0", "::"} else name  # noqa: S104 - replaced, not bound
    default = {"https": 443, "http": _PORT if "://" not in host else 80}.get(url.scheme, _PORT)
    shown = f"[{name}]" if ":" in name else name
    return f"{url.scheme}://{shown}:{url.port or default}{url.path.rstrip('/')}"


def chosen(arguments: Namespace) -> tuple[Router, str]:
    """A router, not yet open, and the name of the instance in it.

    Raises:
        ConfigError: when the configuration is wrong, or has no such instance.
    """
    if arguments.url is None:
        router = Router.from_file()
        mine = [name for name, settings in router.providers.items() if settings.use in _PLUGINS]
        if arguments.instance is not None and arguments.instance not in mine:
            path = f"providers.{arguments.instance}"
            raise ConfigError(path, text("no instance", name=arguments.instance), hint=", ".join(mine))
        if mine:
            return router, arguments.instance or mine[0]
    router = Router()
    url = arguments.url or url_of_host(os.environ.get("OLLAMA_HOST", ""))
    _add(router, url_of_host(url))
    return router, "ollama"


def _add(router: Router, url: str) -> None:
    key = "OLLAMA_API_KEY"  # as the server's own tools call it
    auth = {"use": "bearer", "token": f"env:{key}"} if os.environ.get(key) else None
    router.add_provider("ollama", use="ollama-cloud" if is_hosted(url) else "ollama", base_url=url, auth=auth)
