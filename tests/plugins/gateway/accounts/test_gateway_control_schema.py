"""Schemathesis, which nobody here wrote, reads the OpenAPI document and tries what it says and what it does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from mlo_gateway.accounts.keyring import KeyRing
from mlo_gateway.accounts.plans import Catalogue
from mlo_gateway.accounts.service import Accounts
from mlo_gateway.control.app import create_control
from mlo_gateway.control.seams import Control
from mlo_ledger.migrate import migrate_now
from tests.plugins.gateway.accounts.api import Providers
from tests.plugins.gateway.accounts.stores import World, copy_of, keyed, peopled
from tests.plugins.gateway.serving.processes import gateway

EXAMPLES = int(os.environ.get("MLO_SCHEMA_EXAMPLES", "2"))


@pytest.fixture
def api(template: Path, tmp_path: Path) -> Any:
    """The admin API as schemathesis sees it, and the headers of an owner."""
    database = copy_of(template, tmp_path)
    migrate_now(database)  # the ledger's tables, for usage
    world = World(database)

    async def begun() -> str:
        await peopled(world)
        _, token = await keyed(world, role="owner", reach="gateway", scopes=["admin", "inference"])
        return token.text

    secret = anyio.run(begun)
    ring = KeyRing(database, Catalogue(), clock=world.clock)
    accounts = Accounts(database, changed=ring.refresh, clock=world.clock)
    anyio.run(ring.load)
    control = Control(accounts=accounts, ring=ring, router=Providers())
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_control(control))
    yield schema.include(path_regex="^/admin/"), {"Authorization": f"Bearer {secret}"}
    database.close()


@pytest.mark.timeout(60)
def test_the_admin_api_keeps_what_its_document_promises(api: Any) -> None:
    schema, headers = api
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 30
    for operation in operations:
        for mode in GenerationMode:
            _try(operation, mode, headers)


@pytest.mark.timeout(60)
def test_the_data_plane_keeps_it_too(tmp_path: Path) -> None:
    with gateway(tmp_path, '[providers.mock]\nuse = "mock"\n') as served:
        schema: Any = schemathesis.openapi.from_url(f"{served.url}/openapi.json").include(path_regex="^/v1/")
        operations = [result.ok() for result in schema.get_all_operations()]
        assert len(operations) == 5
        for operation in operations:
            for mode in GenerationMode:
                _try(operation, mode, {"Authorization": f"Bearer {served.key}"}, _answerable)


def _answerable(case: Any) -> None:
    """Have what a schema cannot say fit: the model is there, and a tool that is chosen by name is not another one."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = "mock"
    if isinstance(body, dict) and isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = "auto"


def _as_it_is(_case: Any) -> None:
    pass


def _try(
    operation: Any, mode: GenerationMode, headers: dict[str, str], fitted: Callable[[Any], None] = _as_it_is
) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        fitted(case)
        case.call_and_validate(headers={} if _lacks_key(case) else headers)

    check()


def _lacks_key(case: Any) -> bool:
    """Whether what is wrong with the request is its headers, and a good key would put it right."""
    parts = case.meta.components.items() if case.meta else ()
    return any(part.name == "HEADER" and info.mode is GenerationMode.NEGATIVE for part, info in parts)


def test_the_document_is_openapi_and_tells_of_both_planes(api: Any) -> None:
    schema, _ = api
    schema.validate()
    paths = schema.raw_schema["paths"]
    assert {"/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/admin/v1/keys"} <= paths.keys()
    unprotected = [
        f"{method} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if not operation.get("security")
    ]
    assert unprotected == []
