"""The contract of observers, kept by the metrics; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_prometheus.conformance import TestPrometheus, TestPrometheusPage

__all__ = ["TestPrometheus", "TestPrometheusPage"]
