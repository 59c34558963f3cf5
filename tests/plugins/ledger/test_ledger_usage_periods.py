"""What people mean by a time: days in zones, months, the last so many hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_ledger.reports.periods import HOUR, Period, between, last, month, this_month, zone_of

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 26, 22, 30, tzinfo=UTC)  # the 27th in Moscow


def shown(period: Period) -> tuple[str, str]:
    begin, end = (datetime.fromtimestamp(each, period.zone) for each in (period.begin, period.end))
    return f"{begin:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("1h", "2026-11-27 01:00"),
        ("24h", "2026-11-26 02:00"),
        ("1d", "2026-11-27 00:00"),
        ("7d", "2026-11-21 00:00"),
        ("2w", "2026-11-14 00:00"),
    ],
)
def test_the_last_so_many_include_the_current_one(text: str, begin: str) -> None:
    assert shown(last(text, MOSCOW, NOW)) == (begin, "2026-11-27 02:00")


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7 d", "7y", "99999w", "1.5d"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        last(text, MOSCOW, NOW)


def test_months_are_those_of_the_zone() -> None:
    assert shown(month("2026-11", MOSCOW)) == ("2026-11-01 00:00", "2026-12-01 00:00")
    assert shown(month("2026-12", MOSCOW)) == ("2026-12-01 00:00", "2027-01-01 00:00")
    assert month("2026-11", MOSCOW).begin - month("2026-11", zone_of("UTC")).begin == -3 * HOUR
    assert shown(this_month(MOSCOW, datetime(2026, 11, 30, 21, 0, tzinfo=UTC))) == (
        "2026-12-01 00:00",
        "2026-12-01 01:00",
    )


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "26-11", "2026-11-01", "0000-01"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        month(text, MOSCOW)


def test_days_and_times_are_local_unless_they_say_otherwise() -> None:
    assert shown(between("2026-11-01", "2026-11-02T12:00", MOSCOW, NOW)) == ("2026-11-01 00:00", "2026-11-02 12:00")
    assert shown(between("2026-11-01T00:00Z", None, MOSCOW, NOW)) == ("2026-11-01 03:00", "2026-11-27 02:00")


@pytest.mark.parametrize(
    ("begin", "end"), [("2026-11-02", "2026-11-01"), ("2026-11-02", "2026-11-02"), ("2027-01-01", None), ("noon", None)]
)
def test_what_is_no_time_between(begin: str, end: str | None) -> None:
    with pytest.raises(ValueError, match=r".*"):
        between(begin, end, MOSCOW, NOW)


def test_limits_within_an_hour_move_to_its_beginning_and_say_so() -> None:
    india = month("2026-11", ZoneInfo("Asia/Kolkata"))
    assert shown(india) == ("2026-10-31 23:30", "2026-11-30 23:30")
    assert india.shifted
    assert between("2026-11-01T10:30", None, MOSCOW, NOW).shifted
    assert between("2026-11-01T10:00", "2026-11-01T11:15", MOSCOW, NOW).shifted
    assert not month("2026-11", MOSCOW).shifted
    assert not last("24h", MOSCOW, NOW).shifted


def test_clocks_that_change_part_a_period() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    parts = list(month("2026-10", berlin).stretches())
    assert [part.offset for part in parts] == [7200, 3600]
    assert datetime.fromtimestamp(parts[0].end, UTC) == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert len(list(month("2026-10", MOSCOW).stretches())) == 1


@given(
    st.sampled_from(
        ["Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(1, 900),
)
def test_stretches_cover_a_period_without_gaps(name: str, begin: datetime, hours: int) -> None:
    end = begin + timedelta(hours=hours)
    period = between(f"{begin.isoformat()}+00:00", f"{end.isoformat()}+00:00", ZoneInfo(name), NOW)
    parts = list(period.stretches())
    assert (parts[0].begin, parts[-1].end) == (period.begin, period.end)
    assert all(one.end == two.begin and one.offset != two.offset for one, two in pairwise(parts))
    for part in parts:
        for moment in (part.begin, part.end - HOUR):
            offset = datetime.fromtimestamp(moment, period.zone).utcoffset()
            assert offset is not None
            assert offset.total_seconds() == part.offset


def test_zones_that_do_not_exist() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(ValueError, match=r".*"):
            zone_of(name)
