"""What can be switched: the points that public material leaves open, and the faults.

Defaults follow the recordings of the real service where there are any, and otherwise the documentation.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from mlo_emulators.faults import Latency, setting

__all__ = ["Options"]


@frozen(kw_only=True)
class Options:
    """Assumptions and faults of the emulated GigaChat. Each field is a name that ``--fault`` knows."""

    # answers
    answer: str | None = setting(None, "a fixed answer; none repeats what the user wrote")
    answer_words: int = setting(0, "answer with that many words (for benchmarks); 0 does not")
    words_per_chunk: int = setting(3, "words in one chunk of a stream")
    blacklist_word: str = setting("запретное", "a last message with this word is refused (HTTP 200, `blacklist`)")
    seed: int = setting(0, "seed of latencies, ids and vectors")

    # the account
    host: Literal["current", "legacy"] = setting(
        "current", "which host is played: the legacy one also has first-generation models"
    )
    key: str | None = setting(None, "the only authorization key that is accepted; none takes any well-formed one")
    key_scopes: tuple[str, ...] = setting(("GIGACHAT_API_PERS",), "scopes that fit the key")
    access_token: str | None = setting(None, "a token that is valid without having been issued")
    password: str | None = setting(None, "the only password that /token accepts; none takes any")
    require_token: bool = setting(default=True, help="no: a client certificate alone is enough (B2Bank)")
    require_user_agent: bool = setting(default=True, help="403 without a User-Agent header")
    concurrency: int | None = setting(
        None, "calls at a time per client id, beyond them 429; none: 1 for PERS and 10 for others; 0: no limit"
    )
    exhausted_models: tuple[str, ...] = setting((), "models whose tokens are used up: 402")
    balance: Literal["prepaid", "denied"] = setting("prepaid", "denied: /balance is 403, as with pay-as-you-go")
    context_tokens: int = setting(131_072, "longest prompt, in emulated tokens")
    context_overflow: Literal[413, 422] = setting(413, "status of a prompt that is too long")

    # tokens
    token_lifetime: float = setting(1800.0, "seconds that an access token lives")
    expires_in: Literal["ms", "s"] = setting("ms", "unit of `expires_at`")
    revoke_after: int | None = setting(None, "a token stops working after that many calls", bare=1)
    unauthorized_delay: Latency = setting(Latency(), "delay of each 401 answer")
    oauth_delay: Latency = setting(Latency(), "delay of each answer of the token endpoint")
    oauth_fail_first: int = setting(0, "that many token requests fail first", bare=1)
    oauth_down: bool = setting(default=False, help="every token request fails")
    oauth_status: int = setting(500, "status of failing token requests")

    # the shape of answers
    completion_object: Literal["chat.completion", "chat.completions"] = setting("chat.completion", "`object` of v1")
    function_call_id: bool = setting(default=False, help="function calls carry an `id`")
    split_function_call: bool = setting(default=False, help="v1 stream: finish_reason in a chunk after the call's")
    v2_tool_role: Literal["any", "tool", "function"] = setting("any", "role that v2 accepts for tool results")
    v2_call_in: Literal["delta", "done"] = setting("delta", "v2 stream: which event carries a function call")
    v2_result: Literal["any", "json"] = setting("any", "json: function_result.result must be a JSON string or object")
    functions_after_result: Literal["allowed", "rejected"] = setting(
        "allowed", "rejected: 422 when functions are sent again after a function's result"
    )
    strict_functions: bool = setting(
        default=True,
        help="reject tool schemas with anyOf/allOf, enums that are not strings, objects without properties",
    )
    stream_usage: Literal["last", "every", "absent"] = setting("last", "chunks of a v1 stream that carry usage")

    # failures before an answer
    latency: Latency = setting(
        Latency(), "delay before an answer: constant:S, uniform:LOW,HIGH, lognormal:MEDIAN,SIGMA"
    )
    fail_first: int = setting(0, "that many API calls fail first", bare=1)
    fail_every: int = setting(0, "every n-th API call fails")
    fail_status: int = setting(502, "status of failing calls; 502, 503 and 504 are HTML pages of the gateway")
    drop_first: int = setting(0, "that many API calls get a closed connection instead of an answer", bare=1)
    retry_after: Literal["absent", "seconds", "date"] = setting("absent", "form of Retry-After on 429 and 503")
    retry_after_seconds: int = setting(1, "value of Retry-After")

    # failures inside a stream
    trickle: float = setting(0.0, "seconds between the pieces of a stream", bare=0.2)
    split: int = setting(0, "send streams in pieces of that many bytes, through UTF-8 characters too", bare=1)
    cut_after_bytes: int | None = setting(None, "cut the connection after that many bytes of a stream", bare=100)
    cut_hard: bool = setting(default=False, help="cut by a TCP reset, not by closing")
    end_after_chunks: int | None = setting(None, "end the body properly after that many chunks", bare=1)
    missing_done: bool = setting(default=False, help="v1 stream without `data: [DONE]`")
    stream_error: Literal["none", "status", "openai", "event"] = setting(
        "none", "an error inside the stream: bare status object, OpenAI's `error` object, `event: error`", bare="status"
    )
    stream_error_after: int = setting(1, "chunks before the error inside the stream")
