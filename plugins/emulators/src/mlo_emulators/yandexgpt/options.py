"""How an emulated YandexGPT behaves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen

from mlo_emulators.faults import setting

__all__ = ["AuthorizedKey", "Options"]


@frozen(kw_only=True)
class AuthorizedKey:
    """The public half of a service account's authorised key; tokens signed with the other half are accepted."""

    id: str
    service_account_id: str
    public_key: str

    @classmethod
    def read(cls, path: str) -> AuthorizedKey:
        """From a key file as the cloud's console gives it.

        Raises:
            OSError: when the file cannot be read.
            ValueError: when it is not such a file.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(id=found["id"], service_account_id=found["service_account_id"], public_key=found["public_key"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not an authorised key: {error}") from error


def _keys(given: Iterable[AuthorizedKey | str]) -> tuple[AuthorizedKey, ...]:
    return tuple(AuthorizedKey.read(each) if isinstance(each, str) else each for each in given)


@frozen(kw_only=True)
class Options:
    """The emulated cloud: who may come in, what the quotas are, how answers look and how they go wrong.

    Times are in seconds.
    """

    folder_id: str = setting("b1gemulatedfolder0000", "the folder that exists")
    api_keys: tuple[str, ...] = setting(("AQVNemulated",), "API keys that are let in")
    oauth_tokens: tuple[str, ...] = setting(("y0_emulated",), "OAuth tokens that IAM exchanges")
    authorized_keys: tuple[AuthorizedKey, ...] = field(
        default=(), converter=_keys, metadata={"help": "key files of service accounts (the public half is read)"}
    )
    metadata_account: str | None = setting("ajeemulatedaccount00", "the service account of the virtual machine")
    token_ttl: float = setting(43200.0, "how long an IAM token lives")
    token_requests: int | None = setting(None, "an IAM token also dies after so many requests")
    reissue: bool = setting(False, "IAM gives the same token again while it lives")  # noqa: FBT003 - the default
    exchange_delay: float = setting(0.0, "how long IAM takes")
    gauge: int | None = setting(10, "generations under way at a time")
    generations_per_hour: int | None = setting(None, "generations an hour", bare=100)
    embeddings_per_second: int | None = setting(None, "embeddings a second", bare=10)
    operation_polls: int = setting(2, "how often an operation says that it is not done")
    answer: str | None = setting(None, "what is answered instead of the echo")
    think: float = setting(0.0, "time before the first byte")
    frame_delay: float = setting(0.0, "time between frames")
    frame_chars: int = setting(40, "how much text a frame adds")
    wire_chunk: int | None = setting(None, "the body is cut into so many bytes, inside a character too", bare=1)
    content_filter: bool = setting(False, "HTTP 200 with the canned phrase, and no usage")  # noqa: FBT003
    cut: bool = setting(False, "the stream ends cleanly without a final status")  # noqa: FBT003
    diverge: bool = setting(False, "a late frame rewrites earlier text")  # noqa: FBT003
    error_after_first: int | None = setting(None, "an error with this status after the first frame", bare=500)
    hang: float | None = setting(None, "no answer for so long", bare=3600.0)
    html: bool = setting(False, "HTTP 502 with a page of the load balancer")  # noqa: FBT003
    no_usage: bool = setting(False, "usage is left out")  # noqa: FBT003
    reset: bool = setting(False, "the connection breaks after the first frame")  # noqa: FBT003
    status: int | None = setting(None, "every generation fails with this HTTP status", bare=503)
    truncated: bool = setting(False, "the answer stops at the token limit")  # noqa: FBT003
    unknown_status: bool = setting(False, "the last frame has a status that is not in the protocol")  # noqa: FBT003
