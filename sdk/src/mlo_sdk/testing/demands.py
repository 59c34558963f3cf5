"""How a contract says no, and how its checks are switched off."""

from __future__ import annotations

from collections.abc import Callable, Collection
from inspect import getattr_static
from typing import NoReturn, TypeVar

__all__ = ["ContractBroken", "demand", "fail", "needs", "overrides", "switch_off"]

F = TypeVar("F", bound=Callable[..., object])


class ContractBroken(AssertionError):
    """The implementation does not keep its part of the contract. The message says what to change."""


def demand(condition: object, message: str) -> None:
    """Fail the running check with ``message`` unless ``condition`` is true.

    Raises:
        ContractBroken: when it is not.
    """
    __tracebackhide__ = True  # the frame of interest is the check's
    if not condition:
        raise ContractBroken(message)


def fail(message: str) -> NoReturn:
    """Fail the running check with ``message``.

    Raises:
        ContractBroken: always.
    """
    __tracebackhide__ = True
    raise ContractBroken(message)


def needs(*features: str) -> Callable[[F], F]:
    """Mark a check that makes sense only for implementations that have all ``features``."""

    def mark(check: F) -> F:
        check.__dict__["contract_needs"] = frozenset(features)
        return check

    return mark


def overrides(contract: type, base: type, name: str) -> bool:
    """Whether ``contract`` has a fixture of its own in place of the one called ``name`` in ``base``."""
    return getattr_static(contract, name) is not getattr_static(base, name)


def switch_off(contract: type, base: type, features: Collection[str]) -> dict[str, str]:
    """Take the checks of ``base`` whose features are absent out of ``contract``, so that they are not even collected.

    Those that a class in between has taken out come back where their features are there again.
    Returns the names of the checks taken out, each with the reason.
    """
    off = {}
    for name, check in list(vars(base).items()):
        missing = sorted(getattr(check, "contract_needs", frozenset()) - set(features))
        if missing:
            off[name] = f"needs {', '.join(missing)}"
            setattr(contract, name, None)
        elif getattr_static(contract, name) is None:
            setattr(contract, name, check)
    return off
