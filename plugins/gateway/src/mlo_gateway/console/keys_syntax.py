"""The arguments of ``mlo keys``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .syntax import actions_of, add_key_limits, add_names, expiry, parser_for
from .texts import text
from .times import length_of

__all__ = ["parsed"]

_ROLES = ("owner", "developer", "viewer")
_REACHES = ("gateway", "organization", "project")
_SCOPES = ("admin", "inference")


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; ``thing`` is ``keys``, ``action`` what to do. Leaves for help and usage errors."""
    parser = parser_for("mlo keys", text("keys about"))
    actions = actions_of(parser)
    listing = add_names(actions, "list", text("keys list"))
    listing.add_argument("--project", metavar="NAME", help=text("project filter"))
    listing.add_argument("--all", action="store_true", help=text("all"))
    _add_create(add_names(actions, "create", text("keys create")))
    rotating = add_names(actions, "rotate", text("keys rotate"))
    rotating.add_argument("key", metavar="KEY", help=text("key"))
    rotating.add_argument("--overlap", type=length_of, default=0, metavar="TIME", help=text("overlap"))
    rotating.add_argument("--expires", type=expiry, metavar="WHEN", help=text("expires"))
    revoking = add_names(actions, "revoke", text("keys revoke"))
    revoking.add_argument("key", metavar="KEY", help=text("key"))
    arguments = parser.parse_args(list(argv))
    arguments.thing = "keys"
    return arguments


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", metavar="NAME", help=text("project"))
    parser.add_argument("--name", default="", metavar="TEXT", help=text("key name"))
    parser.add_argument("--role", choices=_ROLES, default="developer", metavar="ROLE", help=text("role"))
    parser.add_argument("--reach", choices=_REACHES, metavar="REACH", help=text("reach"))
    parser.add_argument("--scope", choices=_SCOPES, action="append", metavar="SCOPE", help=text("scope"))
    parser.add_argument("--model", action="append", metavar="PATTERN", help=text("model"))
    parser.add_argument("--expires", type=expiry, metavar="WHEN", help=text("expires"))
    parser.add_argument("--member", metavar="ID", help=text("member"))
    add_key_limits(parser)
