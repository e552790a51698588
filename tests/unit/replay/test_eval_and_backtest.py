"""Recorded observations through the evaluator: verdicts at an instant, and every transition between two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.kpi import (
    KPI,
    Measure,
    NoData,
    NoDataThen,
    Objective,
    Op,
    Plan,
    Reducer,
    Selection,
    Single,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import GaugeFrame, IndicatorSpec, IndicatorType, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import AlertState, Verdict, VerdictFrame
from slo_guard.evaluate.verdict_json import verdict_json
from slo_guard.replay.backtest import backtest, backtest_json
from slo_guard.replay.eval_samples import evaluate_samples
from slo_guard.replay.steps import Stepper

T0 = 1783332000.0  # 2026-07-06T10:00:00Z, on every grid below
SPRINT = Sprint("s", "", "UTC", date(2026, 7, 6), date(2026, 7, 17), T0 - 36000, T0 + 12 * 86400)
FS = SeriesIndex.of(((("system", "fs"),),))


def kpi(**changed: Any) -> KPI:
    fields: dict[str, Any] = {
        "id": "latency",
        "sprint": "s",
        "lane": "ops",
        "source": Single(Selection("latency_seconds")),
        "measure": Measure(Reducer.LAST, None, "last"),
        "type": IndicatorType.GAUGE,
        "unit": "seconds",
        "objective": Objective(Op.AT_MOST, 1.0, "at_most 1s"),
        "by": ("system",),
        "for_seconds": 120.0,
        "interval_seconds": 60.0,
    }
    return KPI(**(fields | changed))


def plan(*kpis: KPI) -> Plan:
    names = {name for rule in kpis for name in rule.indicators}
    return Plan({"s": SPRINT}, kpis, {name: IndicatorSpec(name, IndicatorType.GAUGE) for name in names})


def samples(
    values: Sequence[float], start: float = T0, step: float = 60.0, name: str = "latency_seconds"
) -> tuple[StoredObservation, ...]:
    return tuple(
        StoredObservation(
            k + 1, Reading(name, "samples", start + k * step, GaugeFrame(FS, np.array([value]), start + k * step))
        )
        for k, value in enumerate(values)
    )


def test_an_alert_stands_as_in_a_daemon_that_had_run_since_the_first_sample() -> None:
    """A single evaluation at T would call an outage of an hour pending; whoever asks wants to know that it fires."""
    result = evaluate_samples(plan(kpi()), samples([0.5, 2, 2, 2, 2]), T0 + 250)

    (row,) = result.verdicts
    assert (row.verdict, row.value, row.alert_state) == (Verdict.MISSED, 2.0, AlertState.FIRING)
    assert row.alert_since == T0 + 60
    assert result.stepped_from is None


def test_an_alert_that_only_hysteresis_keeps_firing_is_found_however_old_it_is() -> None:
    """The objective has been met for an hour, but never by enough: a look at the last minutes would say inactive."""
    rule = kpi(resolve=Objective(Op.AT_MOST, 0.9, "at_most 900ms"))

    result = evaluate_samples(plan(rule), samples([0.5, *[2] * 5, *[0.95] * 60]), T0 + 65 * 60)

    (row,) = result.verdicts
    assert (row.verdict, row.alert_state, row.alert_since) == (Verdict.MET, AlertState.FIRING, T0 + 60)


def test_samples_after_the_instant_are_not_looked_at() -> None:
    """The question is what was known then."""
    result = evaluate_samples(plan(kpi()), samples([0.5, 2, 2]), T0 + 59)

    assert [row.verdict for row in result.verdicts] == [Verdict.MET]


def test_an_indicator_that_the_recording_lacks_is_no_data() -> None:
    """A recording without it says that there was none; waiting for it for ever would be silence."""
    other = kpi(id="other", source=Single(Selection("other_seconds")), by=())

    result = evaluate_samples(plan(kpi(), other), samples([0.5]), T0 + 30)

    assert {row.kpi.id: row.verdict for row in result.verdicts} == {"latency": Verdict.MET, "other": Verdict.NO_DATA}


def test_an_indicator_that_begins_a_little_later_does_not_alert_before_it_does() -> None:
    """Sources of one recording never start in the same second; that is no outage."""
    other = kpi(id="other", source=Single(Selection("other_seconds")))
    recorded = tuple(
        sorted(
            [*samples([0.5] * 10), *samples([0.5] * 10, start=T0 + 61, name="other_seconds")],
            key=lambda stored: stored.observation.seen_at,
        )
    )

    assert list(backtest(plan(kpi(), other), recorded, T0, T0 + 540)) == []


def test_an_alert_of_an_indicator_that_began_late_is_found_where_only_the_end_is_stepped_through() -> None:
    """Eval agrees with backtest: what had not come for an hour was no data, and fires on until it has kept firing."""
    other = kpi(id="other", source=Single(Selection("other_seconds")), by=(), keep_firing_for_seconds=1800.0)
    begun = samples([0.5] * 28, start=T0 + 7200 - 27 * 60, name="other_seconds")
    recorded = tuple(sorted([*samples([0.5] * 121), *begun], key=lambda stored: stored.observation.seen_at))

    result = evaluate_samples(plan(kpi(), other), recorded, T0 + 7200)

    states = {row.kpi.id: (row.verdict, row.alert_state) for row in result.verdicts}
    assert states["latency"] == (Verdict.MET, AlertState.INACTIVE)
    assert states["other"] == (Verdict.MET, AlertState.FIRING)


def test_an_indicator_that_begins_much_later_is_no_data_until_then() -> None:
    """Samples would have gone stale by then: a live daemon would have said so, and so does the replay."""
    found = list(backtest(plan(kpi()), samples([0.5] * 10, start=T0 + 1200), T0, T0 + 1500))

    assert [(t.at - T0, t.to_state, t.verdict) for t in found] == [
        (360, AlertState.FIRING, Verdict.NO_DATA),
        (1200, AlertState.INACTIVE, Verdict.NO_DATA),
    ]


def test_a_long_recording_is_stepped_through_for_its_end_and_its_verdicts_are_right() -> None:
    """A total over the sprint needs every reading, also those before the first evaluation."""
    worst = kpi(id="worst", measure=Measure(Reducer.MAX, Window(WindowKind.SPRINT), "max over sprint"))

    result = evaluate_samples(plan(worst), samples([9, *[0.5] * 99]), T0 + 99 * 60, most_steps=10)

    (row,) = result.verdicts
    assert (row.value, row.samples) == (9.0, 100)
    assert result.stepped_from == T0 + 89 * 60


def test_the_document_of_eval_has_the_keys_that_scripts_depend_on() -> None:
    """The contract of `eval --format json`."""
    document = evaluate_samples(plan(kpi()), samples([0.5]), T0).document()

    assert (document["at"], document["sprint"]) == ("2026-07-06T10:00:00Z", "s")
    (verdict,) = document["verdicts"]
    assert verdict == {
        "kpi": "latency",
        "lane": "ops",
        "labels": {"system": "fs"},
        "value": 0.5,
        "unit": "seconds",
        "objective": "at_most 1s",
        "verdict": "met",
        "reason": "objective_met",
        "samples": 1,
        "coverage": None,
        "window": {"start": None, "end": "2026-07-06T10:00:00Z"},
        "alert": {"state": "inactive", "since": None},
    }


def test_backtest_evaluates_from_its_start_on_up_to_and_including_its_end() -> None:
    """From + k x interval is the contract; a start off the epoch's grid moves every evaluation."""
    found = backtest_json(backtest(plan(kpi()), samples([0.5, 2, 2, 2, 2, 0.5]), T0 + 10, T0 + 310))

    assert found["transitions"] == [
        {
            "at": at,
            "kpi": "latency",
            "labels": {"system": "fs"},
            "from": before,
            "to": after,
            "value": value,
            "reason": reason,
            "kind": "breach",
            "severity": "page",
        }
        for at, before, after, value, reason in [
            ("2026-07-06T10:01:10Z", "inactive", "pending", 2.0, "objective_missed"),
            ("2026-07-06T10:03:10Z", "pending", "firing", 2.0, "objective_missed"),
            ("2026-07-06T10:05:10Z", "firing", "inactive", 0.5, "recovered"),
        ]
    ]


def test_each_kpi_keeps_its_own_interval() -> None:
    """A slow rule must not be evaluated more often because a quick one stands beside it."""
    slow = kpi(id="slow", interval_seconds=240.0, for_seconds=0.0)
    quick = kpi(id="quick", interval_seconds=30.0, for_seconds=0.0)

    found = list(backtest(plan(slow, quick), samples([0.5, 2, 2, 2, 2, 2]), T0, T0 + 300))

    assert [(t.at - T0, t.key.kpi) for t in found if t.to_state is AlertState.FIRING] == [(60, "quick"), (240, "slow")]


def test_samples_before_the_start_fill_the_windows_of_the_first_evaluation() -> None:
    """A backtest of the last day must know the hours before it."""
    worst = kpi(measure=Measure(Reducer.MAX, Window(WindowKind.DURATION, 600.0), "max over 10m"), for_seconds=0.0)

    found = list(backtest(plan(worst), samples([9, *[0.5] * 20]), T0 + 300, T0 + 900))

    assert [(t.at - T0, t.to_state) for t in found] == [(300, AlertState.FIRING), (600, AlertState.INACTIVE)]


_STRETCHES = st.lists(st.tuples(st.sampled_from([0.5, 1.1, 1.5, None]), st.integers(1, 12)), min_size=1, max_size=5)
_VALUES = _STRETCHES.map(lambda stretches: [value for value, length in stretches for _ in range(length)])


@st.composite
def _kpis(draw: st.DrawFn) -> KPI:
    window = Window(WindowKind.SPRINT) if draw(st.booleans()) else Window(WindowKind.DURATION, 180.0)
    measure = draw(
        st.sampled_from(
            [
                Measure(Reducer.LAST, None, "last"),
                Measure(Reducer.MAX, window, "max"),
                Measure(Reducer.MEAN, window, "mean"),
            ]
        )
    )
    durations = st.sampled_from([0.0, 60.0, 150.0])
    return kpi(
        id=f"k{draw(st.integers(0, 10**6))}",
        source=Single(Selection(draw(st.sampled_from(["a", "b", "never"])))),
        measure=measure,
        objective=draw(st.sampled_from([Objective(Op.AT_MOST, 1.2, "at_most 1.2s")] * 7 + [None])),
        resolve=draw(st.sampled_from([None, Objective(Op.AT_MOST, 1.0, "at_most 1s")])),
        for_seconds=draw(durations),
        keep_firing_for_seconds=draw(durations | st.just(900.0)),
        min_samples=draw(st.sampled_from([None, None, 2])),
        no_data=NoData(draw(st.sampled_from([90.0, 300.0])), draw(st.sampled_from(list(NoDataThen))), 240.0),
        interval_seconds=draw(st.sampled_from([30.0, 60.0, 90.0])),
        due_at=draw(st.sampled_from([None, T0 + 600])),
    )


@given(
    kpis=st.lists(_kpis(), min_size=1, max_size=3, unique_by=lambda rule: rule.id),
    first=_VALUES,
    second=_VALUES,
    later=st.integers(0, 600),
    at=st.integers(0, 3600),
)
@settings(max_examples=100, deadline=None)
def test_the_short_way_to_an_instant_gives_what_stepping_through_everything_gives(
    kpis: list[KPI], first: list[float | None], second: list[float | None], later: int, at: int
) -> None:
    """Leaving out evaluations is for speed alone; it must not change one verdict or alert."""
    recorded = [
        Reading(name, "samples", start + 60 * k, GaugeFrame(FS, np.array([value]), start + 60 * k))
        for name, values, start in (("a", first, T0 + 7), ("b", second, T0 + later))
        for k, value in enumerate(values)
        if value is not None and start + 60 * k <= T0 + at
    ]
    stored = [StoredObservation(k, each) for k, each in enumerate(sorted(recorded, key=lambda each: each.seen_at), 1)]
    begin = stored[0].observation.seen_at if stored else T0 + at
    expected: dict[str, VerdictFrame] = {}
    for evaluation in Stepper(plan(*kpis), stored, begin, T0 + at).walk():
        expected |= {frame.kpi.id: frame for frame in evaluation.verdicts}

    result = evaluate_samples(plan(*kpis), stored, T0 + at)

    every = [frame.row(row) for frame in (expected[rule.id] for rule in kpis) for row in range(len(frame.index))]
    assert [verdict_json(row) for row in result.verdicts] == [verdict_json(row) for row in every]
