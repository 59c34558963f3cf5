"""Tests. A real package, so that no `tests` package of another distribution can take its name."""
