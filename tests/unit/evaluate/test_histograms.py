"""Histograms from frames to verdicts: shards, windows, resets, births, changed bounds, and the bucket without an end."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Exclusion, Expected, NoData, NoDataThen, Op, Quotient, Selection
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import Reason, SeriesVerdict, Verdict
from slo_guard.evaluate import EvaluationState, evaluate, needed_from
from tests.support.builders import (
    a_failure,
    a_frame,
    a_histogram,
    a_kpi,
    a_plan,
    an_objective,
    labels,
    numbered,
)
from tests.support.restarts import kept, shown
from tests.support.stories import T0, judged, story

MINUTE, HOUR, DAY, INF = 60.0, 3600.0, 86_400.0, np.inf
AT_MOST_1S = an_objective(Op.AT_MOST, 1.0)


def histogram_kpi(measure: str = "p95 over 5m", **fields):
    return a_kpi("latency", measure, type=IndicatorType.HISTOGRAM, unit="seconds", **fields)


def row(kpi, observations: list[Observation], after: float, text: str = "") -> SeriesVerdict:
    frame = judged(kpi, observations, T0 + after)
    return frame.row(frame.index.positions[labels(text)])


def grown(*steps: Mapping[float, float], every: float = MINUTE, series: str = "") -> list[Observation]:
    """Return a frame of the buckets a step."""
    return [a_histogram("a", T0 + every * number, {labels(series): step}) for number, step in enumerate(steps)]


NOTHING = {0.1: 0, 0.2: 0, 1: 0, INF: 0}
WORKED = {0.1: 50, 0.2: 70, 1: 110, INF: 120}


@pytest.mark.parametrize(
    "measure", ["p20 over 5m", "p20 over sprint", "p20 over day", "p20 over week", "p20 over month"]
)
def test_a_quantile_is_interpolated_over_any_window(measure: str):
    """The worked number of the manual, whatever the window is called."""
    found = row(histogram_kpi(measure, objective=AT_MOST_1S), grown(NOTHING, WORKED), 2 * MINUTE)

    assert found.value == pytest.approx(0.048)
    assert (found.verdict, found.samples, found.note) == (Verdict.MET, 120, None)


def test_shards_are_summed_before_the_quantile_is_taken():
    """One busy shard breaks the objective; the mean of ten p95s would call it met."""
    bounds = (0.1, 0.5, 1.0)

    def shard(count: float, slow: float) -> dict[float, float]:
        return {0.1: count - slow, 0.5: count - slow, 1.0: count, INF: count}

    busy, idle = shard(9000, 3000), shard(100, 0)
    shards = {labels("shard=0"): busy} | {labels(f"shard={number}"): idle for number in range(1, 10)}
    empty = {series: dict.fromkeys((*bounds, INF), 0.0) for series in shards}
    observations = [a_histogram("a", T0, empty), a_histogram("a", T0 + MINUTE, shards)]
    objective = an_objective(Op.AT_MOST, 0.83)

    together = row(histogram_kpi(objective=objective), observations, MINUTE)
    apart = judged(histogram_kpi(by=("shard",), objective=objective), observations, T0 + MINUTE)

    assert apart.value[0] == pytest.approx(0.925)
    assert apart.value[1:] == pytest.approx([0.095] * 9)
    assert np.mean(apart.value) < 0.83
    assert (together.verdict, together.samples) == (Verdict.MISSED, 9900)
    assert together.value == pytest.approx(0.5 + 0.5 * (0.95 * 9900 - 6900) / 3000)


def test_only_what_was_observed_in_the_window_counts():
    """Yesterday's slow requests are in every bucket, and in none of today's p95."""
    slow, fast = {0.1: 0, 1: 1000, INF: 1000}, {0.1: 50, 1: 1050, INF: 1050}

    found = row(histogram_kpi("p50 over 5m"), grown(slow, slow, fast, fast, every=5 * MINUTE), 10 * MINUTE)

    assert found.value == pytest.approx(0.05)
    assert found.samples == 50


def test_a_restarted_process_counts_on():
    """A deployment resets every bucket; what came before and after it is in the window."""
    observations = grown({1: 0, INF: 0}, {1: 100, INF: 100}, {1: 10, INF: 40}, {1: 20, INF: 60})

    found = row(histogram_kpi("p50 over 10m"), observations, 3 * MINUTE)

    assert found.samples == 160
    assert found.value == pytest.approx(80 / 120)


def test_what_is_born_while_its_source_answered_counts_from_zero():
    """A new pod's first scrape holds its first requests: they are not lost."""
    observations = [
        a_histogram("a", T0, {labels("pod=1"): {1: 0, INF: 0}}),
        a_histogram("a", T0 + MINUTE, {labels("pod=1"): {1: 10, INF: 10}, labels("pod=2"): {1: 0, INF: 30}}),
    ]

    assert row(histogram_kpi(), observations, MINUTE).samples == 40
    unseen = [observations[0], a_failure("a", T0 + 30), observations[1]]
    assert row(histogram_kpi(), unseen, MINUTE).samples == 10


def test_a_bound_that_is_new_counts_from_zero_and_the_old_ones_stay():
    """Buckets are tuned by a deployment in the middle of a day; both halves of the day count."""
    observations = grown(
        {0.5: 0, 1: 0, INF: 0}, {0.5: 60, 1: 100, INF: 100}, {0.25: 20, 0.5: 30, 1: 40, INF: 40}, every=MINUTE
    )

    found = row(histogram_kpi("p50 over 10m"), observations, 2 * MINUTE)

    # 20 up to 0.25, 90 up to 0.5, 140 up to 1, 140 in all.
    assert found.samples == 140
    assert found.value == pytest.approx(0.25 + 0.25 * (70 - 20) / 70)


@pytest.mark.parametrize(
    ("objective", "verdict", "reason"),
    [
        (an_objective(Op.AT_MOST, 0.83), Verdict.MISSED, Reason.OBJECTIVE_MISSED),
        (an_objective(Op.AT_MOST, 1.0), Verdict.MISSED, Reason.OBJECTIVE_MISSED),
        (an_objective(Op.BELOW, 1.0), Verdict.MISSED, Reason.OBJECTIVE_MISSED),
        (an_objective(Op.AT_MOST, 5.0), Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND),
        (an_objective(Op.BELOW, 5.0), Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND),
        (an_objective(Op.AT_LEAST, 1.0), Verdict.MET, Reason.OBJECTIVE_MET),
        (an_objective(Op.ABOVE, 1.0), Verdict.MET, Reason.OBJECTIVE_MET),
        (an_objective(Op.AT_LEAST, 5.0), Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND),
        (an_objective(Op.BETWEEN, 0.5, 5.0), Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND),
        (an_objective(Op.BETWEEN, 2.0, 5.0), Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND),
        (an_objective(Op.BETWEEN, 0.5, 1.0), Verdict.MISSED, Reason.OBJECTIVE_MISSED),
        (None, Verdict.TRACKED, Reason.NO_OBJECTIVE),
    ],
)
def test_above_the_highest_bound_only_what_is_certain_is_said(objective, verdict: Verdict, reason: Reason):
    """Of a minute's wait the buckets show 1s: against a limit of 5s that must never be green."""
    found = row(histogram_kpi(objective=objective), grown(NOTHING, {0.1: 50, 0.2: 70, 1: 80, INF: 120}), MINUTE)

    assert (found.verdict, found.reason, found.value) == (verdict, reason, 1.0)
    assert found.note == "above the highest bound 1s"


ABOVE = grown(NOTHING, {0.1: 0, 0.2: 0, 1: 0, INF: 120})


@pytest.mark.parametrize(
    ("objective", "warn", "verdict"),
    [
        (an_objective(Op.AT_LEAST, 0.5), an_objective(Op.AT_LEAST, 0.8), Verdict.MET),
        (an_objective(Op.AT_LEAST, 0.5), an_objective(Op.AT_LEAST, 2.0), Verdict.INSUFFICIENT),
        (an_objective(Op.AT_LEAST, 0.5), an_objective(Op.BETWEEN, 0.6, 1.0), Verdict.AT_RISK),
        (an_objective(Op.AT_MOST, 0.5), an_objective(Op.AT_MOST, 0.4), Verdict.MISSED),
        (None, an_objective(Op.AT_MOST, 2.0), Verdict.INSUFFICIENT),
        (None, an_objective(Op.AT_MOST, 1.0), Verdict.AT_RISK),
    ],
)
def test_the_warning_bound_is_held_to_the_same(objective, warn, verdict: Verdict):
    """What may be past the warning is not within it."""
    assert row(histogram_kpi(objective=objective, warn=warn), ABOVE, MINUTE).verdict is verdict


def test_an_alert_does_not_resolve_by_a_value_that_may_be_outside_resolve():
    """Hysteresis asks whether all is well again; of what is above the last bound nobody knows."""
    low, high = {0.1: 100, 1: 100, INF: 100}, {0.1: 100, 1: 100, INF: 5000}
    observations = grown({0.1: 0, 1: 0, INF: 0}, low, high, high)
    fields = {"objective": an_objective(Op.AT_LEAST, 0.5), "no_data": NoData(then=NoDataThen.OK)}
    times = [MINUTE, 2 * MINUTE, 3 * MINUTE]

    within = histogram_kpi("p95 over 10m", resolve=an_objective(Op.AT_LEAST, 0.9), **fields)
    perhaps = histogram_kpi("p95 over 10m", resolve=an_objective(Op.BETWEEN, 0.9, 30.0), **fields)

    assert [told[:3] for told in story(within, observations, times)] == [
        (MINUTE, "inactive", "firing"),
        (2 * MINUTE, "firing", "inactive"),
    ]
    assert [told[:3] for told in story(perhaps, observations, times)] == [(MINUTE, "inactive", "firing")]


def test_a_quotient_of_quantiles_says_no_more_than_is_certain():
    """v2's p95 over the baseline's: if either is above its last bound the quotient is only known in part."""
    low, high = {1.0: 0, INF: 0}, {1.0: 100, INF: 100}
    beyond = {1.0: 0, INF: 100}

    def quotient(of: Mapping[float, float], to: Mapping[float, float], **fields) -> SeriesVerdict:
        kpi = histogram_kpi("p50 over 5m", source=Quotient(Selection("v2"), Selection("v1")), **fields)
        found = [a_histogram(name, T0, low) for name in ("v1", "v2")]
        return row(kpi, [*found, a_histogram("v2", T0 + 60, of), a_histogram("v1", T0 + 60, to)], MINUTE)

    at_most_3 = {"objective": an_objective(Op.AT_MOST, 3.0)}
    assert (quotient(high, high, **at_most_3).value, quotient(high, high, **at_most_3).verdict) == (1.0, Verdict.MET)
    above = quotient(beyond, high, **at_most_3)
    assert (above.value, above.verdict) == (2.0, Verdict.INSUFFICIENT)
    assert above.note == "v2: above the highest bound 1s"
    assert quotient(beyond, high, objective=an_objective(Op.AT_MOST, 1.5)).verdict is Verdict.MISSED
    assert quotient(high, beyond, **at_most_3).reason is Reason.ABOVE_HIGHEST_BOUND


def test_a_histogram_without_an_end_is_a_data_error_that_is_named():
    """Prometheus answers NaN; here the reason says why, and nothing is green."""
    observations = grown({0.1: 0, 1: 0}, {0.1: 10, 1: 20})

    found = row(histogram_kpi(objective=AT_MOST_1S), observations, MINUTE)

    assert (found.verdict, found.reason) == (Verdict.INSUFFICIENT, Reason.BUCKETS_INCOMPLETE)
    assert found.value is None
    assert found.note == "series without a bucket for +Inf: 1"


def test_one_shard_without_an_end_is_counted_beside_the_others():
    """Prometheus sums what is there, and says nothing; here it is said."""
    none, all_of_it = {1.0: 0, INF: 0}, {1.0: 100, INF: 100}
    observations = [
        a_histogram("a", T0, {labels("pod=1"): none, labels("pod=2"): {1.0: 0}}),
        a_histogram("a", T0 + MINUTE, {labels("pod=1"): all_of_it, labels("pod=2"): {1.0: 300}}),
    ]

    found = row(histogram_kpi("p50 over 5m"), observations, MINUTE)

    assert (found.value, found.samples) == (0.5, 400)
    assert found.note == "buckets lifted because they were not cumulative: 1; series without a bucket for +Inf: 1"


def test_expect_takes_labels_from_a_histogram():
    """The pods that take requests are those whose queue must be watched."""
    expect = (Expected("pod", labels_of="requests"),)
    kpi = a_kpi("queue", by=("pod",), expect=expect, objective=AT_MOST_1S)

    frame = judged(kpi, [a_histogram("requests", T0, {labels("pod=1"): NOTHING}), a_frame("a", T0, {})], T0)

    assert [(one.labels, one.reason) for one in (frame.row(0),)] == [(labels("pod=1"), Reason.NEVER_SEEN)]


def test_buckets_that_are_not_cumulative_are_counted_in_the_note():
    """The value is Prometheus's; that it rests on odd data is said beside it."""
    found = row(histogram_kpi("p90 over 5m"), grown(dict.fromkeys((1, 2, INF), 0), {1: 100, 2: 50, INF: 60}), MINUTE)

    assert found.value == pytest.approx(0.9)
    assert found.note == "buckets lifted because they were not cumulative: 2"


def test_samples_are_observations_and_too_few_are_not_judged():
    """One slow request of three is no p95."""
    kpi = histogram_kpi(objective=an_objective(Op.AT_MOST, 0.05), min_samples=100)

    few = row(kpi, grown(NOTHING, {0.1: 50, 0.2: 60, 1: 90, INF: 99}), MINUTE)
    enough = row(kpi, grown(NOTHING, {0.1: 50, 0.2: 60, 1: 90, INF: 100}), MINUTE)

    assert (few.verdict, few.reason) == (Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES)
    assert enough.verdict is Verdict.MISSED


def test_without_a_second_sample_nothing_was_observed():
    """A counter that was never seen before may have taken years to get there."""
    found = row(histogram_kpi(objective=AT_MOST_1S), grown(WORKED), MINUTE)

    assert (found.verdict, found.reason) == (Verdict.INSUFFICIENT, Reason.NO_BASELINE)


def test_an_idle_service_has_no_quantile():
    """No requests are not fast requests."""
    found = row(histogram_kpi(objective=AT_MOST_1S), grown(WORKED, WORKED, every=5 * MINUTE), 6 * MINUTE)

    assert (found.verdict, found.reason, found.samples) == (Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES, 0)


def test_silence_of_a_histogram_is_no_data():
    """A page that no longer answers, or no longer has the histogram, is told like any other series."""
    observations = grown(NOTHING, WORKED)
    kpi = histogram_kpi("p50 over sprint", by=("pod",), objective=AT_MOST_1S)

    stale = row(histogram_kpi("p50 over sprint", objective=AT_MOST_1S), observations, 10 * MINUTE)
    gone = row(kpi, [*observations, a_histogram("a", T0 + 2 * MINUTE, {})], 10 * MINUTE, "pod=")

    assert (stale.verdict, stale.reason) == (Verdict.NO_DATA, Reason.STALE)
    assert (gone.verdict, gone.reason) == (Verdict.NO_DATA, Reason.GONE_FROM_SOURCE)


def test_excluded_time_is_left_out_and_shown_beside():
    """A load test at noon is not the customers' p95."""
    load_test = {0.1: 50, 1: 50, INF: 1050}
    observations = grown({0.1: 0, 1: 0, INF: 0}, {0.1: 50, 1: 50, INF: 50}, load_test, load_test)
    exclude = (Exclusion(T0 + 90, T0 + 110, "load test", "Ada"),)

    found = row(histogram_kpi("p95 over sprint", exclude=exclude), observations, 3 * MINUTE)

    assert (found.value, found.samples) == (pytest.approx(0.095), 50)
    assert found.outlook is not None
    assert found.outlook.raw == 1.0


def test_a_new_day_begins_anew():
    """A calendar window holds its own day's observations only."""
    observations = grown(
        NOTHING, {0.1: 0, 0.2: 0, 1: 90, INF: 90}, {0.1: 100, 0.2: 100, 1: 190, INF: 190}, every=DAY / 2
    )
    kpi = histogram_kpi("p50 over day", no_data=NoData(after_seconds=DAY))

    assert row(kpi, observations[:2], DAY / 2).value == pytest.approx(0.6)
    later = [*observations, a_histogram("a", T0 + 1.25 * DAY, {0.1: 300, 0.2: 300, 1: 390, INF: 390})]
    assert (row(kpi, later, 1.25 * DAY).value, row(kpi, later, 1.25 * DAY).samples) == (pytest.approx(0.05), 200)


def test_a_late_frame_is_left_out_and_counted():
    """What comes behind a newer sample of its series says nothing new of a counter."""
    observations = [
        *grown(NOTHING, WORKED, WORKED),
        a_histogram("a", T0 + MINUTE, {0.1: 1, 0.2: 1, 1: 1, INF: 1}, seen_at=T0 + 3 * MINUTE),
    ]

    assert row(histogram_kpi("p20 over 10m"), observations, 3 * MINUTE).samples == 120


def test_count_is_how_many_were_observed():
    """The +Inf bucket is the count: a limit on it needs no second indicator."""
    kpi = histogram_kpi("count over 1m", objective=an_objective(Op.AT_MOST, 100), min_coverage=0.0)

    found = row(kpi, grown(NOTHING, WORKED), MINUTE)

    assert (found.value, found.samples, found.verdict) == (120.0, 120, Verdict.MISSED)
    unknown = histogram_kpi("count over 5m", objective=an_objective(Op.AT_LEAST, 100))
    assert row(unknown, grown(NOTHING, WORKED), MINUTE).reason is Reason.NO_BASELINE


@pytest.mark.parametrize(
    "measure", ["p60 over 5m", "p50 over 2h", "p60 over day", "median over sprint", "count over 2h"]
)
def test_a_restart_anywhere_changes_no_verdict(measure: str):
    """What the store gives back to the windows is what ran on, through resets, new pods and new bounds."""
    rng = np.random.default_rng(7)
    observations: list[Observation] = []
    totals: dict[str, dict[float, float]] = {}
    for step in range(150):
        at = T0 + 22 * HOUR + 120 * step
        if step in (40, 41):
            observations.append(a_failure("a", at))
            continue
        pods = [name for name, first, last in (("1", 0, 999), ("2", 30, 90), ("3", 60, 999)) if first <= step < last]
        for pod in pods:
            bounds = (0.1, 1.0, INF) if step < 70 else (0.1, 0.5, 1.0, INF)
            reset = pod not in totals or rng.random() < 0.03
            before = {} if reset else totals[pod]
            news = np.cumsum(rng.integers(0, 20, len(bounds))).tolist()
            totals[pod] = {bound: before.get(bound, 0.0) + new for bound, new in zip(bounds, news, strict=True)}
        observations.append(a_histogram("a", at, {labels(f"pod={pod}"): dict(totals[pod]) for pod in pods}))
    stored, plan = numbered(observations), a_plan(histogram_kpi(measure, objective=AT_MOST_1S, interval_seconds=120.0))
    state, persisted = EvaluationState.fresh(), PersistedEvaluation(None, 0, 0, {}, {}, {})
    values = set()
    for step in range(150):
        now = T0 + 22 * HOUR + 120 * step
        new = [item for item in stored if state.reading_cursor < item.id and item.observation.seen_at <= now]
        result = evaluate(plan, new, state, from_unix(now))
        persisted, state = kept(persisted, result.record), result.state
        if step % 9 == 0:
            needed = needed_from(plan, now + 1)
            history = [
                item for item in stored if item.id <= state.reading_cursor and item.observation.seen_at >= needed
            ]
            restored = EvaluationState.restored(plan, persisted, history)
            ran_on, came_back = (each.tracks["sprint-40", "latency"].peek(now + 1) for each in (state, restored))
            assert shown(came_back) == shown(ran_on), step
            values.add(ran_on.row(0).value)
    assert len(values) > 10
