"""What a KPI says of the time ahead and of time left out: pace, drift, conditions and exclusions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from slo_guard.domain.calendar import day_start
from slo_guard.domain.kpi import (
    KPI,
    Drift,
    Exclusion,
    Measure,
    Objective,
    Op,
    Pace,
    Reducer,
    Sprint,
    When,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType
from slo_guard.errors import Finding
from slo_guard.located_yaml import KeyPath
from slo_guard.rulebook.calendar import SPRINT_END, parse_date, parse_moment
from slo_guard.rulebook.drafts import Draft
from slo_guard.rulebook.measures import is_truth
from slo_guard.rulebook.models import ExclusionFields, QuotientFields
from slo_guard.units import format_duration
from slo_guard.validation import nearest

_ACCUMULATING = (Reducer.INCREASE, Reducer.SUM, Reducer.COUNT, Reducer.TOTAL, Reducer.DELTA)
_LONGEST_DRIFT_SECONDS = 31 * 86400.0


@dataclass(slots=True)
class AheadReader:
    """Reads pace, drift, when and exclude of one draft; ``findings`` holds what is wrong with them."""

    draft: Draft
    measure: Measure | None
    kind: IndicatorType | None
    objective: Objective | None
    sprint: Sprint | None
    findings: list[Finding] = field(default_factory=list)

    def pace(self) -> Pace | None:
        """Return the pace, None where there is none or it cannot be followed."""
        fields = self.draft.fields
        if fields.pace is None or self.measure is None:
            return None
        over_sprint = self.measure.window is not None and self.measure.window.kind is WindowKind.SPRINT
        accumulates = over_sprint and self.measure.reducer in _ACCUMULATING
        runs_down = self.measure.reducer is Reducer.LAST and self.kind is IndicatorType.GAUGE
        if isinstance(fields.indicator, QuotientFields) or not (accumulates or runs_down):
            self._say(
                ("pace",),
                f"a pace leads to a goal that adds up over the sprint or runs down to 0, and {self.measure.text!r} "
                "does not; write increase, count, sum, total or delta over sprint, or last of a gauge",
            )
            return None
        if self.objective is None and "objective" not in self.draft.broken and fields.objective is None:
            if accumulates:
                self._say(("pace",), "there is no goal to keep pace with; write an objective")
                return None
        elif self.objective is not None and self.objective.op in (Op.AT_LEAST, Op.ABOVE) and fields.due is None:
            self._say(("pace",), f"a pace leads to a due time; write due: {SPRINT_END} as well")
        return Pace(fields.pace)

    def drift(self) -> Drift | None:
        """Return the drift, None where there is none or nothing that could be crossed."""
        given = self.draft.fields.drift
        if given is None or self.measure is None:
            return None
        if self.measure.window is not None:
            self._say(("drift",), f"a trend is taken of newest values, not {self.measure.text!r}; write measure: last")
        if self.kind not in (IndicatorType.GAUGE, IndicatorType.PERCENTILE):
            self._say(("drift",), "only gauges and percentiles drift; leave it out")
        if self.draft.fields.objective is None or (self.objective is not None and self.objective.op is Op.EQUALS):
            self._say(("drift",), "there is no bound that a trend could cross; write an objective such as at_most")
        if given.over > _LONGEST_DRIFT_SECONDS:
            longest = format_duration(_LONGEST_DRIFT_SECONDS)
            self._say(("drift", "over"), f"is longer than {longest}; write a shorter one, such as 6h")
        return Drift(given.over, given.crosses_within)

    def when(self) -> When | None:
        """Return the condition; that its KPI exists is checked when all are read, by :func:`condition_faults`."""
        given = self.draft.fields.when
        if given is None:
            return None
        if given.kpi == self.draft.id:
            self._say(("when", "kpi"), "a KPI cannot be its own condition; name another one")
            return None
        return When(given.kpi, given.is_)

    def exclusions(self) -> tuple[Exclusion, ...]:
        """Return the excluded stretches, ascending."""
        if self.draft.owns("exclude") and self.measure is not None and self.measure.reducer is Reducer.DELTA:
            self._say(("exclude",), "a delta is one value less another, whatever was between; leave exclude out")
            return ()
        found: list[Exclusion] = []
        for at, given in enumerate(self.draft.fields.exclude or ()):
            exclusion = self._exclusion(("exclude", at), given)
            if exclusion is not None:
                found.append(exclusion)
        found.sort(key=lambda each: each.start_at)
        for one, other in itertools.pairwise(found):
            if other.start_at < one.end_at:
                self._say(
                    ("exclude",), f"{one.reason!r} and {other.reason!r} overlap; let one end where the other begins"
                )
        return tuple(found)

    def _exclusion(self, path: KeyPath, given: ExclusionFields) -> Exclusion | None:
        if self.sprint is None:
            return None
        instants: list[float] = []
        for name, text in (("from", given.from_), ("to", given.to)):
            try:
                instants.append(_edge(text, self.sprint, begins=name == "from"))
            except ValueError as error:
                self._say((*path, name), str(error))
        if len(instants) < 2:
            return None
        if instants[1] <= instants[0]:
            self._say((*path, "to"), f"{given.to} is not after {given.from_}; write a later end")
            return None
        return Exclusion(instants[0], instants[1], given.reason, given.by)

    def _say(self, path: KeyPath, message: str) -> None:
        self.findings.append(self.draft.finding(path, message))


def _edge(text: str, sprint: Sprint, *, begins: bool) -> float:
    """Return the instant of an exclusion's edge: a date begins at its first instant and ends with its last."""
    text = text.strip()
    if begins and text == SPRINT_END:
        raise ValueError("nothing of the sprint is left then; write an earlier time")
    if begins and len(text) == len("2026-07-10"):
        return day_start(parse_date(text), ZoneInfo(sprint.timezone))
    return parse_moment(text, sprint).at


def condition_faults(kpis: Iterable[KPI], drafts: Mapping[tuple[str, str], Draft]) -> Iterable[Finding]:
    """Yield what is wrong with the conditions among all KPIs: no such KPI, not a truth, or a circle.

    ``drafts``: by (sprint, id); those that are not among ``kpis`` have errors of their own.
    """
    by_key = {(kpi.sprint, kpi.id): kpi for kpi in kpis}
    for key, kpi in by_key.items():
        if kpi.when is None:
            continue
        draft, other = drafts[key], (kpi.sprint, kpi.when.kpi)
        condition = by_key.get(other)
        if condition is None:
            if other not in drafts:
                known = [name for sprint, name in drafts if sprint == kpi.sprint]
                hint = nearest(kpi.when.kpi, known)
                yield draft.finding(("when", "kpi"), f"{kpi.sprint} has no KPI {kpi.when.kpi!r}{hint}")
        elif not is_truth(condition.measure, condition.type):
            message = f"{condition.id} is not true or false; name a KPI over a bool, measured by last"
            yield draft.finding(("when", "kpi"), message)
        elif circle := _circle(kpi, by_key):
            yield draft.finding(("when",), f"the conditions go in a circle: {' -> '.join(circle)}; cut it")


def _circle(kpi: KPI, by_key: Mapping[tuple[str, str], KPI]) -> list[str]:
    path, current = [kpi.id], kpi
    while current.when is not None:
        following = by_key.get((current.sprint, current.when.kpi))
        if following is None:
            return []
        path.append(following.id)
        if following.id == kpi.id:
            return path
        if following.id in path[:-1]:
            return []
        current = following
    return []
