"""How an emulated YandexGPT behaves."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

__all__ = ["FAULTS", "AuthorizedKey", "Options"]

FAULTS: Mapping[str, str] = {
    "content-filter": "HTTP 200 with the canned phrase, status CONTENT_FILTER and no usage",
    "cut": "the stream ends cleanly without a final status",
    "diverge": "the second frame rewrites text of the first",
    "error-after-first": "an error line after the first frame, inside HTTP 200",
    "hang": "no answer at all",
    "html": "HTTP 502 with a page of a load balancer",
    "no-usage": "usage is left out",
    "reset": "the connection breaks after the first frame",
    "status": "every generation fails with this HTTP status, such as status=503",
    "truncated": "the answer stops at the token limit",
    "unknown-status": "the last frame has a status that is not in the protocol",
}
"""What can be made to go wrong with a generation, and what it means."""


@frozen(kw_only=True)
class AuthorizedKey:
    """The public half of a service account's authorised key; tokens signed with the other half are accepted."""

    id: str
    service_account_id: str
    public_key: str


def _strings(strings: object) -> tuple[str, ...]:
    return (strings,) if isinstance(strings, str) else tuple(strings)  # type: ignore[arg-type]  # a lone string is common


@frozen(kw_only=True)
class Options:
    """The emulated cloud: who may come in, what the quotas are, how the answers look.

    Times are in seconds. ``answer`` replaces the echo. ``frame_chars`` is how much text a stream frame adds,
    ``wire_chunk`` cuts the body into pieces of so many bytes, wherever that falls inside a character.
    ``gauge`` is the number of generations under way at a time, the other quotas are rates; ``None`` is no limit.
    ``token_requests`` ends a token's life after so many uses. ``reissue`` gives the same token again while it lives.
    ``operation_polls`` is how often an asynchronous operation says that it is not done.
    """

    folder_id: str = "b1gemulatedfolder0000"
    api_keys: tuple[str, ...] = field(default=("AQVNemulated",), converter=_strings)
    oauth_tokens: tuple[str, ...] = field(default=("y0_emulated",), converter=_strings)
    authorized_keys: tuple[AuthorizedKey, ...] = ()
    metadata_account: str | None = "ajeemulatedaccount00"
    token_ttl: float = 43200.0
    token_requests: int | None = None
    reissue: bool = False
    exchange_delay: float = 0.0
    gauge: int | None = 10
    generations_per_hour: int | None = None
    embeddings_per_second: int | None = None
    operation_polls: int = 2
    answer: str | None = None
    think: float = 0.0
    frame_delay: float = 0.0
    frame_chars: int = 40
    wire_chunk: int | None = None
    faults: Mapping[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        unknown = sorted(set(self.faults) - set(FAULTS))
        if unknown:
            raise ValueError(f"unknown fault {', '.join(unknown)}: known are {', '.join(FAULTS)}")
