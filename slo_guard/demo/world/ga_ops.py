"""The lane ga-ops: latency, complaints and audits of the systems in general availability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

SYSTEMS = ("fs", "predictive", "xai2")

SLOW_PREDICTIVE = Episode(
    10,
    55,
    "ga_e2e_p95",
    "predictive answers slowly (p95 1.31s, limit 1.16s), callers try again: its latency budget burns",
    "predictive is fast again",
)
SLOW_XAI2 = Episode(28, 60, "ga_e2e_p95", "xai2 is slow as well: p95 1.24s, it joins the alert", "xai2 is fast again")
DRILL_UNSIGNED = Episode(
    30,
    130,
    "ga_rollback_drill_logged",
    "the drill is due and not logged (in later cycles: withdrawn)",
    "the drill is logged, late",
)
LATE_AUDITS = Episode(
    50, 85, "ga_audits", "twelve audits of fs fail and wait for their second run", "the second run passes them"
)
COMPLAINTS = Episode(
    95, 120, "ga_complaint_rate", "users of xai2 complain: over 0.8% in 24h", "traffic without complaints dilutes it"
)
PAGE_DOWN = Episode(
    148,
    170,
    "collector services",
    "the metrics page answers 500: no data, and nothing green",
    "the page answers again",
)
EPISODES = (SLOW_PREDICTIVE, SLOW_XAI2, DRILL_UNSIGNED, LATE_AUDITS, COMPLAINTS, PAGE_DOWN)

_DAY = 86400.0
_DILUTED_UNTIL = 125.0
_COMPLAINT_RATIO = 0.0078
"""The quiet share of complaints: just under the objective's 0.8%, so that eight more cross it."""

_TRAFFIC_GROWTH = 1.05
"""How much traffic without complaints grows xai2's requests a cycle: what dilutes the complaints again."""

_RETRIES = 3.0
"""How many times as many requests come while a system is slow as a whole: callers give up, and try again."""

_SLOW_SHARE: Mapping[str, float] = {"fs": 0.008, "predictive": 0.012, "xai2": 0.015}
"""Share of requests above the target on a quiet day."""


class _Slow(NamedTuple):
    """In which episode which share of requests is above the target, and how many times as many come."""

    episode: Episode
    share: float
    times: float


_WHILE_SLOW: Mapping[str, _Slow] = {
    "predictive": _Slow(SLOW_PREDICTIVE, 0.95, _RETRIES),
    "xai2": _Slow(SLOW_XAI2, 0.07, 1.0),
}

_ROUNDING = 1e-6
"""Added before a count is cut to a whole number: a cycle's end must not take one away that was there."""

_REQUESTS_A_DAY: Mapping[str, float] = {"fs": 90_000.0, "predictive": 40_000.0, "xai2": 20_000.0}
_QUIET_RATIO: Mapping[str, float] = {"fs": 0.002, "predictive": 0.004, "xai2": _COMPLAINT_RATIO}
_AUDITS_A_DAY: Mapping[str, float] = {"fs": 140.0, "predictive": 180.0, "xai2": 110.0}
_LATE_AUDITS = 12.0
_QUIET_P95: Mapping[str, float] = {"fs": 0.84, "predictive": 0.92, "xai2": 0.98}
_SLOW: Mapping[str, tuple[Episode, float]] = {"predictive": (SLOW_PREDICTIVE, 1.31), "xai2": (SLOW_XAI2, 1.24)}


def _p95(story: Story, at: FloatArray) -> Values:
    series: Values = {}
    for number, (system, quiet) in enumerate(_QUIET_P95.items()):
        episode, slow = _SLOW.get(system, (SLOW_PREDICTIVE, quiet))
        level = np.where(story.active(episode, at), slow, quiet)
        series[_system(system)] = level + 0.03 * np.sin(at / 37.0 + 2.0 * number)
    return series


def _requests(story: Story, at: FloatArray) -> Values:
    counted = {}
    for name in _REQUESTS_A_DAY:
        usual, while_slow = _usual_and_while_slow(story, at, name)
        counted[_system(name)] = usual + while_slow + _diluting(story, at, name)
    return counted


def _within_target(story: Story, at: FloatArray) -> Values:
    # What is too slow is cut to whole numbers, not what is in time: no request is in time before it is counted.
    counted = {}
    for name, share in _SLOW_SHARE.items():
        usual, while_slow = _usual_and_while_slow(story, at, name)
        too_slow = np.floor(usual * share)
        if name in _WHILE_SLOW:
            too_slow += np.floor(while_slow * _WHILE_SLOW[name].share)
        counted[_system(name)] = usual + while_slow - too_slow + _diluting(story, at, name)
    return counted


def _usual_and_while_slow(story: Story, at: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
    """Return how many requests came so far while a system was as fast as usual, and while it was slow."""
    since, a_second = at - story.history_from, _REQUESTS_A_DAY[name] / _DAY
    if name not in _WHILE_SLOW:
        return np.floor(since * a_second), np.zeros(at.shape)
    episode, _, times = _WHILE_SLOW[name]
    slow = story.seconds_of(episode, at)
    usual: FloatArray = np.floor((since - slow) * a_second + _ROUNDING)
    while_slow: FloatArray = np.floor(slow * a_second * times + _ROUNDING)
    return usual, while_slow


def _diluting(story: Story, at: FloatArray, name: str) -> FloatArray:
    """Return what comes beyond the usual: to xai2 in each cycle so many that the new complaints are diluted again."""
    if name != "xai2":
        return np.zeros(at.shape)
    extra = story.grown(_REQUESTS_A_DAY["xai2"], _TRAFFIC_GROWTH, at, COMPLAINTS.ends, _DILUTED_UNTIL)
    whole: FloatArray = np.floor(extra)
    return whole


def _complaints(story: Story, at: FloatArray) -> Values:
    since = at - story.history_from
    counted = {
        _system(name): np.floor(since * daily / _DAY * _QUIET_RATIO[name]) for name, daily in _REQUESTS_A_DAY.items()
    }
    # Beyond the usual share: as many as the traffic that is yet to come will dilute.
    starts = COMPLAINTS.starts
    extra = story.grown(_REQUESTS_A_DAY["xai2"], _TRAFFIC_GROWTH, at, starts, starts + 5.0) * _COMPLAINT_RATIO
    counted[_system("xai2")] += np.floor(extra)
    return counted


def _audits(story: Story, at: FloatArray) -> Values:
    counted = _usual_audits(story, at)
    counted[_system("fs")] += story.begun(LATE_AUDITS.starts, at) * _LATE_AUDITS
    return counted


def _audits_passed(story: Story, at: FloatArray) -> Values:
    # One audit in two hundred failed, and counts against its system to the sprint's end.
    counted = {labels: total - np.floor(total / 200.0) for labels, total in _usual_audits(story, at).items()}
    counted[_system("fs")] += story.begun(LATE_AUDITS.ends, at) * _LATE_AUDITS
    return counted


def _usual_audits(story: Story, at: FloatArray) -> Values:
    since = at - story.history_from
    return {_system(name): np.floor(since * daily / _DAY) for name, daily in _AUDITS_A_DAY.items()}


def _system(name: str) -> tuple[tuple[str, str], ...]:
    return labelled("system", name)


INDICATORS: Mapping[str, SeriesOf] = {
    "ga_e2e_p95_seconds": _p95,
    "ga_requests_total": _requests,
    "ga_requests_within_target_total": _within_target,
    "ga_complaints_total": _complaints,
    "ga_audits_total": _audits,
    "ga_audits_passed_total": _audits_passed,
}
