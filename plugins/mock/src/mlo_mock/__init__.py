"""Deterministic provider without network, for trying out and tests."""
