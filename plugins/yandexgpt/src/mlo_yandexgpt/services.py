"""What is not generation: embeddings, labels, tokens. One text per request, as the API has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from mlo.errors import ProtocolViolated, ProviderError
from mlo_sdk.http import HttpClient

from .pacing import Pacer

__all__ = ["Services"]

_MODELS = "/foundationModels/v1"
_AT_ONCE = 5


class Services:
    """Calls over ``client``; embeddings are paced to ``embeddings_per_second``."""

    def __init__(self, client: HttpClient, embeddings_per_second: int) -> None:
        self._client = client
        self._pacer = Pacer(embeddings_per_second)

    async def embed(self, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers to ``bodies``, in their order; some are under way at a time.

        Raises:
            ProviderError: the first one; what is under way then is given up.
        """
        answers: list[dict[str, Any]] = [{}] * len(bodies)
        errors: list[ProviderError] = []
        pending = iter(enumerate(bodies))

        async def work() -> None:
            for index, body in pending:
                await self._pacer.turn()
                try:
                    answers[index] = await self._call("textEmbedding", body)
                except ProviderError as error:
                    errors.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for _ in range(min(_AT_ONCE, len(bodies))):
                group.start_soon(work)
        if errors:
            raise errors[0]
        return answers

    async def classify(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a classification: few-shot if the request brings labels, else by a tuned model.

        Raises:
            ProviderError: as the error table says.
        """
        return await self._call("fewShotTextClassification" if "labels" in body else "textClassification", body)

    async def count_tokens(self, text: str, uri: str) -> int:
        """How many tokens ``text`` is for a model.

        Raises:
            ProviderError: as the error table says.
        """
        tokens = (await self._call("tokenize", {"modelUri": uri, "text": text})).get("tokens", [])
        if not isinstance(tokens, list):
            raise ProtocolViolated("tokens are not a list", sample=str(tokens)[:200])
        return len(tokens)

    async def _call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return (await self._client.request("POST", f"{_MODELS}/{method}", json=body)).mapping()
