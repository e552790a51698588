"""The demo's world for tests: a Mission Control at a fixed start, and what a daemon would observe of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slo_guard.clock import from_unix
from slo_guard.demo.adapted_rules import sprint_start, write_rules
from slo_guard.demo.mission_control import EVENTS, SERIES, SIGNED, MissionControl
from slo_guard.demo.prometheus_stand_in import QUERIES
from slo_guard.demo.sources import PAGE_INDICATORS
from slo_guard.demo.world.ga_ops import PAGE_DOWN
from slo_guard.demo.world.story import Story
from slo_guard.domain.alerts import Transition
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import CollectionFailure, EventBatch, Evidence, GaugeFrame, Observation, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import Verdict, VerdictFrame
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.rulebook import load_rules

T0 = 1783612800.0 + 7 * 3600 + 123.4  # a Thursday afternoon
STEP_SECONDS = 2.0

WITH_PAST = {
    **dict.fromkeys(
        (
            *QUERIES.values(),
            "metering_metered_units",
            "metering_billed_units",
            "onboarding_tenants_live",
            "onboarding_go_live_blocks_total",
            "xai_sessions_total",
            "xai_opt_outs_total",
        ),
        240.0,
    ),
    # What a first sample gains since the last of the past is in burn windows of a minute.
    **dict.fromkeys(("burn_alarm_active", "ga_requests_total", "ga_requests_within_target_total"), 20.0),
}
"""Whose source gives its past as well, and how many seconds lie between two samples of it."""


def mission(*, faults: bool = True, started_at: float = T0) -> MissionControl:
    """Return a Mission Control whose story starts at ``started_at``."""
    return MissionControl(Story(started_at, sprint_start(started_at), faults=faults))


def demo_plan(folder: Path, control: MissionControl) -> Plan:
    """Return the plan of the demo's adapted rules."""
    story = control.story
    write_rules(folder / "rules", story.started_at, story=story if story.faults else None)
    loaded = load_rules([folder / "rules"], None)
    assert loaded.plan is not None, loaded.findings
    return loaded.plan


class Watched(NamedTuple):
    """Every transition, and at each evaluation the verdicts by KPI."""

    told: list[Transition]
    verdicts: list[dict[str, Verdict]]
    frames: list[dict[str, VerdictFrame]]


def watch(folder: Path, control: MissionControl, seconds: float) -> Watched:
    """Judge the demo's rules every 2s, as its daemon does: first the past, then what is seen as it comes."""
    rules = demo_plan(folder, control)
    start = control.story.started_at
    state, told, number = EvaluationState.fresh(), [], 0
    frames: list[dict[str, VerdictFrame]] = []
    for step in range(int(seconds / STEP_SECONDS) + 1):
        now = start + STEP_SECONDS * step
        stored = []
        for observation in observed(control, now, first=step == 0):
            number += 1
            stored.append(StoredObservation(number, observation))
        evaluation = evaluate(rules, stored, state, from_unix(now))
        state = evaluation.state
        told += evaluation.transitions
        frames.append({frame.kpi.id: frame for frame in evaluation.verdicts})
    return Watched(told, [{name: frame.worst for name, frame in each.items()} for each in frames], frames)


def observed(control: MissionControl, now: float, *, first: bool) -> Iterator[Observation]:
    """Yield what collections at ``now`` bring; the first ones bring what is past, too."""
    before = control.story.history_from if first else now - STEP_SECONDS
    if first:
        for name, step in WITH_PAST.items():
            instants = np.arange(control.story.history_from, now, step)
            series = control.indicator(name, instants)
            index, table = SeriesIndex.of(series), np.array(list(series.values()))
            for position, at in enumerate(instants.tolist()):
                present = np.isfinite(table[:, position])
                values = np.nan_to_num(table[:, position])
                frame = GaugeFrame(index, values, at, None if present.all() else present)
                yield Reading(name, "past", now, frame)
    for name in SERIES:
        if name in PAGE_INDICATORS and control.active(PAGE_DOWN, now):
            yield CollectionFailure("services", (name,), now, "http_status", "the page answers 500")
            continue
        series_now = control.now(name, now)
        yield Reading(
            name, "now", now, GaugeFrame(SeriesIndex.of(series_now), np.array(list(series_now.values())), now)
        )
    for name in EVENTS:
        events = control.events(name, before, now)
        index = SeriesIndex.of(dict.fromkeys(event.labels for event in events))
        rows = np.array([index.label_sets.index(event.labels) for event in events], dtype=np.int64)
        at, values = (np.array([getattr(event, field) for event in events]) for field in ("at", "value"))
        yield Reading(name, "events", now, EventBatch(index, rows, at.astype(float), values.astype(float)))
    for name in SIGNED:
        yield Reading(name, "evidence", now, Evidence(control.sign_offs(now)[name], now))
