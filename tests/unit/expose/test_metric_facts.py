"""What dashboards join and reckon with: titles, units, dates and lines of the rule files, as metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slo_guard.domain.kpi import Pace
from slo_guard.domain.series import label_set
from slo_guard.domain.verdicts import Outlook
from slo_guard.expose.render import KpiRenderer
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_sprint, an_objective, labels
from tests.support.pictures import verdict_frame
from tests.unit.expose.test_render import ID, of, samples

P95 = a_kpi("ga_e2e_p95", by=("system",), unit="seconds", objective=an_objective("at_most", 1.16))


def test_each_kpi_says_its_title_its_unit_and_whether_it_decides_the_sprint():
    """A panel that shows ids only, or a bare 1.16, is read by whoever wrote the rule and by nobody else."""
    kpi = replace(P95, title='GA "end-to-end" p95', owner="SRE Lead", gate=True)

    page = KpiRenderer().render([], {}, [kpi])

    assert of(page, "kpi_info", *ID) == {
        label_set({"title": 'GA "end-to-end" p95', "owner": "SRE Lead", "unit": "seconds", "gate": "true"}): 1
    }


def test_a_kpi_without_a_unit_has_an_empty_one():
    """One row a KPI: a join that drops the counts would empty their panels."""
    page = KpiRenderer().render([verdict_frame(a_kpi("sev1"), 1.0)], {})

    [found] = of(page, "kpi_info", *ID)
    assert dict(found).get("unit", "") == ""
    assert dict(found)["gate"] == "false"


def test_each_sprint_says_when_it_starts_and_ends():
    """The days that are left are reckoned in the dashboard: a number that is rendered once a cycle would stand still."""
    page = KpiRenderer().render([], {}, [P95], sprints=[a_sprint()])

    assert of(page, "sprint_start_timestamp_seconds") == {labels("sprint=sprint-40"): SPRINT_START}
    assert of(page, "sprint_end_timestamp_seconds") == {labels("sprint=sprint-40"): SPRINT_END}


def test_a_kpi_with_a_pace_has_its_line_and_no_other_has():
    """The ideal line of a burndown begins at what the sprint began with, which no query finds out after a week."""
    burndown = replace(P95, id="points", pace=Pace.WORKDAYS)
    frame = verdict_frame(burndown, {labels("system=a"): 40.0, labels("system=b"): 20.0})
    ahead = replace(frame, outlook=Outlook(line=np.array([36.0, np.nan])))
    renderer = KpiRenderer()

    page = renderer.render([ahead, verdict_frame(P95, {labels("system=a"): 1.0})], {})
    later = renderer.render([replace(ahead, outlook=Outlook(line=np.array([30.0, 12.0])))], {})

    assert of(page, "kpi_pace_line", "sprint", "lane") == {labels("kpi=points,system=a"): 36.0}
    assert of(later, "kpi_pace_line", *ID) == {labels("system=a"): 30.0, labels("system=b"): 12.0}


def test_without_rules_there_is_no_empty_family():
    """A HELP line of nothing is a finding of promtool's."""
    page = KpiRenderer().render([verdict_frame(P95, {labels("system=a"): 1.0})], {})

    assert not [name for name, _ in samples(page) if "sprint_" in name or "pace" in name]
    assert b"sprint_end" not in bytes(page)
