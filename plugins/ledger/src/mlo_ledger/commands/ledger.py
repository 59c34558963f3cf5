"""The command ``mlo ledger``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .options import Parser, place_options, time_options
from .texts import text

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Verify, migrate or export a ledger.

    Returns:
        0 when it worked, 1 when the audit found differences.

    Raises:
        ConfigError: when no ledger is configured, or there is none where it should be.
        SchemaTooNew: when it was made by a newer version.
        DatabaseUnavailable: when its database does not serve.
    """
    parser, export = _parsers()
    options = parser.parse_args(list(argv))
    # `--help` needs none of these
    if options.action == "verify":
        from .auditing import verify  # noqa: PLC0415

        return verify(options)
    if options.action == "migrate":
        from .migrating import move  # noqa: PLC0415

        return move(options)
    from .exporting import write_events  # noqa: PLC0415
    from .times import asked_period  # noqa: PLC0415

    return write_events(options, asked_period(export, options))


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The whole command, and the part of it that exports."""
    place = place_options()
    parser = Parser(prog="mlo ledger", description=text("ledger"))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text(name), description=text(name), parents=[place])

    action("verify").add_argument("--json", action="store_true", help=text("json"))
    migrate = action("migrate")
    migrate.add_argument("--to", default="head", metavar="VERSION", help=text("revision"))
    migrate.add_argument("--yes", action="store_true", help=text("yes"))
    export = action("export")
    time_options(export)
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help=text("format"))
    export.add_argument("--output", metavar="FILE", help=text("output"))
    return parser, export
