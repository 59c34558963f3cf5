"""The arguments of ``mlo gateway``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .syntax import Actions, actions_of, add_key_limits, add_names, parser_for, positive
from .texts import text

__all__ = ["parsed"]

_ROLES = ("owner", "developer", "viewer")
_DEFAULT = "default"


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; ``thing`` and ``action`` say what to do. Leaves the program for help and usage errors."""
    parser = parser_for("mlo gateway", text("gateway about"))
    things = actions_of(parser, "thing")
    _organizations(_actions(things, "organizations"))
    _projects(_actions(things, "projects"))
    _members(_actions(things, "members"))
    _plans(_actions(things, "plans"))
    audit = add_names(things, "audit", text("audit"))
    audit.add_argument("--limit", type=positive, default=50, metavar="N", help=text("limit"))
    audit.add_argument("--project", metavar="NAME", help=text("project filter"))
    audit.add_argument("--check", action="store_true", help=text("check"))
    audit.set_defaults(action="list")
    add_names(things, "migrate", text("migrate")).set_defaults(action="migrate")
    return parser.parse_args(list(argv))


def _actions(things: Actions[argparse.ArgumentParser], name: str) -> Actions[argparse.ArgumentParser]:
    parser = things.add_parser(name, help=text(name), description=text(name), add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="help", help=text("help"))
    return actions_of(parser)


def _organizations(actions: Actions[argparse.ArgumentParser]) -> None:
    add_names(actions, "list", text("list"))
    for name in ("create", "change"):
        parser = add_names(actions, name, text(name))
        parser.add_argument("name", metavar="NAME", help=text("name"))
        parser.add_argument("--title", required=name == "change", default="", metavar="TEXT", help=text("title"))
    add_names(actions, "close", text("close")).add_argument("name", metavar="NAME", help=text("name"))


def _projects(actions: Actions[argparse.ArgumentParser]) -> None:
    listing = add_names(actions, "list", text("list"))
    listing.add_argument("--organization", metavar="NAME", help=text("organization filter"))
    creating = add_names(actions, "create", text("create"))
    creating.add_argument("name", metavar="NAME", help=text("name"))
    creating.add_argument("--organization", default=_DEFAULT, metavar="NAME", help=text("organization"))
    creating.add_argument("--plan", metavar="NAME", help=text("plan"))
    creating.add_argument("--title", default="", metavar="TEXT", help=text("title"))
    changing = add_names(actions, "change", text("change"))
    changing.add_argument("name", metavar="NAME", help=text("name"))
    changing.add_argument("--plan", metavar="NAME", help=text("plan"))
    changing.add_argument("--title", metavar="TEXT", help=text("title"))
    add_names(actions, "close", text("close")).add_argument("name", metavar="NAME", help=text("name"))


def _members(actions: Actions[argparse.ArgumentParser]) -> None:
    listing = add_names(actions, "list", text("list"))
    listing.add_argument("--organization", metavar="NAME", help=text("organization filter"))
    adding = add_names(actions, "add", text("add"))
    adding.add_argument("name", metavar="NAME", help=text("member name"))
    adding.add_argument("--role", choices=_ROLES, default="developer", metavar="ROLE", help=text("role"))
    adding.add_argument("--organization", default=_DEFAULT, metavar="NAME", help=text("organization"))
    adding.add_argument("--project", metavar="NAME", help=text("member project"))
    changing = add_names(actions, "change", text("change"))
    changing.add_argument("id", metavar="ID", help=text("member id"))
    changing.add_argument("--role", choices=_ROLES, required=True, metavar="ROLE", help=text("role"))
    add_names(actions, "remove", text("remove")).add_argument("id", metavar="ID", help=text("member id"))


def _plans(actions: Actions[argparse.ArgumentParser]) -> None:
    add_names(actions, "list", text("list"))
    setting = add_names(actions, "set", text("set"))
    setting.add_argument("name", metavar="NAME", help=text("name"))
    setting.add_argument("--title", default="", metavar="TEXT", help=text("title"))
    setting.add_argument("--price", metavar="RUB", help=text("price"))
    add_key_limits(setting)
    setting.add_argument("--overage", choices=("block", "warn"), default="block", metavar="WHAT", help=text("overage"))
    setting.add_argument("--time-zone", default="Europe/Moscow", metavar="ZONE", help=text("time zone"))
    add_names(actions, "drop", text("drop")).add_argument("name", metavar="NAME", help=text("name"))
