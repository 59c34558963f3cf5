"""Which error each fault raises, and when one is due."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

from mlo.errors import (
    AuthFailed,
    ContentBlocked,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProtocolViolated,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    TransportFailed,
    Unsupported,
)

from .config import Fault, MockConfig

__all__ = ["FaultPlan", "fault_error"]

_LEAVES: dict[str, tuple[type[ProviderError], int | None, str]] = {
    "timeout": (TransportFailed, None, "timed out"),
    "refused": (TransportFailed, None, "connection refused"),
    "rate-limit": (RateLimited, 429, "too many requests"),
    "overloaded": (Overloaded, 503, "overloaded"),
    "server-fault": (ServerFault, 500, "internal error"),
    "quota-exhausted": (QuotaExhausted, 402, "the quota is used up"),
    "auth-error": (AuthFailed, 401, "the credentials were rejected"),
    "permission-denied": (PermissionDenied, 403, "no permission"),
    "model-not-found": (ModelNotFound, 404, "no such model"),
    "invalid-request": (InvalidRequest, 400, "the request is invalid"),
    "context-too-long": (ContextTooLong, 400, "the prompt does not fit the context"),
    "content-blocked": (ContentBlocked, 400, "the content policy refused the prompt"),
    "unsupported": (Unsupported, 400, "not supported"),
}


def fault_error(fault: Fault, retry_after: float | None = None) -> ProviderError:
    """The error that stands for ``fault``. Its message says that it was made to order."""
    if fault == "protocol-violated":
        return ProtocolViolated("the mock was told to break the protocol", sample="<html>not JSON</html>", status=200)
    leaf, status, what = _LEAVES[fault]
    return leaf(f"{what} (the mock was told to fail so)", status=status, code=fault, retry_after=retry_after)


class FaultPlan:
    """Decides call by call whether it fails. Counts calls; two calls never share a number."""

    def __init__(self, config: MockConfig, rng: Random) -> None:
        self._config = config
        self._rng = rng
        self._calls = count(1)
        self.idle = not (
            config.mode != "normal" or config.fail_first or config.fail_every is not None or config.fail_rate
        )

    def error(self) -> ProviderError | None:
        """The error of this call, or ``None``. A mode of ``hang`` is not an error."""
        config, number = self._config, next(self._calls)
        if config.mode == "unhealthy":
            return fault_error("overloaded", config.retry_after)
        if config.mode not in {"normal", "hang"}:
            return fault_error(config.mode, config.retry_after)  # type: ignore[arg-type]  # the rest of Mode is Fault
        if self._due(number):
            return fault_error(config.fail_with, config.retry_after)
        return None

    def _due(self, number: int) -> bool:
        tests: tuple[Callable[[], bool], ...] = (
            lambda: number <= self._config.fail_first,
            lambda: self._config.fail_every is not None and number % self._config.fail_every == 0,
            lambda: self._config.fail_rate > 0 and self._rng.random() < self._config.fail_rate,
        )
        return any(test() for test in tests)
