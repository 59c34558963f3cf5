"""The command ``mlo gigachat``: try a key, see the balance, manage files. Keys come from the environment or a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from attrs import field, frozen

from mlo.api import AuthScheme, Provider
from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo_sdk.tls import TlsConfig

from .config import API_URL, AUTH_URL, SCOPES, GigaChatConfig, OAuthConfig

if TYPE_CHECKING:
    from .provider import GigaChatProvider

__all__ = ["gigachat"]

_PATH = "gigachat"
_KEY_VARIABLE = "GIGACHAT_KEY"


def gigachat(argv: Sequence[str]) -> int:
    """Run ``mlo gigachat``.

    Returns:
        0 when it worked, 1 when no scope fits the key; errors are raised.

    Raises:
        ConfigError: without a key, or for one that cannot be one.
        ProviderError: what the server says.
    """
    import anyio  # noqa: PLC0415 - `--help` needs none of it

    arguments = _parser().parse_args(argv)
    action: Callable[[argparse.Namespace], Awaitable[int]] = arguments.action
    return anyio.run(action, arguments)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--key-env", default=_KEY_VARIABLE, metavar="NAME", help="variable (default: %(default)s)")
    common.add_argument("--key-file", type=Path, metavar="FILE", help="file with the authorization key")
    common.add_argument("--auth-url", default=AUTH_URL, metavar="URL", help="token endpoint (default: %(default)s)")
    common.add_argument("--ca-file", metavar="FILE", help="CA certificate to trust beside the system's")
    common.add_argument("--ca-sha256", metavar="HEX", help="its fingerprint, unless it is Russian Trusted Root CA")
    api = argparse.ArgumentParser(add_help=False, parents=[common])
    api.add_argument("--scope", choices=SCOPES, default=SCOPES[0], help="scope of the key (default: %(default)s)")
    api.add_argument("--base-url", default=API_URL, metavar="URL", help="API (default: %(default)s)")
    parser = argparse.ArgumentParser(prog="mlo gigachat", description="Try a GigaChat account, and manage its files.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "check", _check, common, "find the scope that fits the key")
    _command(commands, "balance", _balance, api, "show what is left of prepaid packages")
    _command(commands, "files", _files, api, "list the files of the account")
    upload = _command(commands, "upload", _upload, api, "upload a file and print its id")
    upload.add_argument("file", type=Path)
    download = _command(commands, "download", _download, api, "save a file")
    download.add_argument("id")
    download.add_argument("file", type=Path)
    _command(commands, "delete", _delete, api, "delete files").add_argument("id", nargs="+")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: Callable[[argparse.Namespace], Awaitable[int]],
    parent: argparse.ArgumentParser,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, parents=[parent], help=text, description=text)
    parser.set_defaults(action=action)
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def _check(arguments: argparse.Namespace) -> int:
    from .check import try_scopes  # noqa: PLC0415

    verdicts = await try_scopes(_oauth(arguments), _PATH)
    for verdict in verdicts:
        if verdict.fits:
            until = "" if verdict.expires_at is None else f", token until {_clock(verdict.expires_at)}"
            _say(f"{verdict.scope:<18} fits{until}")
        else:
            _say(f"{verdict.scope:<18} does not fit: {verdict.reason}")
    fitting = [verdict.scope for verdict in verdicts if verdict.fits]
    if fitting:
        _say(f'use: auth = {{ use = "gigachat-oauth", key = "env:{arguments.key_env}", scope = "{fitting[0]}" }}')
    return 0 if fitting else 1


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S UTC")


async def _balance(arguments: argparse.Namespace) -> int:
    async with _provider(arguments) as provider:
        for model, left in (await provider.balance()).items():
            _say(f"{model:<28} {left:>14,.0f} tokens")
    return 0


async def _files(arguments: argparse.Namespace) -> int:
    async with _provider(arguments) as provider:
        for file in await provider.files.list():
            _say(f"{file.id}  {file.size or 0:>10}  {file.name}")
    return 0


async def _upload(arguments: argparse.Namespace) -> int:
    content = _content(arguments.file)
    async with _provider(arguments) as provider:
        _say((await provider.files.upload(content, arguments.file.name)).id)
    return 0


async def _download(arguments: argparse.Namespace) -> int:
    async with _provider(arguments) as provider:
        content = await provider.files.content(arguments.id)
    _save(arguments.file, content)
    _say(f"{arguments.file}: {len(content)} bytes")
    return 0


async def _delete(arguments: argparse.Namespace) -> int:
    async with _provider(arguments) as provider:
        for file_id in arguments.id:
            await provider.files.delete(file_id)
            _say(f"{file_id} deleted")
    return 0


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror}") from error


def _save(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ConfigError(str(file), f"cannot be written: {error.strerror}") from error


def _oauth(arguments: argparse.Namespace) -> OAuthConfig:
    if arguments.key_file is not None:
        key = _content(arguments.key_file).decode("utf-8", "replace")
    else:
        key = os.environ.get(arguments.key_env, "")
    if not key.strip():
        raise ConfigError(f"{_PATH}.key", f"there is no key in {arguments.key_env}", hint="set it, or use --key-file")
    tls = TlsConfig(ca_file=arguments.ca_file, ca_sha256=arguments.ca_sha256)
    scope = getattr(arguments, "scope", SCOPES[0])
    return OAuthConfig(key=Secret(key), scope=scope, auth_url=arguments.auth_url, tls=tls)


@frozen
class _Terminal:
    """What a provider needs around it when there is no router."""

    _scheme: AuthScheme = field(repr=False)
    instance: str = _PATH
    path: str = _PATH

    async def provider(self, name: str, /) -> Provider:
        raise ConfigError(self.path, f"there is no provider {name!r} here")

    async def auth(self, _default: str | None = None, /) -> AuthScheme:
        return self._scheme


@asynccontextmanager
async def _provider(arguments: argparse.Namespace) -> AsyncGenerator[GigaChatProvider, None]:
    from .auth import open_oauth  # noqa: PLC0415
    from .provider import open_gigachat  # noqa: PLC0415

    oauth = _oauth(arguments)
    config = GigaChatConfig(base_url=arguments.base_url, tls=oauth.tls, keep_uploads=True)
    nobody = cast("AuthScheme", None)  # the scheme itself asks nobody for another one
    async with (
        open_oauth(oauth, _Terminal(nobody)) as scheme,
        open_gigachat(config, _Terminal(scheme)) as provider,
    ):
        yield cast("GigaChatProvider", provider)
