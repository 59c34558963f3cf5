"""Contract tests for plugins: subclass one, say what to test, and pytest runs the rest on asyncio and on trio.

This is not a pytest plugin: nothing is loaded in programs that do not import it.
"""

from __future__ import annotations

from .auth import AuthContract, Issuer
from .command import CommandContract
from .demands import ContractBroken
from .observer import ObserverContract
from .provider import ProviderContract
from .record_samples import SAMPLE_RECORDS
from .relays import RelayContract
from .routes import FakeStats, failed, run_route, succeeded, target
from .specs import offered
from .strategy import StrategyContract
from .subject import Failure
from .surroundings import FixedAuth, LoneEnvironment, build, context, hosted

__all__ = [
    "SAMPLE_RECORDS",
    "AuthContract",
    "CommandContract",
    "ContractBroken",
    "Failure",
    "FakeStats",
    "FixedAuth",
    "Issuer",
    "LoneEnvironment",
    "ObserverContract",
    "ProviderContract",
    "RelayContract",
    "StrategyContract",
    "build",
    "context",
    "failed",
    "hosted",
    "offered",
    "run_route",
    "succeeded",
    "target",
]
