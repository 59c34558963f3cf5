"""The server beside its chats: which models it has, what is loaded, loading and pulling, advice about errors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import anyio
import httpx

from mlo.errors import ContextTooLong, ModelNotFound, PermissionDenied, ProviderError, TransportFailed, Unsupported
from mlo_sdk.http import HttpClient

from . import errors
from .config import CloudConfig, OllamaConfig
from .inventory import abilities_of, name_of
from .mapping import load_body
from .pulling import PullProgress, progress_of
from .reading import objects_in

__all__ = ["OllamaServer"]

_ADVICE_SECONDS = 2.0


class OllamaServer:
    """What is asked of a server besides answers. ``path`` is where the instance is configured, for advice."""

    def __init__(self, config: OllamaConfig, client: HttpClient, *, path: str = "") -> None:
        self.config = config
        self.client = client
        self.path = path

    async def version(self) -> str:
        """The server's version.

        Raises:
            ProviderError: when the server cannot be asked; so for all that follow.
        """
        return str((await self._ask("GET", "/api/version")).get("version", "?"))

    async def tags(self) -> Sequence[dict[str, Any]]:
        """The pulled models, as ``/api/tags`` lists them."""
        return objects_in(await self._ask("GET", "/api/tags"), "models")

    async def running(self) -> Sequence[dict[str, Any]]:
        """The models that are loaded now, as ``/api/ps`` lists them."""
        return objects_in(await self._ask("GET", "/api/ps"), "models")

    async def show(self, model: str) -> dict[str, Any]:
        """What ``/api/show`` says about a model."""
        return await self._ask("POST", "/api/show", {"model": model})

    async def preload(self, model: str, *, keep_alive: str | float | None = None) -> None:
        """Load a model with the window that later calls will use. Returns when it is in memory."""
        await self._ask("POST", "/api/generate", load_body(model, self.config, keep_alive))

    async def unload(self, model: str) -> None:
        """Free the memory of a model."""
        await self._ask("POST", "/api/generate", load_body(model, self.config, 0))

    async def pull(self, model: str) -> AsyncGenerator[PullProgress, None]:
        """Download a model; the last report is ``done``. A pull that broke off goes on where it stopped.

        Raises:
            ModelNotFound: when the library does not have it.
            ProviderError: when the download breaks off.
        """
        progress = PullProgress(status="")
        try:
            async with (
                self.client.stream("POST", "/api/pull", json={"model": model, "stream": True}) as reply,
                aclosing(reply.ndjson()) as lines,
            ):
                async for line in lines:
                    if "error" in line:
                        raise self.client.failure(line)
                    progress = progress_of(line)
                    yield progress
        except TransportFailed as error:
            errors.raise_as(self._unreachable(error), error)
        except ModelNotFound as error:
            raise errors.again(error, f"the library has no model {model!r} ({error.message})") from error
        if not progress.done:
            raise TransportFailed(f"the pull of {model!r} broke off: pull again, it goes on where it stopped")

    async def explained(self, error: ProviderError, model: str, num_ctx: int | None = None) -> ProviderError:
        """The error with advice; asks the server which models it has if that helps."""
        match error:
            case ModelNotFound() if not errors.names_model(error.message):
                return errors.again(error, errors.no_api(self.client.base_url))
            case ModelNotFound() if model:
                listed = await self._listed()
                installed = None if listed is None else [name_of(each) for each in listed]
                return errors.again(error, errors.missing_model(model, installed))
            case Unsupported() if " support " in error.message:
                able = await self._able(error.message)
                return error if able is None else errors.again(error, errors.unable_model(error.message, able))
            case ContextTooLong() if error.status is not None:
                return errors.again(error, errors.context_advice(error.message, num_ctx, self.path, model))
            case PermissionDenied() if "no reason" in error.message and not self._hosted:
                return errors.again(error, errors.refused_host(self.client.base_url))
            case TransportFailed():
                return self._unreachable(error)
            case _:
                return error

    @property
    def _hosted(self) -> bool:
        return isinstance(self.config, CloudConfig)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return (await self.client.request(method, path, json=body)).mapping()
        except ProviderError as error:
            errors.raise_as(await self.explained(error, (body or {}).get("model", "")), error)

    def _unreachable(self, error: TransportFailed) -> ProviderError:
        if self._hosted or not isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
            return error
        return errors.again(error, errors.no_server(error.message, self.client.base_url))

    async def _able(self, said: str) -> list[str] | None:
        """The pulled models that can do what ``said`` complains about; ``None`` if nobody could say."""
        listed = await self._listed()
        if listed is None:
            return None
        wanted = errors.ability_in(said)
        return [name_of(each) for each in listed if wanted in abilities_of(each)]

    async def _listed(self) -> list[dict[str, Any]] | None:
        with anyio.move_on_after(_ADVICE_SECONDS):
            try:
                return objects_in((await self.client.request("GET", "/api/tags")).mapping(), "models")
            except ProviderError:
                return None  # advice is a courtesy: the error itself matters more
        return None
