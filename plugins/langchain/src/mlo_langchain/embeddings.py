"""The embeddings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from langchain_core.embeddings import Embeddings
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from mlo.errors import InvalidRequest
from mlo.requests import EmbeddingRequest
from mlo.responses import Embeddings as Vectors
from mlo.router import Router

from .copying import memo_with, state_without_home
from .homes import Home, home_of, path_text

__all__ = ["MultiLLMEmbeddings"]


class MultiLLMEmbeddings(BaseModel, Embeddings):
    """LangChain embeddings over the routes of a router.

    ``router``, ``config_file`` and ``config_profile`` as with :class:`~mlo_langchain.MultiLLMOrchestrator`; models and
    embeddings over the same one share the open router. ``deadline`` is in seconds, for each call.

    Raises:
        ValueError: for unknown or contradictory fields.
        MloError: when the router is open in an event loop other than the running one.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    router: Router | None = Field(default=None, exclude=True, repr=False)
    config_file: Annotated[str | os.PathLike[str] | None, BeforeValidator(path_text)] = None
    config_profile: str | None = None
    route: str | None = None
    target: str | None = None
    model: str | None = Field(default=None, validation_alias=AliasChoices("model", "model_name"))
    deadline: float | None = Field(default=None, validation_alias=AliasChoices("deadline", "timeout"))
    dimensions: int | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    request_metadata: dict[str, str] = Field(default_factory=dict)

    _home: Home | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _find_router(self) -> Self:
        if self.router is not None and (self.config_file is not None or self.config_profile is not None):
            raise ValueError("give either `router`, or `config_file` and `config_profile`")
        if self.router is not None and self.router.is_open:
            self._home = home_of(self.router, None, None)  # only now is the loop known that it is open in
        return self

    def close(self) -> None:
        """Close the router, for all that share it, and return at once; a later call opens it again."""
        home, self._home = self._home, None
        if home is not None:
            home.close()

    def __getstate__(self) -> dict[Any, Any]:
        return state_without_home(super().__getstate__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return super().__deepcopy__(memo_with(memo, self.router, self._home))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector per text. Errors are those of :meth:`mlo.Router.embed`."""
        return self._embed(texts, "document") if texts else []

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, from the model for questions where a vendor has one."""
        return self._embed([text], "query")[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """See :meth:`embed_documents`."""
        return await self._embed_async(texts, "document") if texts else []

    async def aembed_query(self, text: str) -> list[float]:
        """See :meth:`embed_query`."""
        return (await self._embed_async([text], "query"))[0]

    def _embed(self, texts: list[str], kind: Literal["document", "query"]) -> list[list[float]]:
        request = self._request(texts, kind)
        return _lists(self._at_home().call(lambda router: self._ask(router, request)))

    async def _embed_async(self, texts: list[str], kind: Literal["document", "query"]) -> list[list[float]]:
        request = self._request(texts, kind)
        return _lists(await self._at_home().call_async(lambda router: self._ask(router, request)))

    async def _ask(self, router: Router, request: EmbeddingRequest) -> Vectors:
        return await router.embed(
            request, route=self.route, target=self.target, model=self.model, deadline=self.deadline
        )

    def _request(self, texts: Sequence[str], kind: Literal["document", "query"]) -> EmbeddingRequest:
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InvalidRequest("embeddings are made of a list of texts, or of one text as a query")
        return EmbeddingRequest(
            texts=tuple(texts),
            dimensions=self.dimensions,
            kind=kind,
            extra=self.extra,
            metadata=self.request_metadata,
        )

    def _at_home(self) -> Home:
        home = self._home
        if home is None or not home.usable:
            home = self._home = home_of(self.router, self.config_file, self.config_profile)
        return home


def _lists(vectors: Vectors) -> list[list[float]]:
    return [list(vector) for vector in vectors.vectors]
