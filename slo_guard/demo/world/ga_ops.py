"""The lane ga-ops: latency, complaints and audits of the systems in general availability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

SYSTEMS = ("fs", "predictive", "xai2")

SLOW_PREDICTIVE = Episode(
    10, 45, "ga_e2e_p95", "predictive answers slowly: p95 1.31s, limit 1.16s", "predictive is fast again"
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
    since = at - story.history_from
    counted = {_system(name): np.floor(since * daily / _DAY) for name, daily in _REQUESTS_A_DAY.items()}
    # Beyond the usual ones: in each cycle so many that the new complaints are diluted again.
    extra = story.grown(_REQUESTS_A_DAY["xai2"], _TRAFFIC_GROWTH, at, COMPLAINTS.ends, _DILUTED_UNTIL)
    counted[_system("xai2")] += np.floor(extra)
    return counted


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
    "ga_complaints_total": _complaints,
    "ga_audits_total": _audits,
    "ga_audits_passed_total": _audits_passed,
}
