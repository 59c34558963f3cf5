"""A worker of ``mlo serve --workers``; its arguments are those of ``mlo serve``."""

from __future__ import annotations

import sys

from mlo.errors import ConfigError, MloError
from mlo_gateway.commands.serve import main

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MloError as error:
        print(f"mlo serve: {error}", file=sys.stderr)  # noqa: T201 - a worker speaks for itself
        sys.exit(2 if isinstance(error, ConfigError) else 1)
