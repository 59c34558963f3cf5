"""The routes of the admin API, a module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from . import audit, gateway, keys, members, organizations, plans, projects, usage

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    module.router for module in (organizations, projects, members, keys, plans, usage, audit, gateway)
)
"""All of them, in the order in which the OpenAPI document shows them."""
