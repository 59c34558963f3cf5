"""Retry budget: retries may add only so much load to services that are already in trouble."""

from __future__ import annotations

__all__ = ["RetryBudget"]


class RetryBudget:
    """A bucket of tokens: each call puts ``ratio`` in, each retry takes 1 out; it never holds more than ``reserve``."""

    __slots__ = ("_ratio", "_reserve", "tokens")

    def __init__(self, ratio: float, reserve: float) -> None:
        self._ratio = ratio
        self._reserve = reserve
        self.tokens = reserve

    def deposit(self) -> None:
        """A call came in."""
        self.tokens = min(self._reserve, self.tokens + self._ratio)

    @property
    def is_spent(self) -> bool:
        """Whether it is too early for another retry."""
        return self.tokens < 1.0

    def withdraw(self) -> bool:
        """Ask to retry; ``False`` when the budget is used up."""
        if self.is_spent:
            return False
        self.tokens -= 1.0
        return True
