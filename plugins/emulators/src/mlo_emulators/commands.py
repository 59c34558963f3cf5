"""The command ``mlo emulate``: a vendor's server on this machine, for people who develop without an account."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from attrs import AttrsInstance
from starlette.applications import Starlette

from .faults import BadSetting, configure, describe
from .server import RunningServer, serve
from .tls import ServerTls, fingerprint, throwaway

__all__ = ["VENDORS", "emulate", "vendor"]

VENDORS: Mapping[str, tuple[str, str]] = {
    "gigachat": ("mlo_emulators.gigachat", "GigaChat: v1 and v2 chat, OAuth, files, embeddings"),
    "yandexgpt": ("mlo_emulators.yandexgpt", "YandexGPT: Foundation Models and IAM"),
    "ollama": ("mlo_emulators.ollama", "Ollama: native and OpenAI-compatible API"),
}
"""What can be emulated: name → (module, description). Modules are imported when they are asked for."""


class Vendor(Protocol):
    """What a vendor's module offers. It may also have ``hints(url) -> Sequence[str]``: lines for the person."""

    @property
    def Options(self) -> type[AttrsInstance]:  # noqa: N802 - it is a class
        """The options of the emulator, an attrs class whose fields have defaults."""

    def create_app(self, options: Any, /) -> Starlette:
        """The ASGI app."""


def vendor(name: str) -> Vendor:
    """The module that emulates ``name``.

    Raises:
        KeyError: when nobody does.
    """
    return cast("Vendor", importlib.import_module(VENDORS[name][0]))


def emulate(argv: Sequence[str]) -> int:
    """Run ``mlo emulate``; returns the exit code: 0 when stopped by a signal, 1 for no server, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    module = vendor(arguments.vendor)
    if arguments.list:
        _list(module)
        return 0
    try:
        options = configure(module.Options(), arguments.fault)
    except BadSetting as error:
        print(f"error: --fault {error}. `mlo emulate {arguments.vendor} --list` shows all.", file=sys.stderr)  # noqa: T201
        return 2
    try:
        return _serve(module, options, arguments)
    except ModuleNotFoundError as error:
        print(f"error: --tls needs the package {error.name!r}: install mlo-emulators[tls]", file=sys.stderr)  # noqa: T201
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        print(f"error: cannot serve on {where}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
    return 1


def _parser() -> argparse.ArgumentParser:
    vendors = "\n".join(f"  {name:10} {text}" for name, (_, text) in VENDORS.items())
    parser = argparse.ArgumentParser(
        prog="mlo emulate",
        description="Serve a vendor's API on this machine. Answers are made up, and always the same.",
        epilog=f"vendors:\n{vendors}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("vendor", choices=VENDORS, metavar="VENDOR")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--tls", action="store_true", help="serve https with a certificate made for this run")
    parser.add_argument("--client-cert", action="store_true", help="demand a client certificate (implies --tls)")
    parser.add_argument("--cert-dir", type=Path, help="folder for the certificates (default: a temporary one)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="set an assumption or a fault; may be repeated",
    )
    parser.add_argument("--list", action="store_true", help="show the assumptions and faults that --fault knows")
    return parser


def _list(module: Vendor) -> None:
    for option in describe(module.Options):
        print(f"{option.name}={option.type}  (default: {option.default})\n    {option.help}")  # noqa: T201


def _serve(module: Vendor, options: AttrsInstance, arguments: argparse.Namespace) -> int:
    app = module.create_app(options)
    if not (arguments.tls or arguments.client_cert):
        _run(module, app, arguments, None, ())
        return 0
    with tempfile.TemporaryDirectory(prefix="mlo-emulate-") as temporary:
        files = throwaway(arguments.cert_dir or Path(temporary), client_cert=arguments.client_cert)
        lines = [f"CA file        {files.ca_file}", f"CA SHA-256     {fingerprint(files.ca_file)}"]
        if arguments.client_cert:
            lines += [f"client cert    {files.client_cert_file}", f"client key     {files.client_key_file}"]
        _run(module, app, arguments, files.server, lines)
    return 0


def _run(
    module: Vendor, app: Starlette, arguments: argparse.Namespace, tls: ServerTls | None, lines: Sequence[str]
) -> None:
    def announce(server: RunningServer) -> None:
        hints: Sequence[str] = getattr(module, "hints", lambda _url: ())(server.url)
        text = [f"{arguments.vendor} emulator on {server.url} (Ctrl-C stops it)", *hints, *lines]
        print("\n".join(text), flush=True)  # noqa: T201

    serve(app, tls=tls, host=arguments.host, port=arguments.port, on_ready=announce)
