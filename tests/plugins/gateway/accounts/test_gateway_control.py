"""The admin API: roles, audit, errors."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from mlo_gateway.accounts.audit_log import check_audit, list_events
from mlo_gateway.accounts.paging import Cut
from mlo_gateway.app.application import AsgiApp
from mlo_gateway.control.app import create_control
from mlo_gateway.control.lazily import LazyControl
from mlo_ledger.database import Database
from tests.plugins.gateway.accounts.api import document, served
from tests.plugins.gateway.accounts.stores import World, emptied

pytestmark = pytest.mark.anyio
# what takes long, and is the same on both event loops
once = pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"])

ROLES = ("owner", "developer", "viewer")
REACHES = ("gateway", "organization", "project")
ALL = [f"{role}@{reach}" for reach in REACHES for role in ROLES]
OWNER = "owner@gateway"

# method, path, body; what exists is made afresh for every client: {key}, {member}, {project}, {organization}
ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/organizations", None),
    ("POST", "/organizations", {"name": "new-org"}),
    ("GET", "/organizations/acme", None),
    ("PATCH", "/organizations/acme", {"title": "t"}),
    ("DELETE", "/organizations/{organization}", None),
    ("GET", "/projects", None),
    ("POST", "/projects", {"name": "new", "organization": "acme"}),
    ("GET", "/projects/shop", None),
    ("PATCH", "/projects/shop", {"title": "t"}),
    ("PATCH", "/projects/shop", {"plan": "pro"}),
    ("DELETE", "/projects/{project}", None),
    ("GET", "/members", None),
    ("POST", "/members", {"organization": "acme", "project": "shop", "name": "n", "role": "viewer"}),
    ("GET", "/members/{member}", None),
    ("PATCH", "/members/{member}", {"role": "developer"}),
    ("DELETE", "/members/{member}", None),
    ("GET", "/keys", None),
    ("POST", "/keys", {"project": "shop", "role": "viewer"}),
    ("GET", "/keys/{key}", None),
    ("PATCH", "/keys/{key}", {"name": "x"}),
    ("POST", "/keys/{key}/rotate", {"overlap": 60}),
    ("DELETE", "/keys/{key}", None),
    ("GET", "/plans", None),
    ("GET", "/plans/free", None),
    ("PUT", "/plans/team", {"requests_month": 5}),
    ("DELETE", "/plans/{plan}", None),
    ("GET", "/audit", None),
    ("GET", "/audit/check", None),
    ("GET", "/whoami", None),
    ("GET", "/providers", None),
    ("POST", "/reload", {}),
]
WRITES = [route for route in ROUTES if route[0] != "GET"]
NEEDS = {
    # route: who gets through
    "POST /organizations": {OWNER},
    "PATCH /organizations/acme": {OWNER},
    "DELETE /organizations/{organization}": {OWNER},
    "POST /projects": {OWNER, "owner@organization"},
    "PATCH /projects/shop plan": {OWNER},
    "PATCH /projects/shop title": {"owner@gateway", "owner@organization", "owner@project"},
    "DELETE /projects/{project}": {"owner@gateway", "owner@organization"},  # it is not the project of `@project`
    "POST /members": {"owner@gateway", "owner@organization", "owner@project"},
    "PATCH /members/{member}": {"owner@gateway", "owner@organization", "owner@project"},
    "DELETE /members/{member}": {"owner@gateway", "owner@organization", "owner@project"},
    "POST /keys": {name for name in ALL if not name.startswith("viewer")},
    "PATCH /keys/{key}": {name for name in ALL if not name.startswith("viewer")},
    "POST /keys/{key}/rotate": {name for name in ALL if not name.startswith("viewer")},
    "DELETE /keys/{key}": {name for name in ALL if not name.startswith("viewer")},
    "PUT /plans/team": {OWNER},
    "DELETE /plans/{plan}": {OWNER},
    "GET /audit/check": {"owner@gateway", "developer@gateway", "viewer@gateway"},
    "GET /providers": {"owner@gateway", "developer@gateway", "viewer@gateway"},
    "POST /reload": {OWNER},
}


def label(method: str, path: str, body: dict[str, Any] | None) -> str:
    name = f"{method} {path}"
    return f"{name} {next(iter(body))}" if method == "PATCH" and path == "/projects/shop" and body else name


async def made(owner: httpx.AsyncClient, path: str, number: int) -> str:
    """The path, with something made for it that a client may take apart."""
    kind = path[path.index("{") + 1 : path.index("}")] if "{" in path else ""
    name = f"{kind}{number}"
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "organization": ("POST", "/organizations", {"name": name}),
        "project": ("POST", "/projects", {"name": name, "organization": "acme"}),
        "plan": ("PUT", f"/plans/{name}", {}),
        "member": ("POST", "/members", {"organization": "acme", "project": "shop", "name": name, "role": "viewer"}),
        "key": ("POST", "/keys", {"project": "shop", "role": "viewer"}),
    }
    if not kind:
        return path
    method, place, body = calls[kind]
    reply = await owner.request(method, place, json=body)
    assert reply.is_success
    return path.format(**{kind: reply.json()["id" if kind in {"member", "key"} else "name"]})


@once
async def test_roles(small_world: World) -> None:
    """Everybody tries everything: who may get through does, and nobody else, and nothing tells why it is not theirs."""
    async with served(small_world.database, *ALL) as api:
        numbers = iter(range(1000))
        for route in ROUTES:
            through = set()
            for name in ALL:
                method, path, body = route
                number = next(numbers)
                path = await made(api[OWNER], path, number)
                if body and "name" in body and method == "POST":
                    body = {**body, "name": f"{body['name']}{number}"}
                reply = await api[name].request(method, path, json=body)
                assert reply.status_code in {200, 201, 403, 404}, (name, route, reply.text)
                if reply.is_success:
                    through.add(name)
            assert through == NEEDS.get(label(*route), set(ALL)), route


@once
async def test_without_an_admin_key_there_is_nothing(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        user = await api[OWNER].post("/keys", json={"project": "shop"})
        secret = user.json()["secret"]
        blank = dict.fromkeys(("project", "organization", "plan"), "x")
        blank |= {"key": "key-" + "0" * 20, "member": "member-" + "0" * 20}
        for method, pattern, body in ROUTES:
            path = pattern.format(**blank)
            nobody = await api["nobody"].request(method, path, json=body)
            assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "missing_api_key")
            assert nobody.headers["www-authenticate"] == "Bearer"
            headers = {"authorization": f"Bearer {secret}"}
            other = await api["nobody"].request(method, path, json=body, headers=headers)
            assert (other.status_code, other.json()["error"]["code"]) == (403, "insufficient_scope")


@once
async def test_every_act_leaves_one_event_and_nothing_else_does(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        numbers = iter(range(1000))

        async def count() -> int:
            page = await small_world.look(lambda look: list_events(look, Cut(limit=1)))
            return page.items[0].seq

        for method, path, body in ROUTES:
            place = await made(api[OWNER], path, next(numbers))
            before = await count()
            reply = await api[OWNER].request(method, place, json=body)
            assert reply.is_success, (method, path, reply.text)
            assert await count() - before == (method != "GET"), (method, path)
            refused = await api[OWNER].request(method, place + "?limit=0", json={"nonsense": 1})
            assert await count() - before == (method != "GET") + (refused.is_success and method != "GET")
        (latest,) = (await small_world.look(lambda look: list_events(look, Cut(limit=1)))).items
        assert (latest.action, latest.address, latest.after["ignored"]) == (
            "gateway.reload",
            "192.0.2.1",
            ["gateway.serve.port"],
        )
        assert (await small_world.look(check_audit)).broken_at is None


async def test_all_routes_of_the_document_are_among_the_tested(small_world: World) -> None:
    async with served(small_world.database) as api:
        described = {
            f"{method.upper()} {path.removeprefix('/admin/v1')}"
            for path, operations in document(api.control)["paths"].items()
            if path.startswith("/admin/")
            for method in operations
        }
    names = {"acme": "name", "shop": "name", "free": "name", "team": "name"}
    names |= {"{organization}": "name", "{project}": "name", "{plan}": "name"}
    names |= {"{key}": "key_id", "{member}": "member_id"}
    tested = set()
    for method, path, _ in ROUTES:
        parts = [f"{{{names[part]}}}" if part in names else part for part in path.split("/")]
        tested.add(f"{method} {'/'.join(parts)}")
    assert described - tested == {"GET /usage"}


async def test_a_key_is_told_once(database: Database) -> None:
    async with served(database, OWNER) as api:
        reply = await api[OWNER].post("/keys", json={"project": "shop", "limits": {"budget": "0.5"}})
        secret, ident = reply.json()["secret"], reply.json()["id"]
        assert reply.headers["cache-control"] == "no-store"
        rotated = (await api[OWNER].post(f"/keys/{ident}/rotate", json={"overlap": 60})).json()
        newer = rotated["new"]["secret"]
        assert (rotated["new"]["rotated_from"], rotated["old"]["status"]) == (ident, "active")
        for path in ("/keys", f"/keys/{ident}", "/audit", "/whoami", "/members", "/projects"):
            text = (await api[OWNER].get(path)).text
            assert secret[12:] not in text
            assert newer[12:] not in text
        assert rotated["old"]["limits"]["budget"] == "0.5"
        assert "secret" not in rotated["old"]


async def test_what_is_revoked_here_opens_nothing_from_here_on(database: Database) -> None:
    async with served(database, OWNER) as api:
        reply = await api[OWNER].post("/keys", json={"project": "shop", "scopes": ["admin"]})
        secret, ident = reply.json()["secret"], reply.json()["id"]
        headers = {"authorization": f"Bearer {secret}"}
        assert (await api["nobody"].get("/whoami", headers=headers)).json()["key"] == ident
        assert (await api[OWNER].delete(f"/keys/{ident}")).json()["status"] == "revoked"
        assert (await api["nobody"].get("/whoami", headers=headers)).status_code == 401
        assert (await api[OWNER].delete(f"/keys/{ident}")).status_code == 409


async def test_somebody_elses_and_nobodys_look_alike(small_world: World) -> None:
    async with served(small_world.database, OWNER, "owner@project") as api:
        theirs = (await api[OWNER].post("/keys", json={"project": "den"})).json()["id"]
        nobodys = "key-" + "0" * 20
        for method, suffix in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/rotate")):
            body: dict[str, Any] | None = {} if method in {"PATCH", "POST"} else None
            replies = [
                await api["owner@project"].request(method, f"/keys/{ident}{suffix}", json=body)
                for ident in (theirs, nobodys)
            ]
            assert [reply.status_code for reply in replies] == [404, 404]
            assert replies[0].text.replace(theirs, nobodys) == replies[1].text


async def test_pages_of_the_api(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        first = (await api[OWNER].get("/projects", params={"limit": 2})).json()
        rest = (await api[OWNER].get("/projects", params={"limit": 2, "after": first["next"]})).json()
        assert [each["name"] for each in first["items"] + rest["items"]] == ["den", "lab", "shop"]
        assert rest["next"] is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", "body"),
        (b"{", None),
        (b"[]", "body"),
        (b'{"project": 5}', "project"),
        (b'{"project": "shop", "secret": "mlo-hunter2"}', "secret"),
        (b'{"project": "shop", "role": "root"}', "role"),
        (b'{"project": "shop", "limits": {"budget": 5}}', "limits.budget"),
        (b'{"project": "shop", "limits": {"concurrency": true}}', "limits.concurrency"),
        (b'{"project": "shop", "expires_at": 1795000000}', "expires_at"),
        (b'{"project": "shop", "expires_at": "2027-01-01"}', "expires_at"),
        (b'{"project": "shop", "expires_at": "2027-01-01T00:00:00"}', "expires_at"),
        (b'{"project": "shop", "name": "\\ud800"}', "name"),
        (b'{"project": "shop", "name": "\\u0000"}', "name"),
        (b"[" * 100_000, None),
    ],
)
@once
async def test_bad_bodies(small_world: World, body: bytes, param: str | None) -> None:
    async with served(small_world.database, OWNER) as api:
        headers = {"content-type": "application/json"}
        reply = await api[OWNER].post("/keys", content=body, headers=headers)
        assert reply.status_code in {400, 422}
        error = reply.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert param is None or error["param"] == param
        assert "hunter2" not in reply.text


async def test_bodies_are_bounded(small_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlo_gateway.control.bounded._PATIENCE", 0.05)
    async with served(small_world.database, OWNER) as api:
        app = create_control(api.control)
        long = await _sent(app, [b" " * 100_000] * 3)
        assert (long[0]["status"], b"body_too_large" in long[1]["body"]) == (413, True)
        slow = await _sent(app, [b"{"])
        assert (slow[0]["status"], (b"connection", b"close") in slow[0]["headers"]) == (408, True)
        left = await _sent(app, [])
        assert left == []


async def _sent(app: AsgiApp, pieces: list[bytes]) -> list[Any]:
    """What the application says to a client that sends these pieces and no end, and then waits; or leaves at once."""
    said: list[Any] = []
    waiting = list(pieces)

    async def receive() -> Any:
        if not pieces:
            return {"type": "http.disconnect"}
        if not waiting:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": "/admin/v1/keys", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return said


async def test_unknown_paths_and_methods_have_the_same_shape(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        missing, wrong = await api[OWNER].get("/nothing"), await api[OWNER].put("/keys")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"]


async def test_other_sites_may_not_call_unless_they_are_named(small_world: World) -> None:
    preflight = {"origin": "https://console.example", "access-control-request-method": "POST"}
    async with served(small_world.database, OWNER) as api:
        reply = await api[OWNER].options("/keys", headers=preflight)
        assert "access-control-allow-origin" not in reply.headers
    async with served(await _emptied(small_world), OWNER, cors=("https://console.example",)) as api:
        reply = await api[OWNER].options("/keys", headers=preflight)
        assert reply.headers["access-control-allow-origin"] == "https://console.example"
        assert "access-control-allow-credentials" not in reply.headers
        other = await api[OWNER].options("/keys", headers={**preflight, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def _emptied(world: World) -> Database:
    await world.database.write(emptied)
    return world.database


async def test_the_health_of_providers_is_asked_when_wanted(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        plain = (await api[OWNER].get("/providers")).json()["items"]
        asked = (await api[OWNER].get("/providers", params={"health": "ask"})).json()["items"]
        assert [(each["name"], each["health"]) for each in plain] == [("ill", None), ("well", None)]
        assert [(each["health"], each["detail"]) for each in asked] == [("unhealthy", "no answer"), ("healthy", "")]


async def test_a_bug_is_no_traceback(small_world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with served(small_world.database, OWNER) as api:

        async def broken(provider: str | None = None) -> Any:
            raise ZeroDivisionError("secret detail")

        api.control.router.health = broken  # type: ignore[method-assign]
        reply = await api[OWNER].get("/providers", params={"health": "ask"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
        assert "secret detail" not in reply.text
        assert "ZeroDivisionError" in caplog.text


async def test_it_is_loaded_when_it_is_first_used(small_world: World) -> None:
    async with served(small_world.database, OWNER) as api:
        app = LazyControl(api.control)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            replies = []

            async def ask() -> None:
                replies.append(await client.get("/openapi.json"))

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask)
            assert [reply.status_code for reply in replies] == [200] * 3
            assert {"/v1/chat/completions", "/admin/v1/keys"} <= replies[0].json()["paths"].keys()
        assert create_control(api.control) is not app
