"""Runs the subcommands of ``mlo ollama``."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import anyio

from mlo.errors import ServerFault, TransportFailed
from mlo_ollama.inventory import abilities_of, table_in
from mlo_ollama.provider import OllamaProvider
from mlo_ollama.server import OllamaServer

from .drawing import ProgressLine, size_text, table
from .place import chosen
from .texts import text

__all__ = ["run"]

_PAUSE = 0.5


def run(arguments: Namespace) -> int:
    """Carry out what the arguments say; the exit code.

    Raises:
        MloError: when the server cannot be asked, or refuses.
    """
    try:
        anyio.run(_run, arguments)
    except KeyboardInterrupt:
        if arguments.action == "pull":
            print(f"\n{text('interrupted')}", file=sys.stderr)  # noqa: T201 - a command's output
        raise
    return 0


async def _run(arguments: Namespace) -> None:
    router, name = chosen(arguments)
    async with router:
        provider = await router.provider(name)
        if not isinstance(provider, OllamaProvider):
            raise TypeError(f"{name} is a {type(provider).__name__}")
        await _ACTIONS[arguments.action](provider.server, arguments)


async def _list(server: OllamaServer, arguments: Namespace) -> None:
    models = await server.tags()
    rows = [
        (str(each.get("model")), size_text(each.get("size")), _window(each), ", ".join(abilities_of(each)))
        for each in models
    ]
    heads = ("head model", "head size", "head window", "head abilities")
    _print(arguments, models, heads, rows, empty="none pulled")


async def _ps(server: OllamaServer, arguments: Namespace) -> None:
    models = await server.running()
    rows = [
        (
            str(each.get("model")),
            size_text(each.get("size")),
            str(each.get("context_length", "")),
            str(each.get("expires_at", ""))[:19],
        )
        for each in models
    ]
    _print(arguments, models, ("head model", "head size", "head window", "head until"), rows, empty="none loaded")


async def _show(server: OllamaServer, arguments: Namespace) -> None:
    shown = await server.show(arguments.model)
    if arguments.json:
        print(json.dumps(shown, ensure_ascii=False, indent=2))  # noqa: T201 - a command's output
        return
    facts = {**table_in(shown, "details"), **table_in(shown, "model_info")}
    facts["capabilities"] = ", ".join(abilities_of(shown))
    width = max(map(len, facts))
    for name, value in facts.items():
        if isinstance(value, str | int | float) and value != "":
            print(f"{name:{width}}  {value}")  # noqa: T201 - a command's output


def _window(listed: Mapping[str, Any]) -> str:
    return str(table_in(listed, "details").get("context_length", ""))


def _print(
    arguments: Namespace, models: Any, heads: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str
) -> None:
    if arguments.json:
        print(json.dumps(list(models), ensure_ascii=False, indent=2))  # noqa: T201 - a command's output
    elif rows:
        print(table(tuple(map(text, heads)), rows))  # noqa: T201 - a command's output
    else:
        print(text(empty), file=sys.stderr)  # noqa: T201 - a command's output


async def _pull(server: OllamaServer, arguments: Namespace) -> None:
    line = ProgressLine(sys.stderr)
    for number in range(1, arguments.attempts + 1):
        try:
            async with aclosing(server.pull(arguments.model)) as reports:
                async for report in reports:
                    line.show(report)
        except (TransportFailed, ServerFault) as error:
            line.end()
            if number == arguments.attempts or (isinstance(error, TransportFailed) and not line.shown):
                raise
            told = text("broke off", error=error.message, number=number + 1, attempts=arguments.attempts)
            print(told, file=sys.stderr)  # noqa: T201 - a command's output
            await anyio.sleep(_PAUSE * number)
        else:
            line.end()
            print(text("pulled", model=arguments.model))  # noqa: T201 - a command's output
            return


async def _preload(server: OllamaServer, arguments: Namespace) -> None:
    value = arguments.keep_alive
    plain = value is not None and value.removeprefix("-").isdigit()
    await server.preload(arguments.model, keep_alive=int(value) if plain else value)
    print(text("loaded", model=arguments.model))  # noqa: T201 - a command's output


async def _unload(server: OllamaServer, arguments: Namespace) -> None:
    await server.unload(arguments.model)
    print(text("unloaded", model=arguments.model))  # noqa: T201 - a command's output


_ACTIONS: Mapping[str, Callable[[OllamaServer, Namespace], Awaitable[None]]] = {
    "list": _list,
    "ps": _ps,
    "show": _show,
    "pull": _pull,
    "preload": _preload,
    "unload": _unload,
}
