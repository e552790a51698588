"""The simulated Mission Control: every fault breaks its objective by the shipped rules, and ends where it can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.demo.adapted_rules import shipped_rules, sprint_start, write_rules
from slo_guard.demo.mission_control import CYCLE_SECONDS, FAULTS, MissionControl
from slo_guard.demo.prometheus_stand_in import QUERIES
from slo_guard.demo.sources import PAGE_INDICATORS
from slo_guard.domain.alerts import AlertKind, Transition
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import Evidence, GaugeFrame, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.rulebook import load_rules

T0 = 1783612800.0 + 7 * 3600 + 123.4  # a Thursday afternoon
HISTORY_STEP = 30.0


def mission(*, faults: bool = True) -> MissionControl:
    return MissionControl(T0, sprint_start(T0) - 3600, faults)


def plan(folder: Path, control: MissionControl) -> Plan:
    write_rules(folder / "rules", T0, drill_due_at=control.drill_due_at if control.faults else None)
    loaded = load_rules([folder / "rules"], None)
    assert loaded.plan is not None, loaded.findings
    return loaded.plan


def frame(control: MissionControl, name: str, at: float) -> GaugeFrame:
    series = control.indicator(name, np.array([at]))
    return GaugeFrame(SeriesIndex.of(series), np.array([values[0] for values in series.values()]), at)


class Watched(NamedTuple):
    told: list[Transition]
    verdicts: list[dict[str, Verdict]]


def watch(folder: Path, control: MissionControl, seconds: float) -> Watched:
    """Judge the demo's rules every 2s, as its daemon does: first the history, then what is seen as it comes."""
    rules = plan(folder, control)
    state, told, number = EvaluationState.fresh(), [], 0

    def observe(now: float) -> Iterator[StoredObservation]:
        nonlocal number
        readings = []
        if now == T0:
            history = np.arange(control.history_from, T0, HISTORY_STEP)
            for name in QUERIES.values():
                series = control.indicator(name, history)
                index = SeriesIndex.of(series)
                table = np.array(list(series.values()))
                readings += [
                    Reading(name, "past", now, GaugeFrame(index, table[:, k], at)) for k, at in enumerate(history)
                ]
        readings += [
            Reading(name, "now", now, frame(control, name, now)) for name in [*QUERIES.values(), *PAGE_INDICATORS]
        ]
        readings.append(Reading("ga_rollback_drill_logged", "evidence", now, Evidence(control.sign_offs(now), now)))
        for reading in readings:
            number += 1
            yield StoredObservation(number, reading)

    verdicts: list[dict[str, Verdict]] = []
    for step in range(int(seconds / 2) + 1):
        now = T0 + 2 * step
        evaluation = evaluate(rules, observe(now), state, from_unix(now))
        state = evaluation.state
        told += evaluation.transitions
        verdicts.append({shown.kpi.id: shown.worst for shown in evaluation.verdicts})
    return Watched(told, verdicts)


def fired_and_ended(told: list[Transition], begin: float, end: float) -> tuple[set[str], set[str]]:
    within = [each for each in told if begin <= each.at - T0 < end and each.key.kind is AlertKind.BREACH]
    fired = {each.key.kpi for each in within if each.to_state is AlertState.FIRING}
    ended = {
        each.key.kpi for each in within if each.to_state is AlertState.INACTIVE and each.reason is Reason.RECOVERED
    }
    return fired, ended


RECOVERING = {"ga_e2e_p95", "query_p95_4hop_100k", "ga_complaint_rate", "ga_audits", "ga_rollback_drill_logged"}
LASTING = {"sev1_incidents", "burn_alarm_minutes"}


@pytest.fixture(scope="module")
def two_cycles(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Watch the first two cycles once for all tests that ask about them."""
    return watch(tmp_path_factory.mktemp("demo"), mission(), 2 * CYCLE_SECONDS - 2)


def test_every_kpi_is_breached_within_one_cycle_and_recovers_where_it_can(two_cycles: Watched) -> None:
    """The demo's promise: all of it within three minutes, by the shipped objectives."""
    fired, ended = fired_and_ended(two_cycles.told, 0, CYCLE_SECONDS)
    verdicts = two_cycles.verdicts[int(CYCLE_SECONDS / 2) - 1]

    assert fired == RECOVERING | LASTING
    assert ended == RECOVERING
    assert {kpi for kpi, verdict in verdicts.items() if verdict is not Verdict.MET} == LASTING


def test_the_faults_of_the_second_cycle_cross_and_recover_again(two_cycles: Watched) -> None:
    """Whoever looks in later must see as much as whoever was there at the start."""
    again = fired_and_ended(two_cycles.told, CYCLE_SECONDS, 2 * CYCLE_SECONDS)

    assert again == (RECOVERING, RECOVERING)


def test_the_late_drill_is_met_late_once_it_is_logged(two_cycles: Watched) -> None:
    """A recovery that hides that it came too late would be a lie."""
    told = [each for each in two_cycles.told if each.at < T0 + CYCLE_SECONDS]

    drill = [each for each in told if each.key.kpi == "ga_rollback_drill_logged"]
    assert [(each.to_state, each.verdict) for each in drill] == [
        (AlertState.FIRING, Verdict.MISSED),
        (AlertState.INACTIVE, Verdict.MET),
    ]
    assert "signed by SRE Lead" in (drill[-1].note or "")


def test_without_faults_nothing_is_breached(tmp_path: Path) -> None:
    """The quiet demo shows what a good sprint looks like; one message would spoil it."""
    told, verdicts = watch(tmp_path, mission(faults=False), 60)

    assert [each for each in told if each.key.kind is AlertKind.BREACH] == []
    assert verdicts[-1]["ga_rollback_drill_logged"] is Verdict.NOT_DUE
    assert Verdict.MISSED not in verdicts[-1].values()


def test_equal_instants_give_equal_values_one_by_one_or_many_at_once() -> None:
    """A scrape and a range query must agree, or a backfill would contradict what was seen live."""
    control = mission()
    at = T0 + np.linspace(-100_000, 400, 301)

    for name in [*QUERIES.values(), *PAGE_INDICATORS]:
        together = control.indicator(name, at)
        for k in (0, 150, 300):
            alone = mission().indicator(name, at[k : k + 1])
            assert {labels: values[0] for labels, values in alone.items()} == pytest.approx(
                {labels: values[k] for labels, values in together.items()}, nan_ok=True, rel=0
            )


def test_counters_never_fall_and_never_exceed_their_totals() -> None:
    """A simulated reset or a ratio above one would show as a data error that nobody simulated."""
    control = mission()
    at = np.arange(control.history_from, T0 + 40 * CYCLE_SECONDS, 5.0)

    for part, total in (("ga_complaints_total", "ga_requests_total"), ("ga_audits_passed_total", "ga_audits_total")):
        parts, totals = control.indicator(part, at), control.indicator(total, at)
        for labels, values in totals.items():
            assert (np.diff(values) >= 0).all()
            assert (np.diff(parts[labels]) >= 0).all()
            assert (parts[labels] <= values).all()


def test_nothing_is_measured_before_the_services_began() -> None:
    """A range query that reaches back further gets no samples there, not zeros."""
    control = mission()

    values = control.indicator("ga_requests_total", np.array([control.history_from - 1, control.history_from]))

    assert all(np.isnan(series[0]) and np.isfinite(series[1]) for series in values.values())


def test_every_fault_names_a_kpi_of_the_shipped_rules() -> None:
    """What the demo announces must be found on its page."""
    loaded = load_rules([shipped_rules()], None)
    assert loaded.plan is not None

    ids = {kpi.id for kpi in loaded.plan.kpis}

    assert {fault.kpi for fault in FAULTS} - {"collector services"} == ids
