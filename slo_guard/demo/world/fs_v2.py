"""The lane fs-v2: Pilot-0 in staging, and its A/B harness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

ONE_SOURCE = Episode(
    35,
    100,
    "fsv2_blended_sources",
    "past its checkpoint only one source is blended, the goal is 2 to 3",
    "a second adapter answers",
)
HARNESS_STOPPED = Episode(
    132, 160, "fsv2_ab_harness_running", "the A/B harness stands still, past its checkpoint", "it captures again"
)
NO_GO = Episode(
    150,
    170,
    "fsv2_decision_go",
    "FS-v2 is a no-go: its KPIs do not apply, their alerts end, and not as recovered",
    "FS-v2 is a go again",
)
EPISODES = (ONE_SOURCE, HARNESS_STOPPED, NO_GO)

_CTR5: Mapping[str, float] = {"baseline": 0.31, "v2": 0.34}
_P95: Mapping[str, float] = {"baseline": 0.52, "v2": 0.47}


def _blended_sources(story: Story, at: FloatArray) -> Values:
    return {(): np.where(story.active(ONE_SOURCE, at), 1.0, 2.0)}


def _harness(story: Story, at: FloatArray) -> Values:
    return {(): np.where(story.active(HARNESS_STOPPED, at), 0.0, 1.0)}


def _ctr5(_story: Story, at: FloatArray) -> Values:
    return {labelled("arm", arm): share + 0.004 * np.sin(at / 53.0 + share) for arm, share in _CTR5.items()}


def _p95(_story: Story, at: FloatArray) -> Values:
    return {labelled("arm", arm): seconds + 0.01 * np.sin(at / 41.0 + seconds) for arm, seconds in _P95.items()}


def _production_requests(_story: Story, at: FloatArray) -> Values:
    return {(): np.zeros(at.shape)}


INDICATORS: Mapping[str, SeriesOf] = {
    "fsv2_blended_sources": _blended_sources,
    "fsv2_ab_harness_running": _harness,
    "fsv2_ctr5_ratio": _ctr5,
    "fsv2_p95_seconds": _p95,
    "fsv2_production_requests_total": _production_requests,
}
