"""Who may call: authorization keys, access tokens, and the calls that each client has under way."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from collections import Counter
from time import time

from attrs import define, frozen

from .failures import ApiFailure, OAuthFailure
from .options import Options

__all__ = ["Accounts", "Issued", "credentials_of"]

_SCOPES = ("GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP")


@frozen(kw_only=True)
class Issued:
    """A token as issued. ``expires_at`` is Unix time in seconds."""

    token: str
    client_id: str
    scope: str
    expires_at: float


@define
class _Used:
    issued: Issued
    calls: int = 0
    revoked: bool = False


def credentials_of(header: str, schemes: tuple[str, ...] = ("basic", "bearer")) -> tuple[str, str]:
    """Name and secret of a Basic ``Authorization`` header.

    Raises:
        OAuthFailure: code 4, as the service says, for everything that does not decode to ``name:secret``.
    """
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthFailure(400, 4, "Can't decode 'Authorization' header") from error
    name, colon, secret = decoded.partition(":")
    if scheme.lower() not in schemes or not colon:
        raise OAuthFailure(400, 4, "Can't decode 'Authorization' header")
    return name, secret


class Accounts:
    """Issues tokens and checks them. Safe to use from several threads: one app may run on several servers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, _Used] = {}
        self._busy: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()

    def grant(self, authorization: str, scope: str, options: Options) -> Issued:
        """Exchange an authorization key for a token.

        Raises:
            OAuthFailure: when key and scope do not fit.
        """
        client_id, _ = credentials_of(authorization)
        if options.key is not None and authorization.partition(" ")[2].strip() != options.key:
            raise OAuthFailure(401, 6, "credentials doesn't match db data")
        if not scope:
            raise OAuthFailure(400, 5, "scope is empty")
        if scope not in _SCOPES:
            raise OAuthFailure(400, 1, "scope data format invalid")
        if scope not in options.key_scopes:
            raise OAuthFailure(400, 7, "scope from db not fully includes consumed scope")
        return self._issue(client_id, scope, options)

    def login(self, authorization: str, options: Options) -> Issued:
        """Exchange user and password for a token.

        Raises:
            ApiFailure: 401.
        """
        try:
            user, password = credentials_of(authorization, ("basic",))
        except OAuthFailure as error:
            raise ApiFailure(401, "Unauthorized") from error
        if not user or not password or options.password not in {None, password}:
            raise ApiFailure(401, "Unauthorized")
        return self._issue(user, "GIGACHAT_API_CORP", options)

    def _issue(self, client_id: str, scope: str, options: Options) -> Issued:
        issued = Issued(
            token=f"emulated.{secrets.token_urlsafe(48)}",
            client_id=client_id,
            scope=scope,
            expires_at=time() + options.token_lifetime,
        )
        with self._lock:
            self._tokens[issued.token] = _Used(issued)
        return issued

    def check(self, authorization: str, options: Options) -> Issued:
        """Whose token it is.

        Raises:
            ApiFailure: 401, for a token that is unknown, revoked or expired.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and options.access_token is not None and token == options.access_token:
            return Issued(token=token, client_id="given", scope="GIGACHAT_API_PERS", expires_at=time() + 60)
        if not options.require_token and not token:
            return Issued(token="", client_id="certificate", scope="GIGACHAT_API_CORP", expires_at=time() + 60)
        with self._lock:
            used = self._tokens.get(token) if scheme.lower() == "bearer" else None
            if used is None:
                raise ApiFailure(401, "Unauthorized")
            used.calls += 1
            worn = options.revoke_after is not None and used.calls > options.revoke_after
            if used.revoked or worn or used.issued.expires_at <= time():
                raise ApiFailure(401, "Token has expired")
            return used.issued

    def revoke(self) -> None:
        """Make every token issued so far invalid."""
        with self._lock:
            for used in self._tokens.values():
                used.revoked = True

    def occupy(self, issued: Issued, options: Options) -> None:
        """Take one of the slots of a client.

        Raises:
            ApiFailure: 429, when all are taken. (Its Retry-After is for the caller to add.)
        """
        allowed = options.concurrency
        if allowed is None:
            allowed = 1 if issued.scope == "GIGACHAT_API_PERS" else 10
        with self._lock:
            if allowed and self._busy[issued.client_id] >= allowed:
                raise ApiFailure(429)
            self._busy[issued.client_id] += 1
            self.peak[issued.client_id] = max(self.peak[issued.client_id], self._busy[issued.client_id])

    @property
    def busy(self) -> int:
        """Slots taken at the moment, by all clients."""
        with self._lock:
            return sum(self._busy.values())

    def leave(self, issued: Issued) -> None:
        """Give a slot back."""
        with self._lock:
            self._busy[issued.client_id] -= 1
