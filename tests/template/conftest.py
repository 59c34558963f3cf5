"""Wheels and clean environments, as in the tests of packaging."""

from __future__ import annotations

from tests.packaging.conftest import install, wheels

__all__ = ["install", "wheels"]
