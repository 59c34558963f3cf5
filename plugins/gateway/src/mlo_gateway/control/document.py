"""The OpenAPI document of the whole gateway: the admin API as FastAPI knows it, the data plane as written down here."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

__all__ = ["add_document", "document_of"]


def add_document(app: FastAPI) -> None:
    """Serve the document at ``/openapi.json``, to everybody: it tells nothing of what this gateway is used for.

    ``app.state.parameters`` says which query parameters it knows of a method and a path.
    """

    @cache
    def document() -> dict[str, Any]:
        return document_of(app)

    @cache
    def places() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        # where FastAPI keeps a route's parameters and its whole path differs between its versions
        paths = document()["paths"].items()
        return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operations) for path, operations in paths]

    def parameters(method: str, path: str) -> frozenset[str]:
        operation = next((each for place, each in places() if place.fullmatch(path)), {}).get(method.lower(), {})
        return frozenset(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")

    app.state.parameters = parameters

    @app.get("/openapi.json", include_in_schema=False)
    async def show(_: Request) -> JSONResponse:
        return JSONResponse(document())


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document."""
    admin = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    data = json.loads(files(__package__).joinpath("data_plane.json").read_text(encoding="utf-8"))
    schemas = {**admin["components"]["schemas"], **data["components"]["schemas"]}
    # FastAPI's own shape of validation errors is never sent
    used = {name: schema for name, schema in schemas.items() if name not in {"HTTPValidationError", "ValidationError"}}
    return {
        **admin,
        "paths": {**data["paths"], **admin["paths"]},
        "components": {**admin["components"], "schemas": used},
    }
