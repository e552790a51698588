"""How a KPI went, drawn: what is marked as missed, where the lines and ticks are, and when alerts fired."""

from __future__ import annotations

import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from slo_guard.domain.alerts import AlertKey, AlertKind, Transition
from slo_guard.domain.kpi import Severity
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.expose.pages.axis import time_ticks, value_ticks
from slo_guard.expose.pages.moments import Calendar, age_words
from slo_guard.expose.pages.periods import firing_periods
from slo_guard.expose.pages.plot import NARROW, WIDE, Plotted, plot
from slo_guard.expose.pages.sparkline import spark_of
from slo_guard.expose.pages.trail_runs import bridged, runs_of, thinned, trail_words
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_plan, an_objective, labels
from tests.support.pictures import NAN, NOW, a_snapshot

HOUR = 3600.0
P95 = a_kpi("p95", title="p95 <of> GA", unit="seconds", objective=an_objective("at_most", 1.16), interval_seconds=60.0)
DENVER = ZoneInfo("America/Denver")
MET, MISSED, UNSEEN = int(Verdict.MET), int(Verdict.MISSED), -1


def a_trail(values: list[float], verdicts: list[int], slot: float = HOUR, start: float = SPRINT_START) -> Trail:
    """Return a trail of one series."""
    value = np.array(values)
    at = start + slot * np.arange(1, len(values) + 1)
    return Trail(slot, at, value, value, value, np.array(verdicts, dtype=np.int8))


def shown(trail: Trail, kpi=P95, **more):
    return a_snapshot([], plan=a_plan(kpi), trails={(kpi.sprint, kpi.id): trail}, **more)


def test_what_was_missed_is_marked_in_shape_and_in_words():
    """Red alone says nothing to one man in twelve, and nothing at all to a screen reader."""
    trail = a_trail([1.0] * 20 + [1.3] * 5 + [1.0] * 25, [MET] * 20 + [MISSED] * 5 + [MET] * 25)

    spark = str(spark_of(P95, shown(trail)))

    assert 'aria-label="p95 &lt;of&gt; GA over the sprint: judged for 2 d 2 h, of which missed up to 5 h"' in spark
    assert spark.count('class="zone"') == 1
    assert spark.count('class="bar-missed"') == 1
    assert spark.count('class="bar-met"') == 2
    assert 'class="goal"' in spark
    assert 'class="line bad"' in spark


def test_a_single_missed_slot_is_still_drawn():
    """A point is a line of no length; round caps show it."""
    trail = a_trail([1.0] * 20 + [1.3] + [1.0] * 25, [MET] * 20 + [MISSED] + [MET] * 25)

    bad = re.search(r'class="line bad" d="([^"]+)"', str(spark_of(P95, shown(trail))))

    assert bad is not None
    assert bad[1].endswith("h0")


def test_minutes_of_a_sprint_are_shown_as_minutes():
    """Of a demo that has just begun only a dot would be seen."""
    few = a_trail([NAN] * 10 + [1.0], [UNSEEN] * 10 + [MET])
    recent = a_trail([1.0, 1.3, 1.0], [MET, MISSED, MET], slot=60.0)

    spark = str(spark_of(P95, shown(few, recent_trails={(P95.sprint, P95.id): recent})))

    assert "p95 &lt;of&gt; GA lately: judged for 3 min, of which missed up to 1 min" in spark


def test_nothing_seen_is_no_picture():
    """An empty picture would look like a flat line."""
    assert spark_of(P95, shown(a_trail([NAN, NAN], [UNSEEN, UNSEEN]))) is None
    assert spark_of(P95, a_snapshot([], plan=a_plan(P95))) is None


@pytest.mark.parametrize(("op", "kept"), [("at_most", 9.0), ("at_least", -9.0)])
def test_thinning_keeps_the_worst(op, kept):
    """A breach of one slot in four hundred must not vanish because a picture has 120 pixels."""
    values = [1.0] * 400
    values[123], values[124] = 9.0, -9.0

    _, value, missed = thinned(a_trail(values, [MET] * 124 + [MISSED] + [MET] * 275), an_objective(op, 1.0), 120)

    assert len(value) <= 120
    assert kept in value
    assert missed.sum() == 1


def test_a_picture_is_small_however_often_a_verdict_flaps():
    """Sixty-six of them make a page."""
    flapping = a_trail([1.0, 1.3] * 250, [MET, MISSED] * 250, slot=1800.0)

    assert len(str(spark_of(P95, shown(flapping)))) < 20_000


def test_a_verdict_stands_until_the_next_evaluation_and_not_longer():
    """A KPI that is judged once an hour has no gaps of fifty minutes; one that stopped has."""
    hourly = replace(P95, interval_seconds=HOUR)
    trail = a_trail([1.0] + [NAN] * 9, [MET] + [UNSEEN] * 9, slot=600.0)

    runs = list(runs_of(bridged(trail, hourly)))

    assert [(run.first, run.last, run.verdict) for run in runs] == [(0, 5, Verdict.MET)]


def test_a_plot_has_lines_periods_and_moments_where_they_belong():
    """Somebody reads off when it began, and how far above the limit it was."""
    kpi = replace(P95, warn=an_objective("at_most", 1.05), due_at=SPRINT_END - HOUR)
    trail = a_trail([1.0] * 20 + [1.3] * 5, [MET] * 20 + [MISSED] * 5)
    periods = firing_periods([_change(P95, 20, AlertState.FIRING)], SPRINT_START, SPRINT_START + 25 * HOUR)
    plotted = Plotted(kpi, trail, (SPRINT_START, SPRINT_END), DENVER, periods, [("due", SPRINT_END - HOUR)])

    wide, narrow = (str(plot(plotted, size, "in words")) for size in (WIDE, NARROW))

    for picture in (wide, narrow):
        assert 'aria-label="in words"' in picture
        assert picture.count('class="fired breach"') == 1
        assert ">objective at most 1.16<" in picture
        assert ">warn at most 1.05<" in picture
        assert ">due<" in picture
        assert " style=" not in picture
    assert ">Tue 7<" in wide
    assert ">1.2s<" in wide


def test_no_time_is_cut_off_at_the_right_edge():
    """``06:4`` is not a time."""
    end = SPRINT_START + 2 * HOUR + 60.0

    narrow = str(plot(Plotted(P95, a_trail([1.0], [MET]), (SPRINT_START, end), DENVER, [], []), NARROW, "words"))

    [(x, anchor)] = re.findall(r'<text x="([\d.]+)"( text-anchor="end")? y="[\d.]+">02:00<', narrow)
    assert float(x) > 330
    assert anchor


@pytest.mark.parametrize("unit", ["seconds", "bytes", "ratio", ""])
@pytest.mark.parametrize("bound", [1.16, 0.0, 5e-324, -1e308])
@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308],
        [1.79e308, 1.79e308],
        [0.0, 5e-324],
        [1e-300, 1e-310],
        [1.0, 1.0 + 2.3e-16],
        [float("inf"), 1.0],
        [float("-inf"), float("inf")],
        [-5.0],
        [NAN, NAN],
    ],
)
def test_every_value_that_a_source_may_bring_has_a_picture(values, bound, unit):
    """A source gone mad must not take the page with it on which people see that it has."""
    kpi = replace(P95, unit=unit, objective=an_objective("at_most", bound))
    trail = a_trail(values, [MISSED] * len(values))

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        wide = plot(Plotted(kpi, trail, (SPRINT_START, SPRINT_END), DENVER, [], []), WIDE, "words")
        spark = spark_of(kpi, shown(a_trail(values * 60, [MISSED] * len(values) * 60), kpi))

    assert not re.search(r"(inf|nan)[ \"hL]", re.sub(r"<text.*?</text>", "", f"{wide}{spark}"))


def test_what_is_true_or_false_has_no_scale_of_numbers():
    """0.6 of a sign-off is none."""
    signed = a_kpi("drill", type=IndicatorType.BOOL, objective=an_objective("is", True))
    trail = a_trail([0.0, 1.0, 1.0], [MISSED, MET, MET])

    picture = str(plot(Plotted(signed, trail, (SPRINT_START, SPRINT_END), DENVER, [], []), WIDE, "words"))

    assert re.findall(r'text-anchor="end">(\w+)<', picture) == ["false", "true"]


@pytest.mark.parametrize(
    ("low", "high", "unit", "texts"),
    [
        (0.0, 1.3, "seconds", ["0s", "500ms", "1s"]),
        (0.0, 86_400.0, "seconds", ["0s", "6h", "12h", "18h", "1d"]),
        (0.0, 7200.0, "seconds", ["0s", "30m", "1h", "1h 30m", "2h"]),
        (0.94, 1.0, "ratio", ["94%", "96%", "98%", "100%"]),
        (0.0, 3e9, "bytes", ["0B", "1GiB", "2GiB"]),
        (-3.0, 3.0, "", ["-2", "0", "2"]),
        (0.0, 0.0021, "ratio", ["0%", "0.1%", "0.2%"]),
    ],
)
def test_ticks_are_round_in_the_units_that_people_think_in(low, high, unit, texts):
    """Nobody reads 16.67m off an axis."""
    assert [text for _, text in value_ticks(low, high, unit, 4)] == texts


def test_days_begin_at_local_midnight_on_the_day_that_clocks_change():
    """A day of 25 hours has its tick where the day begins, or every alert after it looks an hour off."""
    berlin = ZoneInfo("Europe/Berlin")
    start = 1_792_706_400.0  # Fri 23 Oct 2026 00:00 in Berlin; on the 25th clocks go back

    ticks = time_ticks(start, start + 5 * 86_400.0, berlin, 14)

    assert [text for _, text in ticks] == ["Fri 23", "Sat 24", "Sun 25", "Mon 26", "Tue 27"]
    assert ticks[3][0] - ticks[2][0] == 25 * HOUR


def test_hours_are_told_where_there_are_only_hours():
    """The last two hours on an axis of days have no tick at all."""
    assert [text for _, text in time_ticks(NOW - 2 * HOUR, NOW, DENVER, 5)] == [
        "12:00",
        "12:30",
        "13:00",
        "13:30",
        "14:00",
    ]


def test_minutes_and_seconds_are_told_where_there_is_no_more():
    """The first thing that somebody sees after the start is a course of half a minute."""
    minutes = time_ticks(NOW - 180, NOW, DENVER, 5)
    seconds = time_ticks(NOW - 28, NOW, DENVER, 5)

    assert [text for _, text in minutes] == ["13:57", "13:58", "13:59", "14:00"]
    assert [text for _, text in seconds] == ["13:59:45", "14:00:00"]


def _change(kpi, hour: float, to: AlertState, text: str = "", kind: AlertKind = AlertKind.BREACH) -> Transition:
    before = AlertState.PENDING if to is AlertState.FIRING else AlertState.FIRING
    return Transition(
        seq=int(hour),
        at=SPRINT_START + hour * HOUR,
        key=AlertKey(kpi.sprint, kpi.id, labels(text), kind),
        from_state=before,
        to_state=to,
        reason=Reason.OBJECTIVE_MISSED,
        verdict=Verdict.MISSED,
        value=1.3,
        active_at=SPRINT_START,
        severity=Severity.PAGE,
        lane=kpi.lane,
    )


def test_periods_are_those_of_each_alert_by_itself():
    """Two series that fire one after the other are two periods, and what still fires goes on until now."""
    changes = [
        _change(P95, 1, AlertState.INACTIVE, "system=fs"),
        _change(P95, 2, AlertState.FIRING, "system=xai"),
        _change(P95, 3, AlertState.FIRING, "system=fs"),
        _change(P95, 4, AlertState.INACTIVE, "system=xai"),
    ]

    periods = firing_periods(changes, SPRINT_START, SPRINT_START + 9 * HOUR)

    assert [((p.start - SPRINT_START) / HOUR, (p.end - SPRINT_START) / HOUR, p.going_on) for p in periods] == [
        (0, 1, False),
        (2, 4, False),
        (3, 9, True),
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (9 * HOUR + 60, "9 h 1 min"),
        (23 * HOUR, "23 h"),
        (86_400 + 2 * HOUR, "1 d 2 h"),
        (2489 * 86_400, "2,489 d"),
    ],
)
def test_ages_are_no_finer_than_anybody_wants_to_know(seconds, words):
    """3 d 4 h 12 min 9 s is read as a number of nothing."""
    assert age_words(seconds) == words


def test_a_silence_that_ends_next_year_says_so():
    """Read in July, the third of July is this year's to everybody."""
    calendar = Calendar("America/Denver", NOW)

    assert calendar.moment(NOW + 360 * 86_400.0).text == "Sat 3 Jul 2027 14:00"
    assert calendar.moment(NOW + 200 * 86_400.0).text == "Sun 24 Jan 13:00"


def test_a_slot_that_is_not_over_counts_for_what_is_over_of_it():
    """A daemon that has run for ten minutes has not seen an hour."""
    trail = a_trail([1.0, 1.3], [MET, MISSED])

    assert trail_words(trail, P95, float(trail.at[0]) + 600.0) == "judged for 1 h 10 min, of which missed up to 10 min"


def test_a_kpi_that_was_fine_all_the_time_says_so():
    """Good news is news."""
    assert trail_words(a_trail([1.0] * 3, [MET] * 3), P95, NOW) == "judged for 3 h, never missed"
    assert trail_words(a_trail([NAN], [UNSEEN]), P95, NOW) == "not judged yet"
