"""The built-in KPIs and indicators: whether collectors answer, and for how long burn alarms have sounded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from slo_guard.domain.kpi import (
    KPI,
    Matcher,
    MatchOp,
    Measure,
    NoData,
    NoDataThen,
    Objective,
    Op,
    Reducer,
    Selection,
    Severity,
    Single,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import Collection, GaugeFrame, IndicatorSpec, IndicatorType, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.units import SECONDS

COLLECTOR_UP = "slo_guard_collector_up"
"""The KPI and its indicator; its one label is ``collector``. It belongs to no sprint."""

SPRINT_CLOSE = "slo_guard_sprint_close"
"""The KPI of the one transition by which a sprint's close is told; it is never judged and never fires."""

TEST_MESSAGE = "slo_guard_test"
"""What stands in a test message where the KPI stands in others."""

COLLECTOR_LANE = "slo_guard"

COLLECTOR_UP_SPEC = IndicatorSpec(COLLECTOR_UP, IndicatorType.BOOL, "")

BURN_ALARM = "slo_guard_burn_alarm_seconds"
"""The built-in indicator of burn alarms: rules read it as ``total over sprint``, the time of the alarms together."""

BURN_ALARM_SPEC = IndicatorSpec(BURN_ALARM, IndicatorType.BOOL, "")

_NEVER_STALE_SECONDS = 366 * 86400.0


def collector_up_kpi(
    collectors: Iterable[str], *, for_seconds: float, severity: Severity, interval_seconds: float
) -> KPI:
    """Return the KPI that is missed while one of ``collectors`` fails.

    It never goes stale: a collector that does not run at all shows in the KPIs that read it.
    """
    names = "|".join(sorted(collectors))
    return KPI(
        id=COLLECTOR_UP,
        sprint="",
        lane=COLLECTOR_LANE,
        title="Collector answers",
        source=Single(Selection(COLLECTOR_UP, (Matcher("collector", MatchOp.REGEX, names),))),
        measure=Measure(Reducer.LAST, None, "last"),
        type=IndicatorType.BOOL,
        unit="",
        objective=Objective(Op.IS, 1.0, "is true"),
        by=("collector",),
        for_seconds=for_seconds,
        severity=severity,
        warn_severity=Severity.NONE,
        no_data=NoData(_NEVER_STALE_SECONDS, NoDataThen.OK),
        interval_seconds=interval_seconds,
        annotations={"summary": "The collector {{ labels.collector }} cannot be read"},
    )


def of_sprint(sprint: str) -> Matcher:
    """Return what selects a sprint's own series of :data:`BURN_ALARM`."""
    return Matcher("sprint", MatchOp.EQUAL, sprint)


@lru_cache(maxsize=64)
def burn_alarm_index(sprint: str) -> SeriesIndex:
    """Return the one series that a sprint has of :data:`BURN_ALARM`, always the same object."""
    return SeriesIndex.of(((("sprint", sprint),),))


def burn_alarm_kpi(sprint: Sprint, *, fresh_for_seconds: float) -> KPI:
    """Return the KPI that counts a sprint's burn alarms for the metrics page: it is tracked, and in no rule file.

    ``fresh_for_seconds``: for how long an evaluation speaks, where no other follows; five minutes at least.
    """
    return KPI(
        id=BURN_ALARM,
        sprint=sprint.id,
        lane=COLLECTOR_LANE,
        source=Single(Selection(BURN_ALARM, (of_sprint(sprint.id),))),
        measure=Measure(Reducer.TOTAL, Window(WindowKind.SPRINT), "total over sprint"),
        type=IndicatorType.BOOL,
        unit=SECONDS,
        warn_severity=Severity.NONE,
        no_data=NoData(max(NoData().after_seconds, fresh_for_seconds)),
    )


def collector_up_reading(collection: Collection, at: float) -> Reading:
    """Return the reading that says whether a collection brought anything: true unless every indicator failed."""
    up = any(isinstance(item, Reading) for item in collection.observations)
    index = SeriesIndex.of(((("collector", collection.collector),),))
    frame = GaugeFrame(index, np.array([1.0 if up else 0.0]), at)
    return Reading(COLLECTOR_UP, collection.collector, at, frame)
