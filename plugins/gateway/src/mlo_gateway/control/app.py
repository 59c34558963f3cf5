"""Assembles the control plane."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from mlo_gateway.app.application import AsgiApp

from .bounded import Bounded
from .document import add_document
from .faults import RESPONSES, add_handlers
from .routes import ROUTERS
from .seams import Control

__all__ = ["PREFIX", "create_api", "create_control"]

PREFIX = "/admin/v1"


def create_control(control: Control) -> AsgiApp:
    """The control plane as an ASGI application, for everything that the data plane does not know."""
    return Bounded(create_api(control))


def create_api(control: Control) -> FastAPI:
    """The admin API. Its OpenAPI document, at ``/openapi.json``, describes the data plane as well."""
    app = FastAPI(
        title="Multi-LLM Orchestrator gateway",
        version="1",
        summary="Models behind one OpenAI-compatible API, with keys, plans and accounting",
        openapi_url=None,  # the document below has the data plane in it
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.control = control
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, responses=RESPONSES)
    add_document(app)
    add_handlers(app)
    if control.config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=control.config.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("authorization", "content-type"),
        )
    return app
