"""The lane onboarding: two tenants on their way through the factory."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

AURORA_LIVE = Episode(
    98, math.inf, "tenants_onboarded", "aurora is live: one of two", "stays so", once=True, planned=True
)
BOREALIS_LIVE = Episode(
    138,
    math.inf,
    "tenants_onboarded",
    "borealis is live: the goal is met before it is due",
    "stays so",
    once=True,
    planned=True,
)
BLOCKED = Episode(
    124,
    math.inf,
    "onboarding_policy_blocks",
    "policy blocks borealis's go-live; the goal is none",
    "cannot recover within the sprint",
    once=True,
)
EPISODES = (AURORA_LIVE, BLOCKED, BOREALIS_LIVE)
NEW_TENANTS: Mapping[str, Episode] = {"aurora": AURORA_LIVE, "borealis": BOREALIS_LIVE}

STAGES = 5
"""Packs, evidence, policy simulation, budgets and appeal tokens, live."""

_TENANTS_BEFORE = 7.0
_STAGE_SECONDS = 20.0
_BUNDLE_BEFORE_LIVE = 6.0
_LIVE = float(STAGES)


def _tenants_live(story: Story, at: FloatArray) -> Values:
    live = np.sum([story.active(episode, at) for episode in NEW_TENANTS.values()], axis=0)
    return {(): _TENANTS_BEFORE + live.astype(np.float64)}


def _blocks(story: Story, at: FloatArray) -> Values:
    return {(): story.active(BLOCKED, at).astype(np.float64)}


def _stage(story: Story, at: FloatArray) -> Values:
    """Each tenant's stage in the factory: the last ones before it is live, one after the other."""
    elapsed = story.elapsed(at)
    return {
        labelled("tenant", name): np.clip(_LIVE - np.ceil((episode.starts - elapsed) / _STAGE_SECONDS), 1.0, _LIVE)
        for name, episode in NEW_TENANTS.items()
    }


def _bundles(story: Story, at: FloatArray) -> Values:
    elapsed = story.elapsed(at)
    attached = [elapsed >= episode.starts - _BUNDLE_BEFORE_LIVE for episode in NEW_TENANTS.values()]
    return {(): np.sum(attached, axis=0).astype(np.float64)}


def _slos_green(story: Story, at: FloatArray) -> Values:
    return {
        labelled("tenant", name): np.where(story.active(episode, at), 1.0, np.nan)
        for name, episode in NEW_TENANTS.items()
    }


INDICATORS: Mapping[str, SeriesOf] = {
    "onboarding_tenants_live": _tenants_live,
    "onboarding_go_live_blocks_total": _blocks,
    "onboarding_stage": _stage,
    "onboarding_evidence_bundles": _bundles,
    "onboarding_tenant_slos_green": _slos_green,
}
