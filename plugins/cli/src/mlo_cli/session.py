"""``mlo chat``: the loop that reads, asks, shows and remembers.

The reader's keys and Ctrl-C belong to the main thread; the event loop with the router runs in a thread beside it::

    main thread    read line ─► execute slash command, or ask ──── Ctrl-C ─► cancel the answer's scope
                                                        │                          │
    portal thread                     router opened ─► answer: events ─► display ◄─┘        router closed
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager

from anyio import CancelScope
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import frozen

from mlo import ChatRequest, ChatResponse, MloError, Router
from mlo.events import Fold

from . import exits
from .asking import Manner, answer, display_for, remarks
from .conversation import Conversation
from .inputs import checked
from .options import UsageProblem
from .routers import Aim, Setup, open_router
from .run import complain, note
from .slash import COMMANDS, Names, execute, is_command, unknown_aim
from .terminal import Reader, history_file, keyboard, message, pipe
from .texts import text

__all__ = ["chat"]

_PROMPT = "> "
_CONTINUED = "… "
_SLICE = 0.1
_DEFAULT_ROUTE = "default"


@frozen(kw_only=True)
class Answer:
    """An answer, or what had come of it when the reader interrupted it."""

    response: ChatResponse
    interrupted: bool = False


@frozen
class Answerer:
    """Asks the router from another thread, so that Ctrl-C can cancel a single answer."""

    portal: BlockingPortal
    router: Router
    manner: Manner

    def ask(self, request: ChatRequest, aim: Aim) -> Answer:
        """The answer, shown while it comes in; Ctrl-C ends it early.

        Raises:
            MloError: when there is no answer, or only part of one.
            KeyboardInterrupt: at a second Ctrl-C, before the first has taken effect.
        """
        scope = self.portal.call(CancelScope)
        answer = self.portal.start_task_soon(self._ask, request, aim, scope)
        try:
            return _result(answer)
        except KeyboardInterrupt:
            self.portal.call(scope.cancel)
            return _result(answer)

    async def _ask(self, request: ChatRequest, aim: Aim, scope: CancelScope) -> Answer:
        total = Fold()
        with scope:
            response = await answer(
                self.router, request, aim, display_for(self.manner), stream=self.manner.streamed, total=total
            )
            return Answer(response=response)
        return Answer(response=total.response(), interrupted=True)


def _result(answer: Future[Answer]) -> Answer:
    """Wait in slices: a signal that comes just before the thread falls asleep would not wake it up."""
    while not answer.done():
        wait([answer], timeout=_SLICE)
    return answer.result()


class _Session:
    def __init__(self, conversation: Conversation, answerer: Answerer, read: Reader, *, debug: bool) -> None:
        self._conversation = conversation
        self._answerer = answerer
        self._read = read
        self._debug = debug
        self._interrupts = 0
        self.failure = exits.OK

    def run(self, names: Names) -> int:
        """Until the reader leaves; the exit code."""
        while True:
            try:
                line = message(self._read, _PROMPT, _CONTINUED)
                if not self._take(line, names):
                    return exits.OK
            except EOFError:
                return exits.OK
            except KeyboardInterrupt:
                note("")  # leave the line that Ctrl-C was typed on
                self._interrupts += 1
                if self._interrupts > 1:
                    return exits.INTERRUPTED
                note(text("chat.leave_hint"))

    def _take(self, line: str, names: Names) -> bool:
        """Do what the line says; whether to go on."""
        self._interrupts = 0
        if is_command(line):
            reply = execute(line, self._conversation, names)
            if reply.say:
                note(reply.say)
            if reply.leave:
                return False
            line = reply.ask or ""
        if line:
            self._ask(line.removeprefix("/") if line.startswith("//") else line)
        return True

    def _ask(self, question: str) -> None:
        conversation = self._conversation
        conversation.unanswered = question
        try:
            request = conversation.request(checked(question, text("usage.stdin")))
            answer = self._answerer.ask(request, conversation.aim)
        except UsageProblem as error:
            self._failed(exits.USAGE, error.message)
        except MloError as error:
            if self._debug:
                traceback.print_exception(error)
            partial = getattr(error, "partial", None)
            conversation.add(question, "" if partial is None else partial.text, interrupted=True)
            self._failed(exits.code_of(error), exits.explain(error))
        else:
            conversation.add(question, answer.response.text, interrupted=answer.interrupted)
            self._remark(answer)

    def _remark(self, answer: Answer) -> None:
        if answer.interrupted:
            self._interrupts = 1
            note(f"[{text('chat.interrupted')}] {text('chat.leave_hint')}")
            return
        code = remarks(answer.response, usage=self._answerer.manner.usage)
        self.failure = self.failure or code

    def _failed(self, code: int, line: str) -> None:
        self.failure = self.failure or code
        complain(line)


def chat(conversation: Conversation, manner: Manner, setup: Setup, *, remember: bool, debug: bool) -> int:
    """Talk until the reader leaves. In a pipe, the exit code is that of the first turn that failed.

    Raises:
        UsageProblem: when the route or the target does not exist.
        MloError: when the configuration is wrong.
    """
    interactive = sys.stdin.isatty()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_router(setup)) as router,
    ):
        names = Names(routes=tuple(router.routes), providers=tuple(router.providers))
        if problem := unknown_aim(conversation.aim, names):
            raise UsageProblem(problem)
        answerer = Answerer(portal, router, manner)
        with _reader(names, interactive=interactive, remember=remember) as read:
            session = _Session(conversation, answerer, read, debug=debug)
            if interactive:
                note(text("chat.welcome", who=_addressee(conversation.aim, router)))
            code = session.run(names)
    return code if interactive else code or session.failure


def _addressee(aim: Aim, router: Router) -> str:
    """Who is going to answer: a target, or a route and its targets."""
    if aim.target is not None:
        return aim.target
    name = aim.route or _DEFAULT_ROUTE
    return f"{name} → {', '.join(router.routes[name].targets)}"


@contextmanager
def _reader(names: Names, *, interactive: bool, remember: bool) -> Iterator[Reader]:
    if not interactive:
        yield pipe
        return

    def words(line: str) -> list[str]:
        return suggestions(line, names)

    with keyboard(history_file() if remember else None, words) as read:
        yield read


def suggestions(line: str, names: Names) -> list[str]:
    """What Tab offers: slash commands, and the names that the one on the line takes."""
    command, space, _ = line.partition(" ")
    if not space:
        return [f"/{name} " for name in COMMANDS] if line.startswith("/") else []
    return list({"/route": names.routes, "/target": names.providers}.get(command, ()))
