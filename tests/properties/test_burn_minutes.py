"""The time for which burn alarms sounded, against the plain union of what each evaluation saw.

Through a real SQLite store and the daemon's own job, with restarts, evaluations that were left out and sources that do
not answer. ``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.domain.alerts import AlertKey, AlertKind
from slo_guard.domain.kpi import KPI, Plan, Severity
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.evaluate import Evaluation
from slo_guard.evaluate.tracks import longest_wait_seconds
from slo_guard.expose.render import KpiRenderer
from slo_guard.store import open_store
from tests.support.burning import T0, Hours, burning_hours, instants, lived
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))
FRESH_FOR = 300.0
"""For how long an evaluation speaks where no other follows."""


@dataclass
class PlainUnion:
    """What was seen at each evaluation: an alarm (True), none (False), or nobody could tell (None)."""

    plan: Plan
    seen: list[tuple[float, bool | None]] = field(default_factory=list)
    firing: set[AlertKey] = field(default_factory=set)
    judged: dict[str, tuple[float, bool]] = field(default_factory=dict)

    def take(self, now: float, evaluation: Evaluation) -> None:
        """Take in what an evaluation said: transitions of burn alerts that page, and verdicts without data."""
        for each in evaluation.transitions:
            if each.key.kind is AlertKind.BURN and each.severity is Severity.PAGE:
                (self.firing.add if each.to_state is AlertState.FIRING else self.firing.discard)(each.key)
        burning = {kpi.id for kpi in self.plan.kpis if kpi.error_budget is not None}
        due = {kpi.id for kpi in self.plan.due_at(now).judged_now} & burning
        for frame in evaluation.verdicts:
            if frame.kpi.id in due:
                rows = [frame.row(number) for number in range(len(frame.index))]
                blind = any(row.verdict is Verdict.NO_DATA for row in rows)
                if all(row.reason is not Reason.AWAITING_FIRST_COLLECTION for row in rows):
                    self.judged[frame.kpi.id] = (now, not blind)
        if due & set(self.judged):
            kpis = [kpi for kpi in self.plan.kpis if kpi.id in burning]
            known = all(self._was_seen(kpi, now) for kpi in kpis)
            self.seen.append((now, True if self.firing else False if known else None))

    def _was_seen(self, kpi: KPI, now: float) -> bool:
        at, seen = self.judged.get(kpi.id, (float("-inf"), False))
        return seen and now - at <= longest_wait_seconds(kpi)

    def seconds(self, now: float, *, alarm: bool) -> float:
        """Return for how long it sounded (or was watched at all) within the sprint, up to ``now``."""
        sprint = self.plan.sprints["sprint-40"]
        found = 0.0
        ends = [at for at, _ in self.seen[1:]] + [float("inf")]
        for (at, state), following in zip(self.seen, ends, strict=False):
            begin, end = max(at, sprint.start_at), min(following, at + FRESH_FOR, now, sprint.end_at)
            if (state if alarm else state is not None) and end > begin:
                found += end - begin
        return found


@seed(SEED)
@settings(
    max_examples=EXAMPLES // 30,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(burning_hours(), st.data())
def test_burn_minutes_are_the_plain_union_of_what_evaluations_saw(hours: Hours, data: st.DataObject):
    """Ten minutes of alarms are the limit of the sprint: neither overlaps nor a restart may add to them, or hide any."""
    note(f"SLO_GUARD_SEED={SEED}")
    stops = data.draw(st.sets(st.sampled_from(instants(hours)), max_size=4))
    plain, sprint = PlainUnion(hours.plan), hours.plan.sprints["sprint-40"]

    with TemporaryDirectory() as folder, closing(open_store(Path(folder) / "slo.db")) as store:
        for now, evaluation in lived(hours, stops, lambda: store):
            if evaluation.skipped or now < sprint.start_at:
                continue
            plain.take(now, evaluation)
            said = f"at +{now - T0:g}, stopped after {sorted(stops)}, {[(at - T0, s) for at, s in plain.seen]}"
            sounded, watched = (plain.seconds(now, alarm=alarm) for alarm in (True, False))
            assert evaluation.burn_alarm_seconds["sprint-40"] == pytest.approx(sounded, abs=1e-6), said
            page = bytes(KpiRenderer().render((), {}, (), evaluation.burn_alarm_seconds)).decode()
            [shown] = re.findall(
                r'^slo_guard_burn_alarm_seconds_total\{sprint="sprint-40"\} (\S+)$', page, re.MULTILINE
            )
            assert float(shown) == pytest.approx(sounded, abs=1e-6), said
            for frame in (each for each in evaluation.verdicts if each.kpi.id == "burn_minutes"):
                row = frame.row(0)
                if row.verdict is not Verdict.NO_DATA and now > sprint.start_at and plain.seen:
                    assert row.value == pytest.approx(sounded, abs=1e-6), said
                    length = min(now, sprint.end_at) - sprint.start_at
                    assert row.coverage == pytest.approx(watched / length, abs=1e-9), said
