"""The story's time: cycles, episodes, growth, and the ticks at which sources write."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from slo_guard.demo.world.story import CYCLE_SECONDS, Episode, Story

START = 1783612800.0
STORY = Story(START, START - 30 * 3600)
REPEATED = Episode(10, 40, "a", "begins", "ends")
ONCE = Episode(10, 40, "a", "begins", "ends", once=True)


def on(episode: Episode, *positions: float, story: Story = STORY) -> list[bool]:
    return story.active(episode, np.array([story.instant(position) for position in positions])).tolist()


def test_an_episode_is_on_from_its_start_to_just_before_its_end_in_each_cycle() -> None:
    """What the timeline announces is what happens."""
    assert on(REPEATED, -CYCLE_SECONDS + 20, 9.9, 10, 39.9, 40) == [False, False, True, True, False]
    assert on(REPEATED, CYCLE_SECONDS + 20) == [True]
    assert on(ONCE, 20, CYCLE_SECONDS + 20) == [True, False]


def test_without_faults_only_what_is_planned_happens() -> None:
    """The quiet demo has a sprint that goes on, and nothing that goes wrong."""
    quiet = Story(START, START - 30 * 3600, faults=False)
    planned = Episode(10, 40, "a", "begins", "ends", planned=True)

    assert on(REPEATED, 20, story=quiet) == [False]
    assert on(planned, 20, story=quiet) == [True]


def test_a_stretched_story_has_the_same_episodes_later() -> None:
    """One story serves the three minutes of the live demo and the twelve days of a sprint."""
    slow = Story(START, START, stretch=5760.0)

    assert on(REPEATED, 9.9, 10, 39.9, 40, story=slow) == [False, True, True, False]
    assert slow.instant(CYCLE_SECONDS) == START + 12 * 86400


@pytest.mark.parametrize("story", [STORY, Story(START, START, stretch=5760.0), Story(START, START, faults=False)])
@pytest.mark.parametrize("episode", [REPEATED, ONCE, Episode(20, math.inf, "a", "begins", "ends", once=True)])
def test_how_long_an_episode_was_on_is_the_time_for_which_it_was(story: Story, episode: Episode) -> None:
    """Requests that come only while it is on are counted by it; counted twice or lost they would contradict the p95."""
    at = np.array([story.instant(position) for position in np.arange(-20.0, 3 * CYCLE_SECONDS, 1.0)])

    seconds = story.seconds_of(episode, at)

    on_until_then = np.cumsum(story.active(episode, at)) * story.stretch
    assert seconds[1:] == pytest.approx(on_until_then[:-1], abs=1e-3)
    assert (np.diff(seconds) >= 0).all()


def test_what_grows_goes_on_in_the_next_cycle_from_where_it_stands() -> None:
    """A counter made of it must never fall."""
    at = START + np.arange(-100.0, 5 * CYCLE_SECONDS, 0.5)

    grown = STORY.grown(100.0, 1.5, at, 20.0, 30.0)

    assert (np.diff(grown) >= 0).all()
    assert grown[at < START].tolist() == [0.0] * 200
    assert grown[-1] == pytest.approx(100.0 * (1.5**5 - 1.0))


def test_ticks_are_the_same_whoever_asks_and_when() -> None:
    """A database that is written in other steps must hold the same rows."""
    whole = STORY.ticks(STORY.history_from - 1, START + 60)
    edges = [STORY.history_from - 1, START - 1234.5, START, START + 0.5, START + 30, START + 60]

    parts = [STORY.ticks(after, until) for after, until in itertools.pairwise(edges)]

    assert np.concatenate(parts).tolist() == whole.tolist()
    assert np.diff(whole[whole >= START]).tolist() == [2.0] * 30
    assert set(np.diff(whole[whole < START])) == {300.0}
    assert whole[0] >= STORY.history_from


def test_ticks_without_a_past_begin_with_the_story() -> None:
    """The whole sprint at speed starts at its first instant."""
    slow = Story(START, START, stretch=5760.0, tick_seconds=300.0)

    ticks = slow.ticks(slow.history_from - 1, START + 600)

    assert ticks[-3:].tolist() == [START, START + 300, START + 600]
    assert np.diff(ticks).min() > 0


def test_local_times_are_those_of_the_sprints_zone() -> None:
    """People sign by their own clocks, also on the day on which these change."""
    story = Story(1772866800.0 + 9 * 3600, 1772866800.0)  # 2026-03-07 in Denver, clocks go forward on the 8th

    assert story.local(0, 15) == 1772866800.0 + 15 * 3600
    assert story.local(1, 15) == 1772866800.0 + 24 * 3600 + 14 * 3600
    assert story.local(1, 9.5) == 1772866800.0 + 24 * 3600 + 8.5 * 3600
