"""Local days and times as instants, on the days on which clocks change as well."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.domain.calendar import day_start
from slo_guard.domain.kpi import Sprint
from slo_guard.rulebook.calendar import parse_moment
from tests.support.rule_files import load

BERLIN = "Europe/Berlin"


def sprint(timezone: str, start: date, end: date) -> Sprint:
    zone = ZoneInfo(timezone)
    return Sprint("s", "", timezone, start, end, day_start(start, zone), day_start(end + timedelta(days=1), zone))


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SPRING = sprint(BERLIN, date(2026, 3, 23), date(2026, 4, 3))
AUTUMN = sprint(BERLIN, date(2026, 10, 19), date(2026, 10, 30))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-27", "2026-03-27T23:00"),
        ("2026-03-29", "2026-03-29T22:00"),
        ("2026-03-27T17:00", "2026-03-27T16:00"),
        ("2026-03-30 17:00", "2026-03-30T15:00"),
        ("2026-03-30T17:00:30", "2026-03-30T15:00:30"),
        ("2026-03-30T17:00Z", "2026-03-30T17:00"),
        ("2026-03-30T17:00-06:00", "2026-03-30T23:00"),
        ("sprint_end", "2026-04-03T22:00"),
    ],
)
def test_a_moment_is_local_and_a_date_is_the_end_of_its_day(text, expected):
    """The day on which clocks go forward has 23 hours."""
    assert parse_moment(text, SPRING).at == utc(expected)


def test_a_time_that_clocks_skip_is_refused_with_the_one_to_write():
    """02:30 does not exist on that night."""
    with pytest.raises(ValueError, match=r"2026-03-29T02:30 does not exist in Europe/Berlin.*write 2026-03-29T03:30"):
        parse_moment("2026-03-29T02:30", SPRING)


def test_a_time_that_occurs_twice_is_the_first_and_says_so():
    """Nobody is judged an hour later than they may have meant."""
    instant = parse_moment("2026-10-25T02:30", AUTUMN)

    assert instant.at == utc("2026-10-25T00:30")
    assert "occurs twice" in instant.note
    assert "+02:00" in instant.note


def test_the_note_about_a_time_that_occurs_twice_is_a_warning(tmp_path):
    """The rules can be used all the same."""
    text = "version: 1\nsprint: sprint-40\ntimezone: Europe/Berlin\nstart: 2026-10-19\nend: 2026-10-30\n"

    loaded = load(tmp_path, "- {kpi: a, indicator: x, objective: {is: true}, due: 2026-10-25T02:30}", sprint=text)

    assert loaded.plan is not None
    assert [finding.severity for finding in loaded.findings] == ["warning"]


def test_a_sprint_over_a_change_of_clocks_is_an_hour_shorter():
    """Twelve days less an hour."""
    assert SPRING.end_at - SPRING.start_at == 12 * 86400 - 3600


def test_a_day_whose_midnight_is_skipped_begins_when_clocks_do():
    """Beirut moves its clocks at midnight."""
    assert day_start(date(2026, 3, 29), ZoneInfo("Asia/Beirut")) == utc("2026-03-28T22:00")


@given(
    st.dates(date(1990, 1, 1), date(2199, 12, 30)),
    st.sampled_from(["America/Denver", "Asia/Beirut", "Australia/Lord_Howe", "America/Santiago", "UTC"]),
)
def test_days_follow_each_other_without_gap_or_overlap(day, timezone):
    """Every day has 22 to 26 hours, wherever it is."""
    zone = ZoneInfo(timezone)

    hours = (day_start(day + timedelta(days=1), zone) - day_start(day, zone)) / 3600

    assert 22 <= hours <= 26
