"""Texts as vectors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio

from mlo import Embeddings, MloError

from . import exits
from .displays import print_json, styled
from .inputs import DASH, lines_of, piped
from .options import UsageProblem
from .report import error_object, usage_object
from .routers import Aim, Setup, open_router
from .texts import text

__all__ = ["embed"]

_SHOWN = 6
"""So many numbers of a vector are shown to a person."""


def embed(texts: Sequence[str], aim: Aim, setup: Setup, *, as_json: bool) -> int:
    """Print a vector per text: the arguments, or each line of standard input.

    Raises:
        UsageProblem: when there is no text.
        MloError: when no vectors come back. With JSON output, standard output has said so by then.
    """
    wanted = _texts(texts)
    try:
        embeddings = anyio.run(partial(_fetch, wanted, aim, setup))
    except MloError as error:
        if as_json:
            print_json({"error": error_object(error)})
        raise
    if as_json:
        print_json(_object(embeddings))
    else:
        brief = styled(sys.stdout, dict(os.environ))
        sys.stdout.write(
            "".join(f"{_brief(vector) if brief else json.dumps(vector)}\n" for vector in embeddings.vectors)
        )
    return exits.OK


def _texts(arguments: Sequence[str]) -> list[str]:
    if arguments and list(arguments) != [DASH]:
        return list(arguments)
    lines = lines_of(sys.stdin) if arguments or piped(sys.stdin) else []
    if not lines:
        raise UsageProblem(text("usage.no_texts"))
    return lines


async def _fetch(texts: Sequence[str], aim: Aim, setup: Setup) -> Embeddings:
    async with open_router(setup) as router:
        return await router.embed(texts, **aim.arguments())


def _brief(vector: Sequence[float]) -> str:
    numbers = " ".join(f"{number:+.4f}" for number in vector[:_SHOWN])
    return f"{numbers} … ({len(vector)})" if len(vector) > _SHOWN else numbers


def _object(embeddings: Embeddings) -> dict[str, Any]:
    return {
        "vectors": embeddings.vectors,
        "dimensions": len(embeddings.vectors[0]) if embeddings.vectors else 0,
        "model": embeddings.model,
        "target": embeddings.call and embeddings.call.target,
        "usage": usage_object(embeddings.usage),
        "request_id": embeddings.request_id,
    }
