"""The lane xai: sessions and opt-outs of internal users, and whom the flag shows M1 to."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import CYCLE_SECONDS, Episode, Story
from slo_guard.domain.readings import FloatArray

APPROVED = Episode(
    20,
    math.inf,
    "xai_m1_approved",
    "XAI-2.1 M1 is approved: from now on its KPIs apply; its few sessions are behind the line",
    "stays so",
    once=True,
)
OPT_OUTS = Episode(
    56,
    125,
    "xai_opt_out_rate",
    "enough sessions to judge: over 3% of them opted out",
    "many more sessions dilute the opt-outs",
)
FLAG_TOO_WIDE = Episode(
    128, 142, "xai_users_outside_cohort", "the flag shows M1 to twelve users outside", "the flag is internal again"
)
EPISODES = (APPROVED, OPT_OUTS, FLAG_TOO_WIDE)

_ENABLED_AFTER_SECONDS = 5.0
_SESSIONS = ((20.0, 40.0, 56.0, 100.0, 112.0, 125.0), (0.0, 4.0, 33.0, 100.0, 180.0, 400.0))
_OPTED_OUT = ((50.0, 58.0, 100.0, 125.0), (0.0, 5.0, 6.0, 11.0))
"""Positions in the first cycle, and what was counted by them: late in it 2.75% have opted out."""

_GROWTH = 1.15
_DILUTES_FROM = 112.0
_QUIET_SESSIONS_A_DAY = 30.0
_QUIET_OPT_OUTS = 0.01
_INTERNAL, _EXTERNAL = labelled("cohort", "internal"), labelled("cohort", "external")


def approved_at(story: Story) -> float:
    """Return when M1 was approved: without faults on the sprint's first morning."""
    return story.instant(APPROVED.starts) if story.faults else story.local(0, 9)


def _sessions(story: Story, at: FloatArray) -> Values:
    if not story.faults:
        days = np.clip(at - approved_at(story), 0.0, None) / 86400.0
        internal = np.floor(days * _QUIET_SESSIONS_A_DAY)
    else:
        first = np.interp(story.elapsed(at), *_SESSIONS)
        # Later cycles: the last one's sessions grow again once the opt-outs have been seen.
        later = _later_cycles(story, at, _SESSIONS[1][-1], _DILUTES_FROM, OPT_OUTS.ends)
        internal = np.floor(first + later)
    return {_INTERNAL: internal, _EXTERNAL: np.zeros(at.shape)}


def _opt_outs(story: Story, at: FloatArray) -> Values:
    if not story.faults:
        internal = np.floor(_sessions(story, at)[_INTERNAL] * _QUIET_OPT_OUTS)
    else:
        first = np.interp(story.elapsed(at), *_OPTED_OUT)
        starts = OPT_OUTS.starts
        internal = np.ceil(first + _later_cycles(story, at, _OPTED_OUT[1][-1], starts, starts + 2.0))
    return {_INTERNAL: internal, _EXTERNAL: np.zeros(at.shape)}


def _later_cycles(story: Story, at: FloatArray, base: float, starts: float, ends: float) -> FloatArray:
    """Return by how much ``base``, which the first cycle ends with, has grown in the cycles after it."""
    grown = story.grown(base, _GROWTH, at - story.stretch * CYCLE_SECONDS, starts, ends)
    return np.where(story.cycles(at)[0] >= 1, grown, 0.0)


def _flag_enabled(story: Story, at: FloatArray) -> Values:
    on = at >= approved_at(story) + _ENABLED_AFTER_SECONDS * story.stretch
    return {(): on.astype(np.float64)}


def _flag_users(story: Story, at: FloatArray) -> Values:
    enabled = _flag_enabled(story, at)[()]
    return {_INTERNAL: 14.0 * enabled, _EXTERNAL: np.where(story.active(FLAG_TOO_WIDE, at), 12.0, 0.0)}


INDICATORS: Mapping[str, SeriesOf] = {
    "xai_sessions_total": _sessions,
    "xai_opt_outs_total": _opt_outs,
    "xai_m1_flag_enabled": _flag_enabled,
    "xai_flag_users": _flag_users,
}
