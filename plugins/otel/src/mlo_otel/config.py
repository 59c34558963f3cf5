"""What is exported, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from mlo.secret import Secret

__all__ = ["OtelConfig"]


@frozen(kw_only=True)
class OtelConfig:
    """The options of an ``otel`` observer. Times are in seconds.

    ``endpoint`` is the base URL of an OTLP/HTTP receiver (``/v1/traces`` and so on are appended); without it the
    standard variables ``OTEL_EXPORTER_OTLP_*`` say, else it is ``http://localhost:4318``. ``headers``, ``timeout``,
    ``compression`` and ``certificate`` (a file of CA certificates) go before those variables, too. ``service`` and
    ``resource`` describe this process.

    ``traces``, ``metrics`` and ``events`` say what is sent; ``chunks`` adds the time per output chunk, which costs a
    little at each event of a stream. ``content`` sends prompts and answers, if the configuration captures them.
    ``propagate`` sends ``traceparent`` along to providers. ``names`` gives the ``gen_ai.provider.name`` of provider
    instances where the id of the plugin is not it.

    ``queue`` is how many spans (and as many events) may wait, ``batch`` how many go at a time, ``delay`` how long one
    waits at most, ``interval`` the time between two exports of metrics. Closing waits ``close_timeout`` at most.
    ``set_global`` makes these providers those of the process, for other libraries that are instrumented.
    """

    endpoint: str | None = None
    headers: Mapping[str, Secret] = field(factory=dict)
    timeout: float | None = None
    compression: Literal["none", "gzip"] | None = None
    certificate: str | None = None
    service: str | None = None
    resource: Mapping[str, str] = field(factory=dict)
    traces: bool = True
    metrics: bool = True
    events: bool = False
    chunks: bool = True
    content: bool = False
    propagate: bool = True
    names: Mapping[str, str] = field(factory=dict)
    queue: int = 8_192
    batch: int = 512
    delay: float = 5.0
    interval: float = 60.0
    close_timeout: float = 5.0
    set_global: bool = False
