"""Series that fall silent beside others: their silence is neither a recovery nor a breach."""

from __future__ import annotations

import pytest

from slo_guard.domain.kpi import Combine
from slo_guard.domain.readings import Observation
from slo_guard.domain.verdicts import Reason, Verdict
from tests.support.builders import SPRINT_START, a_failure, a_frame, a_kpi, an_objective, labels
from tests.support.stories import judged

T0 = SPRINT_START
MINUTE = 60.0
FS, XAI = labels("system=fs"), labels("system=xai2")


def two_systems(fs: float, xai: float, *, source_fails: bool = False) -> list[Observation]:
    """Return ten minutes of two systems, of which the first falls silent after a minute."""
    both = [a_frame("a", T0 + MINUTE * step, {FS: fs, XAI: xai}) for step in range(2)]
    rest = [a_frame("a", T0 + MINUTE * step, {XAI: xai}) for step in range(2, 10)]
    return [*both, *rest, *([a_failure("a", T0 + 10 * MINUTE)] if source_fails else [])]


@pytest.mark.parametrize(("source_fails", "reason"), [(False, Reason.GONE_FROM_SOURCE), (True, Reason.SOURCE_FAILED)])
def test_group_that_is_fine_only_without_its_silent_series_has_no_data(source_fails, reason):
    """The reason says what has become of the series that was breaching."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0))

    row = judged(kpi, two_systems(9.0, 0.5, source_fails=source_fails), T0 + 10 * MINUTE).row(0)

    assert (row.verdict, row.reason, row.value) == (Verdict.NO_DATA, reason, None)


def test_silent_series_has_no_say_once_it_is_forgotten():
    """A pod that was deleted must not be held against the others for ever."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), forget_after_seconds=400.0)

    row = judged(kpi, two_systems(9.0, 0.5), T0 + 9 * MINUTE).row(0)

    assert (row.verdict, row.value) == (Verdict.MET, 0.5)


def test_silent_series_counts_for_itself_where_nothing_says_how_series_fold():
    """`equals` judges one series at a time: the one that left must have been fine as well."""
    kpi = a_kpi(objective=an_objective("equals", 0))

    healthy = judged(kpi, two_systems(0.0, 0.0), T0 + 9 * MINUTE).row(0)
    breaching = judged(kpi, two_systems(1.0, 0.0), T0 + 9 * MINUTE).row(0)

    assert (healthy.verdict, breaching.verdict) == (Verdict.MET, Verdict.NO_DATA)


def test_missed_sum_stays_missed_without_what_has_left_it():
    """Capacity that is gone does not count: only a "met" must not rest on silence."""
    kpi = a_kpi(objective=an_objective("at_least", 100), combine=Combine.SUM)

    row = judged(kpi, two_systems(60.0, 60.0), T0 + 9 * MINUTE).row(0)

    assert (row.verdict, row.value) == (Verdict.MISSED, 60.0)


@pytest.mark.parametrize(
    ("fs", "verdict", "value"),
    [((20.0, 10.0), Verdict.NO_DATA, None), ((5.0, 8.0), Verdict.MET, 3.0), ((5.0, 5.0), Verdict.MISSED, 0.0)],
)
def test_delta_keeps_what_a_silent_series_had_gained(fs, verdict, value):
    """A tenant that vanishes makes the others' change neither better nor worse by that."""
    kpi = a_kpi(measure="delta over sprint", objective=an_objective("at_least", 2))
    own = 2.0 if fs == (20.0, 10.0) else 0.0
    frames = [a_frame("a", T0, {FS: fs[0], XAI: 5.0}), a_frame("a", T0 + MINUTE, {FS: fs[1], XAI: 5.0 + own})]
    frames += [a_frame("a", T0 + MINUTE * step, {XAI: 5.0 + own}) for step in range(2, 10)]

    row = judged(kpi, frames, T0 + 9 * MINUTE).row(0)

    assert (row.verdict, row.value) == (verdict, value)


def test_sliding_delta_leaves_out_a_series_that_ended_before_its_window():
    """Yesterday's pods have gained nothing in the last two minutes, and lack no baseline there either."""
    kpi = a_kpi(measure="delta over 2m", objective=an_objective("at_least", 0))

    row = judged(kpi, two_systems(9.0, 0.5), T0 + 9 * MINUTE).row(0)

    assert (row.verdict, row.value) == (Verdict.MET, 0.0)


@pytest.mark.parametrize(("measure", "value"), [("max over 1h", 9.0), ("mean over 1h", 9.0), ("max over 2m", 0.5)])
def test_window_keeps_the_samples_of_a_series_that_is_silent_now(measure, value):
    """The maximum of an hour does not fall because the pod that caused it was killed."""
    kpi = a_kpi(measure=measure, objective=an_objective("at_most", 1))

    row = judged(kpi, two_systems(9.0, 0.5), T0 + 9 * MINUTE).row(0)

    assert row.value == value


def test_short_window_without_samples_is_no_data_before_the_last_one_is_stale():
    """Nothing was seen in the window that is judged: that is silence, not a lack of samples."""
    kpi = a_kpi(measure="max over 1m", objective=an_objective("at_most", 1))
    quiet = [a_frame("a", T0 + 30 * step, {(): None}) for step in range(1, 4)]

    row = judged(kpi, [a_frame("a", T0, 0.5), *quiet], T0 + 90).row(0)

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, Reason.STALE)


def test_sprint_window_without_samples_as_the_sprint_begins_is_not_silence():
    """Every sprint would begin with a page."""
    kpi = a_kpi(measure="max over sprint", objective=an_objective("at_most", 1))

    row = judged(kpi, [a_frame("a", T0 - 30, 0.5)], T0).row(0)

    assert (row.verdict, row.reason) == (Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES)
