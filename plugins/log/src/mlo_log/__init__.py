"""Structured log of calls and attempts."""
