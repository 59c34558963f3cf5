"""Where metrics are served, and how many series they may become."""

from __future__ import annotations

from attrs import field, frozen, validators

__all__ = ["PrometheusConfig"]


@frozen(kw_only=True)
class PrometheusConfig:
    """The options of a ``prometheus`` observer.

    Metrics are served at ``http://HOST:PORT/metrics`` unless ``listen`` is off; port 0 is any free one. ``labels`` is
    how many values of one label are told apart, ``series`` how many combinations of values one metric may have; what
    comes beyond that is counted as ``_other``. ``chunks`` measures the time of each piece of a stream. ``process``
    adds memory, CPU time and open files of this process.
    """

    host: str = "127.0.0.1"
    port: int = field(default=9464, validator=[validators.ge(0), validators.le(65_535)])
    listen: bool = True
    labels: int = field(default=100, validator=validators.ge(1))
    series: int = field(default=2_000, validator=validators.ge(1))
    chunks: bool = True
    process: bool = True
