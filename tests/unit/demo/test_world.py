"""The world's numbers: pure functions of time that never contradict each other."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from slo_guard.demo.adapted_rules import shipped_rules
from slo_guard.demo.mission_control import EPISODES, EVENTS, SERIES, SIGNED, MissionControl
from slo_guard.demo.world.ga_ops import PAGE_DOWN
from slo_guard.demo.world.story import CYCLE_SECONDS, Story
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.rulebook import load_rules
from tests.support.demo_world import T0, mission

STRETCHED = MissionControl(Story(T0 - T0 % 86400, T0 - T0 % 86400, stretch=5760.0, tick_seconds=60.0))
WORLDS = pytest.mark.parametrize(
    "control", [mission(), mission(faults=False), STRETCHED], ids=["live", "quiet", "slow"]
)


@WORLDS
def test_equal_instants_give_equal_values_one_by_one_or_many_at_once(control: MissionControl) -> None:
    """A scrape and a range query must agree, or a backfill would contradict what was seen live."""
    at = control.story.started_at + control.story.stretch * np.linspace(-300, 400, 301)

    for name in SERIES:
        together = control.indicator(name, at)
        for k in (0, 150, 211, 300):
            alone = control.indicator(name, at[k : k + 1])
            assert {labels: values[0] for labels, values in alone.items()} == pytest.approx(
                {labels: values[k] for labels, values in together.items()}, nan_ok=True, rel=0
            ), name


@WORLDS
def test_counters_never_fall_and_never_exceed_their_totals(control: MissionControl) -> None:
    """A simulated reset or a ratio above one would show as a data error that nobody simulated."""
    story = control.story
    at = np.arange(story.history_from, story.instant(40 * CYCLE_SECONDS), 5.0 * story.stretch)

    for name in (name for name in SERIES if name.endswith("_total")):
        for labels, values in control.indicator(name, at).items():
            assert (np.diff(values) >= 0).all(), (name, labels)
            assert (values == np.floor(values)).all(), (name, labels)
    for part, total in (
        ("ga_complaints_total", "ga_requests_total"),
        ("ga_requests_within_target_total", "ga_requests_total"),
        ("ga_audits_passed_total", "ga_audits_total"),
        ("mpd_packets_auto_passed_total", "mpd_packets_total"),
        ("xai_opt_outs_total", "xai_sessions_total"),
    ):
        parts, totals = control.indicator(part, at), control.indicator(total, at)
        for labels, values in totals.items():
            assert (parts[labels] <= values).all(), (part, labels)


@WORLDS
def test_a_range_of_events_is_the_sum_of_its_parts(control: MissionControl) -> None:
    """Files and pages are written in steps; an event that comes twice or never would falsify a median."""
    story = control.story
    edges = [
        story.history_from,
        *(story.instant(position) for position in (-5, 0, 73.3, 75, 110, 111.5, 180, 290, 500)),
    ]

    for name in EVENTS:
        whole = control.events(name, edges[0], edges[-1])
        parts = [event for after, until in itertools.pairwise(edges) for event in control.events(name, after, until)]
        assert parts == list(whole), name
        assert all(edges[0] < event.at <= edges[-1] for event in whole)
        assert [count for count in Counter(event.id for event in whole).values() if count > 1] == []


@WORLDS
def test_what_was_signed_stays_as_it_was_signed(control: MissionControl) -> None:
    """Evidence is judged by its own time: an entry that changes afterwards would rewrite the past."""
    story = control.story
    earlier, later = story.instant(100), story.instant(160)

    before, after = control.sign_offs(earlier), control.sign_offs(later)

    assert before.keys() == after.keys() == set(SIGNED)
    for name, entries in before.items():
        assert [entry for entry in after[name] if entry.when <= earlier] == list(entries), name
        assert all(entry.when <= earlier for entry in entries)


def test_nothing_is_measured_before_the_services_began() -> None:
    """A range query that reaches back further gets no samples there, not zeros."""
    control = mission()
    begin = control.story.history_from

    values = control.indicator("ga_requests_total", np.array([begin - 1, begin]))

    assert all(np.isnan(series[0]) and np.isfinite(series[1]) for series in values.values())
    assert control.events("mpd_resolution_seconds", 0.0, begin) == ()


def test_every_episode_names_a_kpi_of_the_shipped_rules() -> None:
    """What the demo announces must be found on its page."""
    loaded = load_rules([shipped_rules()], None)
    assert loaded.plan is not None

    ids = {kpi.id for kpi in loaded.plan.kpis}

    assert {episode.kpi for episode in EPISODES} - ids == {PAGE_DOWN.kpi}


def test_every_indicator_of_the_shipped_rules_is_simulated() -> None:
    """One that is not would be no data for ever."""
    loaded = load_rules([shipped_rules()], None)
    assert loaded.plan is not None

    assert set(loaded.plan.indicators) == {*SERIES, *EVENTS, *SIGNED, BURN_ALARM}
