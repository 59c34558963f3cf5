"""OpenTelemetry traces, metrics and events of calls and attempts."""
