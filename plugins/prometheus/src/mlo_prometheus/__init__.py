"""Metrics of calls and attempts for Prometheus."""
