from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mlo.api import Credentials
from mlo.errors import (
    AuthFailed,
    ConfigError,
    ContextTooLong,
    InvalidRequest,
    MloError,
    ModelNotFound,
    PermissionDenied,
    ProtocolViolated,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo_sdk import HttpClient, StaticAuth, Timeouts
from tests.sdk.http_server import CLOSE, HANG, Received, Script, head, serving, whole, whole_json

pytestmark = pytest.mark.anyio
_QUICK = Timeouts(connect=1, first_byte=0.2, idle=0.2)
ClientOf = Callable[..., HttpClient]


def always(*pieces: object) -> Script:
    return lambda _request: pieces


def answer_ok(_request: Received) -> Iterable[object]:
    return [whole_json({"ok": True}, "X-Request-Id: r-1")]


async def test_a_request_and_its_answer(client_of: ClientOf) -> None:
    with serving(answer_ok) as server:
        async with client_of(f"{server.url}/v1/", headers={"X-Own": "a"}) as client:
            reply = await client.request("POST", "/chat", json={"текст": "Привет"}, headers={"X-Call": "b"})
    assert (reply.status, reply.mapping(), reply.request_id) == (200, {"ok": True}, "r-1")
    (request,) = server.requests
    assert (request.method, request.path, request.json()) == ("POST", "/v1/chat", {"текст": "Привет"})
    sent = {name: request.headers[name] for name in ("x-own", "x-call", "content-type", "host")}
    assert sent == {"x-own": "a", "x-call": "b", "content-type": "application/json", "host": server.url[7:]}
    assert request.headers["user-agent"] == "multi-llm-orchestrator"


async def test_sixty_calls_need_one_connection(client_of: ClientOf) -> None:
    with serving(answer_ok) as server:
        async with client_of(server.url) as client:
            for _ in range(60):
                await client.request("GET", "/models")
    assert (len(server.requests), server.connections) == (60, 1)


async def test_a_query_and_a_body_of_bytes(client_of: ClientOf) -> None:
    with serving(answer_ok) as server:
        async with client_of(server.url) as client:
            await client.request("POST", "/a", content=b"x=1", query={"q": "д"})
    (request,) = server.requests
    assert (request.path, request.body) == ("/a?q=%D0%B4", b"x=1")


async def test_another_address_of_the_same_server(client_of: ClientOf) -> None:
    with serving(answer_ok) as server:
        async with client_of(f"{server.url}/v1") as client:
            await client.request("GET", f"{server.url}/v2/models")
    assert server.requests[0].path == "/v2/models"


async def test_an_empty_body_is_nothing(client_of: ClientOf) -> None:
    with serving(always(head(204, "content-length: 0"))) as server:
        async with client_of(server.url) as client:
            reply = await client.request("DELETE", "/a")
    assert reply.data is None
    with pytest.raises(ProtocolViolated, match="expected a JSON object"):
        reply.mapping()


async def test_a_compressed_answer_is_unpacked(client_of: ClientOf) -> None:
    body = gzip.compress(b'{"a": 1}')
    with serving(always(whole(body, "content-encoding: gzip"))) as server:
        async with client_of(server.url) as client:
            assert (await client.request("GET", "/")).data == {"a": 1}


async def test_a_web_page_is_no_answer(client_of: ClientOf) -> None:
    with serving(always(whole(b"<html>Welcome</html>", kind="text/html"))) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ProtocolViolated, match="expected JSON, got text/html") as caught:
                await client.request("GET", "/")
    assert caught.value.sample == "<html>Welcome</html>"


async def test_an_error_carries_what_the_server_said(client_of: ClientOf) -> None:
    body = {"error": {"message": "Slow down", "code": "slow"}}
    with serving(always(whole_json(body, "Retry-After: 7", "x-trace: t-9", status=429))) as server:
        async with client_of(server.url, request_id_headers=("x-missing", "x-trace")) as client:
            with pytest.raises(RateLimited, match="Slow down") as caught:
                await client.request("GET", "/")
    error = caught.value
    assert (error.status, error.code, error.retry_after, error.request_id) == (429, "slow", 7.0, "t-9")


async def test_an_error_page_is_shown_in_short(client_of: ClientOf) -> None:
    with serving(always(whole(b"<html><h1>502</h1> Bad gateway</html>", kind="text/html", status=502))) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ServerFault, match="502 Bad gateway"):
                await client.request("GET", "/")


async def test_a_large_request_that_is_refused_before_it_is_read(client_of: ClientOf) -> None:
    """The answer of a server that closes at once may be lost on the way; what it was is not: a transport failure."""
    refusal = whole_json({"error": "too large"}, "connection: close", status=413)
    with early(refusal) as url:
        async with client_of(url) as client:
            with pytest.raises((ContextTooLong, TransportFailed)):
                await client.request("POST", "/", content=b"x" * 20_000_000)


@contextmanager
def early(answer: bytes) -> Iterator[str]:
    """A server that answers as soon as it sees the head of a request, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                with suppress(OSError):
                    connection.recv(1000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


async def test_the_status_counts_when_the_error_body_is_cut(client_of: ClientOf) -> None:
    with serving(always(head(404, "content-length: 100") + b"<", CLOSE)) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ModelNotFound, match="check base_url"):
                await client.request("GET", "/")


async def test_a_redirect_is_not_followed_but_named(client_of: ClientOf) -> None:
    with serving(always(head(301, "location: https://elsewhere.example/v1?key=1", "content-length: 0"))) as server:
        async with client_of(server.url) as client:
            with pytest.raises(ProtocolViolated, match=r"redirected to https://elsewhere\.example/v1 "):
                await client.request("GET", "/")
    assert len(server.requests) == 1


async def test_a_refused_connection(client_of: ClientOf) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(TransportFailed, match=f"cannot connect to http://127.0.0.1:{port}") as caught:
            await client.request("GET", "/secret-path?key=1")
    assert caught.value.__cause__ is not None
    assert "secret-path" not in str(caught.value)


async def test_a_server_that_hangs_up(client_of: ClientOf) -> None:
    with serving(always(CLOSE)) as server:
        async with client_of(server.url) as client:
            with pytest.raises(TransportFailed, match="was lost"):
                await client.request("GET", "/")


async def test_a_server_that_never_answers(client_of: ClientOf) -> None:
    with serving(always(HANG)) as server:
        async with client_of(server.url, timeouts=_QUICK) as client:
            with pytest.raises(TransportFailed, match=r"within 0.2 s \(http.timeouts.first_byte\)"):
                await client.request("GET", "/")


async def test_a_server_that_falls_silent_in_the_body(client_of: ClientOf) -> None:
    timeouts = Timeouts(first_byte=30, idle=0.2)
    with serving(always(head(200, "content-length: 9") + b"{", HANG)) as server:
        async with client_of(server.url, timeouts=timeouts) as client:
            with pytest.raises(TransportFailed, match=r"for 0.2 s \(http.timeouts.idle\)"):
                await client.request("GET", "/")


async def test_a_body_that_is_cut(client_of: ClientOf) -> None:
    with serving(always(head(200, "content-length: 9") + b"{", CLOSE)) as server:
        async with client_of(server.url) as client:
            with pytest.raises(TransportFailed, match="was lost"):
                await client.request("GET", "/")


async def test_garbage_instead_of_http(client_of: ClientOf) -> None:
    with serving(always(b"\x00\x01 what?\r\n\r\n", CLOSE)) as server:
        async with client_of(server.url) as client:
            with pytest.raises(TransportFailed):
                await client.request("GET", "/")


@pytest.mark.parametrize("text", ["\ud800", float("nan"), object()], ids=["surrogate", "nan", "object"])
async def test_what_json_cannot_say(client_of: ClientOf, text: object) -> None:
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
            await client.request("POST", "/", json={"a": text})


async def test_a_client_must_be_open(client_of: ClientOf) -> None:
    client = client_of("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="not open"):
        await client.request("GET", "/")


_BAD_URLS = {
    "no scheme": "localhost:8000",
    "another scheme": "ftp://a",
    "no host": "http://",
    "password": "http://user:pw@a",
    "query": "http://a/v1?key=1",
    "not a URL": "http://a:port",
}


@pytest.mark.parametrize("url", _BAD_URLS.values(), ids=list(_BAD_URLS))
def test_a_base_url_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^providers\.x\.base_url: "):
        HttpClient(url, path="providers.x")


def test_headers_that_http_does_not_allow() -> None:
    with pytest.raises(ConfigError, match=r"^providers\.x\.headers\.X-Key: ") as caught:
        HttpClient("http://a", path="providers.x", headers={"X-Key": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


def test_repr_shows_where_it_goes_and_nothing_else() -> None:
    client = HttpClient("https://a.example/v1", headers={"authorization": "s3cret"})
    assert repr(client) == "<HttpClient https://a.example/v1>"
    assert client.base_url == "https://a.example/v1"


async def test_a_key_that_the_server_repeats_is_masked(client_of: ClientOf) -> None:
    body = {"error": {"message": "Incorrect API key provided: s3cret-key", "code": "invalid_api_key"}}
    with serving(always(whole_json(body, status=401))) as server:
        async with client_of(server.url, auth=StaticAuth({"authorization": "Bearer s3cret-key"})) as client:
            with pytest.raises(AuthFailed, match=r"provided: \*\*\*\*") as caught:
                await client.request("GET", "/")
    assert not any("s3cret" in text for text in shown(caught.value))


async def test_what_a_request_holds_is_masked_too(client_of: ClientOf) -> None:
    body = {"error": {"message": "no account has the password s3cret-word"}}
    with serving(always(whole_json(body, status=403))) as server:
        async with client_of(server.url) as client:
            with pytest.raises(PermissionDenied, match=r"password \*\*\*\*") as caught:
                await client.request("POST", "/", json={"password": "s3cret-word"}, secrets=["s3cret-word"])
    assert not any("s3cret" in text for text in shown(caught.value))


@pytest.mark.parametrize("body", [b'{"token": "s3cret", "exp', b'["s3cret"]'])
async def test_answers_that_are_secrets_are_not_shown(client_of: ClientOf, body: bytes) -> None:
    with serving(always(whole(body))) as server:
        async with client_of(server.url, confidential=True) as client:
            with pytest.raises(ProtocolViolated, match="expected") as caught:
                (await client.request("POST", "/")).mapping()
    assert not any("s3cret" in text for text in shown(caught.value))


class LeakyAuth:
    async def credentials(self, stale: int | None = None) -> Credentials:
        return Credentials(headers={"authorization": "Bearer s3cret\nX: y"})


async def test_a_header_that_cannot_be_sent_is_not_shown(client_of: ClientOf) -> None:
    with serving(answer_ok) as server:
        async with client_of(server.url, auth=LeakyAuth()) as client:
            with pytest.raises(TransportFailed, match="a header of the request") as caught:
                await client.request("GET", "/")
    assert not any("s3cret" in text for text in shown(caught.value))
    assert server.requests == []


def shown(error: BaseException | None) -> Iterable[str]:
    while error is not None:
        yield str(error)
        yield repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class Renewing:
    """Gives key-1, and after a rejection key-2."""

    def __init__(self, *, error: MloError | None = None, same: bool = False) -> None:
        self.generation, self.error, self.same = 1, error, same

    async def credentials(self, stale: int | None = None) -> Credentials:
        if stale == self.generation and not self.same:
            if self.error is not None:
                raise self.error
            self.generation += 1
        return Credentials(headers={"authorization": f"key-{self.generation}"}, generation=self.generation)


def accept_only(key: str) -> Script:
    def script(request: Received) -> Iterable[object]:
        if request.headers["authorization"] == key:
            return [whole_json({"ok": True})]
        return [whole_json({"message": "Token has expired"}, status=401)]

    return script


async def test_rejected_credentials_are_renewed_and_the_request_sent_again(client_of: ClientOf) -> None:
    with serving(accept_only("key-2")) as server:
        async with client_of(server.url, auth=Renewing()) as client:
            reply = await client.request("POST", "/", json=1)
    assert reply.data == {"ok": True}
    assert [request.body for request in server.requests] == [b"1", b"1"]


async def test_a_stream_is_asked_for_again_too(client_of: ClientOf) -> None:
    with serving(accept_only("key-2")) as server:
        async with client_of(server.url, auth=Renewing()) as client, client.stream("POST", "/", json=1) as reply:
            assert await reply.json() == {"ok": True}
    assert (len(server.requests), server.connections) == (2, 1)


async def test_it_is_sent_again_only_once(client_of: ClientOf) -> None:
    with serving(accept_only("key-3")) as server:
        async with client_of(server.url, auth=Renewing()) as client:
            with pytest.raises(AuthFailed, match="Token has expired"):
                await client.request("GET", "/")
    assert len(server.requests) == 2


async def test_credentials_that_stay_the_same_are_not_sent_again(client_of: ClientOf) -> None:
    with serving(accept_only("key-2")) as server:
        async with client_of(server.url, auth=Renewing(same=True)) as client:
            with pytest.raises(AuthFailed):
                await client.request("GET", "/")
    assert len(server.requests) == 1


async def test_the_token_endpoints_refusal_is_the_error(client_of: ClientOf) -> None:
    refused = AuthFailed("the client is unknown", status=400)
    with serving(accept_only("key-2")) as server:
        async with client_of(server.url, auth=Renewing(error=refused)) as client:
            with pytest.raises(AuthFailed, match="the client is unknown") as caught:
                await client.request("GET", "/")
    assert "Token has expired" in str(caught.value.__cause__)


async def test_a_fixed_key_leaves_the_servers_word_as_the_error(client_of: ClientOf) -> None:
    with serving(accept_only("other")) as server:
        async with client_of(server.url, auth=StaticAuth({"authorization": "mine"})) as client:
            with pytest.raises(AuthFailed, match="Token has expired") as caught:
                await client.request("GET", "/")
    assert "cannot be renewed" in str(caught.value.__cause__)


async def test_statuses_that_mean_renewal_are_the_vendors_choice(client_of: ClientOf) -> None:
    def script(request: Received) -> Iterable[object]:
        return [whole_json({}, status=200 if request.headers["authorization"] == "key-2" else 419)]

    with serving(script) as server:
        async with client_of(server.url, auth=Renewing(), renew_on=frozenset({419})) as client:
            assert (await client.request("GET", "/")).status == 200
