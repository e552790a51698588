"""Which KPIs can be replayed where only some indicators are known."""

from __future__ import annotations

from pathlib import Path

from slo_guard.replay.known_part import known_part
from tests.support.rule_files import plan_of, specs


def test_what_depends_on_what_is_left_out_goes_too_and_what_lacks_something_beside_stays(tmp_path: Path) -> None:
    """A verdict of half the truth would be told as the whole of it; one that lacks only a comparison is not."""
    plan = plan_of(
        tmp_path,
        """\
        - {kpi: errors, indicator: {bad: failed, total: all}, measure: ratio over 5m, objective: {below: 5%},
           error_budget: {window: sprint, burn_alerts: workbook}}
        - {kpi: alarms, indicator: slo_guard_burn_alarm_seconds, measure: total over sprint, objective: {below: 10m}}
        - {kpi: go, indicator: signed, objective: {is: true}}
        - {kpi: then, indicator: latency, objective: {at_most: 1}, when: {kpi: go, is: true}}
        - {kpi: later, indicator: ready, objective: {is: true}, when: {kpi: go, is: true}}
        - {kpi: compared, indicator: latency, objective: {at_most: 1}, cross_check: other}
        """,
        specs(failed="counter", all="counter", signed="bool", latency="gauge", ready="bool", other="gauge"),
    )

    part = known_part(plan, {"all", "latency", "ready"})
    with_budget = known_part(plan, {"all", "failed", "latency", "ready"})

    assert [kpi.id for kpi in part.plan.kpis] == ["compared"]
    assert {kpi.id: why for kpi, why in part.left_out} == {
        "errors": "reads failed",
        "alarms": "counts burn alarms, and no KPI that has some is left",
        "go": "reads signed",
        "then": "depends on go",
        "later": "depends on go",
    }
    assert [(kpi.id, lacks) for kpi, lacks in part.partly] == [("compared", "other")]
    assert {"errors", "alarms"} < {kpi.id for kpi in with_budget.plan.kpis}
