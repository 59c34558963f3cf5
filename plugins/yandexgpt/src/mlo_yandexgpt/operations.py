"""Asynchronous generation: submit, look, take the result, cancel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import anyio
from attrs import frozen

from mlo.errors import InvalidRequest, ProtocolViolated, ProviderError
from mlo_sdk.http import HttpClient

from .wire import number

__all__ = ["Operations", "Pace", "is_over", "operation_id"]

_PATIENCE = 5  # looks in a row that may fail: the generation is paid for, only the look is repeated
_CANCEL_SECONDS = 5.0


@frozen(kw_only=True)
class Pace:
    """Pauses between looks in seconds: ``first``, then half as long again each time, ``longest`` at most."""

    first: float = 1.0
    longest: float = 15.0


class Operations:
    """Operations of the cloud. ``client`` speaks to the operations host; somebody else opens and closes it."""

    def __init__(self, client: HttpClient, pace: Pace) -> None:
        self._client = client
        self._pace = pace

    async def wait(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """The response of ``operation``. Cancels it when the caller is cancelled.

        Raises:
            ProviderError: the one that the operation ended in, or that several looks in a row failed with.
        """
        name = operation_id(operation)
        try:
            return await self._poll(name, operation)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_CANCEL_SECONDS, shield=True):
                await self._cancel_quietly(name)
            raise

    async def _poll(self, name: str, operation: Mapping[str, Any]) -> dict[str, Any]:
        pause, failures = self._pace.first, 0
        while not is_over(operation):
            await anyio.sleep(pause)
            pause = min(pause * 1.5, self._pace.longest)
            try:
                operation = await self.look(name)
                failures = 0
            except ProviderError as error:
                failures += 1
                if not error.retryable or failures >= _PATIENCE:
                    raise
        return self.result(operation)

    async def look(self, name: str) -> dict[str, Any]:
        """The operation as it stands.

        Raises:
            ProviderError: as the error table says.
        """
        reply = await self._client.request("GET", _path(name))
        return reply.mapping()

    async def cancel(self, name: str) -> None:
        """Ask for an end. The vendor may finish, and charge for, what is nearly done.

        Raises:
            ProviderError: as the error table says.
        """
        await self._client.request("GET", f"{_path(name)}:cancel")  # a GET, as the API has it

    async def _cancel_quietly(self, name: str) -> None:
        try:
            await self.cancel(name)
        except ProviderError:
            return  # nobody is left to be told: the caller is gone

    def result(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """What an operation that is over ended in.

        Raises:
            ProviderError: when that is an error, or neither an answer nor an error.
        """
        error = operation.get("error")
        if error:
            status = _HTTP_OF.get(number(error.get("code")) or 0) if isinstance(error, dict) else None
            raise self._client.failure({"error": error}, status=status)
        response = operation.get("response")
        if not isinstance(response, dict):
            raise ProtocolViolated("an operation is done without response or error", sample=str(dict(operation))[:200])
        return response


def _path(name: str) -> str:
    if not re.fullmatch(r"[\w-]+", name):
        raise InvalidRequest(f"{name!r} is not the id of an operation")
    return f"/operations/{name}"


_HTTP_OF = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 12: 501, 13: 500, 14: 503, 16: 401}


def operation_id(operation: Mapping[str, Any]) -> str:
    """The id of an operation.

    Raises:
        ProtocolViolated: when it has none.
    """
    name = operation.get("id")
    if not isinstance(name, str) or not name:
        raise ProtocolViolated("an operation without an id", sample=str(dict(operation))[:200])
    return name


def is_over(operation: Mapping[str, Any]) -> bool:
    """Whether it ended; an error may be told before ``done`` is."""
    return bool(operation.get("done")) or bool(operation.get("error"))
