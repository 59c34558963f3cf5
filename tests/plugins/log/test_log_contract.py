"""The contract of observers, kept by the log; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_log.conformance import TestLog, TestLogFile

__all__ = ["TestLog", "TestLogFile"]
