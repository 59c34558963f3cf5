"""Versions of the tables of accounts: one module each, which never changes once it is released."""

from __future__ import annotations

__all__ = ["PACKAGE", "VERSION_TABLE"]

PACKAGE = "mlo_gateway.migrations"
VERSION_TABLE = "gateway_version"
