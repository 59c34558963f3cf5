"""The slash commands of a conversation: ``/model``, ``/route``, … Each changes the conversation and says so."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from attrs import evolve, frozen

from .conversation import Conversation
from .routers import Aim
from .texts import text

__all__ = ["COMMANDS", "Names", "Reply", "execute", "is_command", "unknown_aim"]

_RESET = "-"


@frozen(kw_only=True)
class Names:
    """What there is to choose from."""

    routes: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


@frozen(kw_only=True)
class Reply:
    """What follows from a command: something to say, a question to ask, or the end."""

    say: str = ""
    ask: str | None = None
    leave: bool = False


Handler = Callable[[Conversation, str, Names], Reply]


def is_command(line: str) -> bool:
    """Whether ``line`` is a command; two slashes begin an ordinary message that starts with one."""
    return line.startswith("/") and not line.startswith("//")


def execute(line: str, conversation: Conversation, names: Names) -> Reply:
    """Carry out the command ``line``."""
    name, _, argument = line[1:].strip().partition(" ")
    handler = COMMANDS.get(name)
    if handler is None:
        return Reply(say=text("chat.unknown_command", name=f"/{name}") + _near(f"/{name}", [f"/{c}" for c in COMMANDS]))
    return handler(conversation, argument.strip(), names)


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=2)
    return "; " + text("usage.near", names=", ".join(near)) if near else ""


def _current(kind: str, value: str | None) -> Reply:
    return Reply(say=f"{text(f'chat.{kind}')}: {value or text('chat.not_set')}")


def _value(argument: str) -> str | None:
    return None if argument == _RESET else argument


def _model(conversation: Conversation, argument: str, _names: Names) -> Reply:
    if argument:
        conversation.aim = evolve(conversation.aim, model=_value(argument))
    return _current("model", conversation.aim.model)


def _route(conversation: Conversation, argument: str, names: Names) -> Reply:
    if argument:
        route = _value(argument)
        target = None if route else conversation.aim.target
        return _turn(conversation, evolve(conversation.aim, route=route, target=target), "route", names)
    return _current("route", conversation.aim.route)


def _target(conversation: Conversation, argument: str, names: Names) -> Reply:
    if argument:
        target = _value(argument)
        route = None if target else conversation.aim.route
        return _turn(conversation, evolve(conversation.aim, route=route, target=target), "target", names)
    return _current("target", conversation.aim.target)


def _turn(conversation: Conversation, aim: Aim, kind: Literal["route", "target"], names: Names) -> Reply:
    """Turn to somebody else, if there is such a one."""
    problem = unknown_aim(aim, names)
    if problem:
        return Reply(say=problem)
    conversation.aim = aim
    return _current(kind, getattr(aim, kind))


def unknown_aim(aim: Aim, names: Names) -> str | None:
    """What is wrong with ``aim``: a route or a provider that does not exist."""
    if aim.route is not None and aim.route not in names.routes:
        return text("chat.unknown_route", name=aim.route, known=", ".join(names.routes))
    if aim.target is not None and aim.target.partition(":")[0] not in names.providers:
        return text("chat.unknown_target", name=aim.target, known=", ".join(names.providers))
    return None


def _system(conversation: Conversation, argument: str, _names: Names) -> Reply:
    if argument:
        conversation.system = _value(argument)
    return _current("system", conversation.system)


def _clear(conversation: Conversation, _argument: str, _names: Names) -> Reply:
    conversation.clear()
    return Reply(say=text("chat.cleared"))


def _retry(conversation: Conversation, _argument: str, _names: Names) -> Reply:
    question = conversation.take_back()
    return Reply(say=text("chat.nothing_to_retry")) if question is None else Reply(ask=question)


def _save(conversation: Conversation, argument: str, _names: Names) -> Reply:
    if not argument:
        return Reply(say=text("chat.save_needs_file"))
    path = Path(argument).expanduser()
    try:
        conversation.save(path)
    except FileExistsError:
        return Reply(say=text("chat.file_exists", path=path))
    except OSError as error:
        return Reply(say=text("chat.not_saved", path=path, reason=error.strerror))
    return Reply(say=text("chat.saved", path=path))


def _help(_conversation: Conversation, _argument: str, _names: Names) -> Reply:
    return Reply(say="\n".join(text(f"slash.{name}") for name in COMMANDS) + "\n" + text("slash.keys"))


def _exit(_conversation: Conversation, _argument: str, _names: Names) -> Reply:
    return Reply(leave=True)


COMMANDS: dict[str, Handler] = {
    "model": _model,
    "route": _route,
    "target": _target,
    "system": _system,
    "clear": _clear,
    "retry": _retry,
    "save": _save,
    "help": _help,
    "exit": _exit,
}
