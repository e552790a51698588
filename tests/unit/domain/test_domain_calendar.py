"""Calendar windows and work days, against plain walks through the hours of a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.calendar import calendar_start, day_start, workday_ends
from slo_guard.domain.kpi import WindowKind

ZONES = [
    "America/Denver",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "UTC",
    "Asia/Beirut",
]
WEEK = ("mon", "tue", "wed", "thu", "fri")


def at(text: str, zone: str = "America/Denver") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("kind", "now", "start"),
    [
        (WindowKind.DAY, "2026-07-08T12:00", "2026-07-08T00:00"),
        (WindowKind.DAY, "2026-07-08T00:00", "2026-07-07T00:00"),
        (WindowKind.DAY, "2026-03-08T12:00", "2026-03-08T00:00"),
        (WindowKind.DAY, "2026-11-01T23:59", "2026-11-01T00:00"),
        (WindowKind.WEEK, "2026-07-08T12:00", "2026-07-06T00:00"),
        (WindowKind.WEEK, "2026-07-06T00:00", "2026-06-29T00:00"),
        (WindowKind.MONTH, "2028-02-29T12:00", "2028-02-01T00:00"),
        (WindowKind.MONTH, "2028-03-01T00:00", "2028-02-01T00:00"),
        (WindowKind.MONTH, "2026-12-31T12:00", "2026-12-01T00:00"),
    ],
)
def test_windows_begin_at_local_midnights(kind, now, start):
    """At midnight the day that ends is judged once as a whole; a leap day and a change of clocks are days like others."""
    assert calendar_start(kind, at(now), "America/Denver") == at(start)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(ZONES),
    st.sampled_from([kind for kind in WindowKind if kind.is_calendar]),
)
def test_windows_are_those_of_a_plain_walk_through_the_quarters_of_an_hour(second, zone, kind):
    """Whatever a zone's clocks do, the window begins where the local date last became another day, Monday or a first."""
    now = float(second)

    def name_of(instant: float) -> tuple[int, int]:
        day = datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(zone)).date()
        match kind:
            case WindowKind.DAY:
                return day.year, day.toordinal()
            case WindowKind.WEEK:
                return day.isocalendar()[:2]
            case _:
                return day.year, day.month

    start = calendar_start(kind, now, zone)

    assert start < now
    assert name_of(start) == name_of(now - 0.001) != name_of(start - 0.001)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 3_000), st.integers(1, 40), st.sampled_from(ZONES), st.integers(0, 23))
def test_work_days_are_those_of_a_plain_walk_through_the_days(first, length, zone_name, hours_short):
    """A burndown line must have its steps at the ends of work days, in every zone."""
    zone = ZoneInfo(zone_name)
    begin = date(2024, 1, 1) + timedelta(days=first)
    start = day_start(begin, zone)
    due = day_start(begin + timedelta(days=length), zone) - hours_short * 3600

    ends = workday_ends(start, due, zone_name, WEEK)

    expected, day = [], begin
    while day_start(day, zone) < due:
        if day.weekday() < 5:
            expected.append(min(day_start(day + timedelta(days=1), zone), due))
        day += timedelta(days=1)
    assert list(ends) == expected


def test_a_sprint_of_two_weeks_has_ten_work_days():
    """Saturday and Sunday are no time in which a team is behind."""
    ends = workday_ends(at("2026-07-06T00:00"), at("2026-07-18T00:00"), "America/Denver", WEEK)

    assert len(ends) == 10
    assert ends[0] == at("2026-07-07T00:00")
    assert ends[4:6] == (at("2026-07-11T00:00"), at("2026-07-14T00:00"))
