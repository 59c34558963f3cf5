"""The command ``mlo serve``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from mlo_gateway.serving.texts import text

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Serve until told to stop; the exit code.

    Raises:
        MloError: for the command line of the core to print.
    """
    arguments = _parser().parse_args(argv)
    from mlo_gateway.serving.plan import Overrides  # noqa: PLC0415 - help needs none of it
    from mlo_gateway.serving.running import Hooks, serve_here  # noqa: PLC0415
    from mlo_gateway.serving.supervising import supervise  # noqa: PLC0415

    _log_to_standard_error()
    overrides = Overrides(host=arguments.host, port=arguments.port, workers=arguments.workers, auth=arguments.auth)
    if arguments.worker is not None:
        listener, ready, lifeline = arguments.worker
        return serve_here(overrides, Hooks(listener=listener, ready=ready, lifeline=lifeline, quiet=arguments.quiet))
    if (code := supervise(overrides, arguments.fd)) is not None:
        return code
    return serve_here(overrides, Hooks(listener=arguments.fd))


def _log_to_standard_error() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("mlo").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # every stranger that sends nonsense would be a warning


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlo serve", description=text("about"), epilog=text("signals"), add_help=False
    )
    group = parser.add_argument_group(text("options"))
    group.add_argument("-h", "--help", action="help", help=text("help"))
    group.add_argument("--host", help=text("host"))
    group.add_argument("--port", type=int, metavar="N", help=text("port"))
    group.add_argument("--workers", type=int, metavar="N", help=text("workers"))
    group.add_argument("--auth", choices=("keys", "off"), help=text("auth"))
    group.add_argument("--fd", type=int, metavar="N", help=text("fd"))
    group.add_argument("--worker", nargs=3, type=int, help=argparse.SUPPRESS)
    group.add_argument("--quiet", action="store_true", help=argparse.SUPPRESS)
    return parser
