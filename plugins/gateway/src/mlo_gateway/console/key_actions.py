"""The actions of ``mlo keys``."""

from __future__ import annotations

from argparse import Namespace

import attrs

from mlo_gateway.accounts.errors import invalid
from mlo_gateway.accounts.first_key import DEFAULT, ensure_default_project
from mlo_gateway.accounts.keys import create_key, list_keys, revoke_key, rotate_key
from mlo_gateway.accounts.plans import budget_of
from mlo_gateway.accounts.records import SCOPES, ApiKey, KeyLimits
from mlo_gateway.accounts.service import Accounts

from .everything import everything
from .output import print_json, print_rows, remark, say
from .place import operator
from .texts import text
from .times import shown

__all__ = ["create", "list_all", "revoke", "rotate"]


async def list_all(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo keys list``."""
    found = await accounts.look(
        operator(),
        lambda look: everything(
            look, lambda each, page: list_keys(each, page, project_name=arguments.project, active=not arguments.all)
        ),
    )
    if arguments.json:
        print_json(found)
        return 0
    now = accounts.now()
    rows = [
        (
            key.id,
            f"{key.prefix}…",
            key.name,
            key.project,
            key.role,
            ",".join(key.scopes),
            _state(key, now),
            shown(key.expires),
            shown(key.last_used),
        )
        for key in found
    ]
    print_rows(("id", "prefix", "name", "project", "role", "scopes", "state", "expires", "used"), rows)
    return 0


async def create(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo keys create``: the text of the key, alone, on standard output."""
    if arguments.project is None:
        await ensure_default_project(accounts)
    is_owner = arguments.role == "owner"
    made, token = await accounts.act(
        operator(),
        lambda act: create_key(
            act,
            project_name=arguments.project or DEFAULT,
            name=arguments.name,
            role=arguments.role,
            reach=arguments.reach or ("gateway" if is_owner else "project"),
            scopes=arguments.scope or (SCOPES if is_owner else ("inference",)),
            models=arguments.model,
            limits=_limits(arguments),
            expires=arguments.expires,
            member=arguments.member,
        ),
    )
    if arguments.json:
        print_json(attrs.asdict(made) | {"secret": token.text})
    else:
        remark(text("created", id=made.id, project=made.project))
        say(token.text)
    return 0


async def rotate(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo keys rotate``: the text of the new key, alone, on standard output."""
    made, token, old = await accounts.act(
        operator(),
        lambda act: rotate_key(act, arguments.key, overlap=arguments.overlap, expires=arguments.expires),
    )
    if arguments.json:
        print_json({"new": attrs.asdict(made) | {"secret": token.text}, "old": attrs.asdict(old)})
        return 0
    remark(text("rotated", id=made.id, old=f"{old.prefix}…"))
    remark(text("old ended") if old.revoked is not None else text("old until", until=shown(old.expires)))
    say(token.text)
    return 0


async def revoke(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo keys revoke``."""
    revoked = await accounts.act(operator(), lambda act: revoke_key(act, arguments.key))
    if arguments.json:
        print_json(revoked)
    else:
        remark(text("revoked", prefix=f"{revoked.prefix}…"))
    return 0


def _limits(arguments: Namespace) -> KeyLimits:
    try:
        budget = budget_of(arguments.budget)
    except ValueError as error:
        raise invalid("--budget", str(error)) from error
    return KeyLimits(
        requests_minute=arguments.requests_minute,
        tokens_minute=arguments.tokens_minute,
        concurrency=arguments.concurrency,
        requests_month=arguments.requests_month,
        budget=budget,
    )


def _state(key: ApiKey, now: int) -> str:
    if key.revoked is not None:
        return text("revoked state")
    return text("expired" if key.expires is not None and key.expires <= now else "active")
