"""The ledger's tables.

Moments are microseconds since 1970 UTC, money is in billionths of the currency's unit (nano), both as integers. What is
unknown is ``NULL``, never 0.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table, Text

__all__ = ["ledger_meta", "metadata", "price", "quota_lease", "quota_window", "usage_event", "usage_hour"]

metadata = MetaData()

# One row per attempt, inserted once. `id` is `<call_id>/<attempt>`; a call that made no attempt has the attempt 0.
usage_event = Table(
    "usage_event",
    metadata,
    Column("id", Text, primary_key=True),
    Column("writer", Text, nullable=False),  # who wrote it: with `seq` the order in which things ended, clock or not
    Column("seq", BigInteger, nullable=False),
    Column("ts", BigInteger, nullable=False),  # when the call began: the same for all rows of a call
    Column("call_id", Text, nullable=False),
    Column("parent", Text),
    Column("attempt", Integer, nullable=False),
    Column("final", SmallInteger, nullable=False),  # 1 for the one row that ends its call
    Column("nested", SmallInteger, nullable=False),  # 1: a call of its own accounts for it, leave it out of sums
    Column("depth", Integer, nullable=False),
    Column("scope", Text),  # only for the rest of a lost lease: the one window that it counts in
    Column("organization", Text),
    Column("project", Text),
    Column("key_id", Text),
    Column("request_id", Text),
    Column("trace_id", Text),
    Column("route", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("target", Text),
    Column("provider", Text),
    Column("plugin", Text),
    Column("model_asked", Text),
    Column("model", Text),
    Column("region", Text),
    Column("status", Text, nullable=False),  # ok | error | cancelled | abandoned | refused | indeterminate
    Column("error", Text),
    Column("error_code", Text),
    Column("finish_reason", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("tool_tokens", BigInteger),
    Column("usage_source", Text),  # vendor | estimated
    Column("requests", Integer, nullable=False),  # what the row counts for in limits on requests
    Column("cost_nano", BigInteger),
    Column("held_nano", BigInteger, nullable=False),  # what limits count in place of a cost that will never be known
    Column("currency", Text),
    Column("price_id", Text),
    Column("latency_us", BigInteger),
    Column("ttfc_us", BigInteger),
    Column("queued_us", BigInteger),
    Column("attempts", Integer),  # on the final row: how many the call made
    Column("decision", Text),  # on the final row: JSON
    Column("features", Text),  # on the final row: JSON, never text of the prompt
    Index("usage_event_ts", "ts"),
)

# Sums of events, rebuildable from them. Unknown names are '' here, for they are part of the key.
usage_hour = Table(
    "usage_hour",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # its beginning, in seconds since 1970 UTC
    Column("organization", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),  # outermost calls that ended
    Column("attempts", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("tool_tokens", BigInteger, nullable=False),
    Column("cost_nano", BigInteger, nullable=False),
    Column("held_nano", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),  # attempts that may have cost something, nobody knows how much
    Column("estimated", BigInteger, nullable=False),  # attempts whose tokens were estimated
    Column("latency_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # kept in the order of the key: reports over millions of events take half the time
)

# Versions of prices, per million tokens of a kind and per request. Never rewritten: events point here.
price = Table(
    "price",
    metadata,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("currency", Text, nullable=False),
    Column("prompt", BigInteger, nullable=False),
    Column("completion", BigInteger, nullable=False),
    Column("cached", BigInteger),
    Column("tool", BigInteger),
    Column("reasoning", BigInteger),
    Column("request", BigInteger, nullable=False),
    Column("source", Text),
    Column("checked_on", Text),
    Column("vat", Text),
    Column("origin", Text, nullable=False),  # imported (an operator's, looked up) | observed (what an attempt said)
    Index("price_model", "model", "provider", "valid_from"),
)

# What has been used of a limit in one period, and what is promised to the leases below.
quota_window = Table(
    "quota_window",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("zone", Text, primary_key=True),
    Column("begins", BigInteger, nullable=False),
    Column("resets", BigInteger, nullable=False),
    Column("limit_requests", BigInteger),
    Column("limit_nano", BigInteger),
    Column("overage", Text, nullable=False),
    Column("used_requests", BigInteger, nullable=False),
    Column("used_nano", BigInteger, nullable=False),
    Column("doubtful_requests", BigInteger, nullable=False),  # the part of `used` that is indeterminate
    Column("doubtful_nano", BigInteger, nullable=False),
    Column("reserved_requests", BigInteger, nullable=False),
    Column("reserved_nano", BigInteger, nullable=False),
    Column("recalled", BigInteger, nullable=False),  # until when holders of leases are asked for what is unspent
)

# Blocks of a window that a process may spend without asking.
quota_lease = Table(
    "quota_lease",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("nano", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("lost", SmallInteger, nullable=False),  # 1: the owner was not heard of; the rest counts as used
    Index("quota_lease_window", "scope", "period", "zone"),
    Index("quota_lease_owner", "owner"),
)

# Facts about the ledger itself, such as the moment before which events have been deleted (`events_from`).
ledger_meta = Table(
    "ledger_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
