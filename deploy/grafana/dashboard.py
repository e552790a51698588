"""The two dashboards: one of the shipped rules, lane by lane, and one for any rules."""

from __future__ import annotations

import json
from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from deploy.grafana import variables
from deploy.grafana.daemon_rows import collector_row, delivery_row, evaluation_row
from deploy.grafana.lane_row import any_kpi_row, any_lane_row, lane_row, lanes_of
from deploy.grafana.layout import Layout
from deploy.grafana.sprint_row import sprint_row
from slo_guard.domain.kpi import KPI

SPRINT_UID, ANY_UID = "slo-guard-sprint", "slo-guard-any-sprint"


def of_rules(kpis: Sequence[KPI], uid: str = SPRINT_UID, title: str = "slo_guard: sprint") -> dashboard.Dashboard:
    """Return the dashboard of these KPIs: a row a lane, a panel for each number that a KPI has."""
    target = _dashboard(title, uid, "Sprint KPIs lane by lane, as their rule files say: generated from the rules.")
    _with_variables(target)
    layout = Layout(target)
    layout.add("Sprint", sprint_row())
    for lane, inside in lanes_of(kpis):
        layout.add(f"Lane: {lane}", lane_row(lane, inside))
    _add_daemon(layout)
    return target


def of_any_rules() -> dashboard.Dashboard:
    """Return the dashboard that knows no rules: its rows repeat for each lane, its panels for each KPI."""
    target = _dashboard(
        "slo_guard: any sprint", ANY_UID, "Sprint KPIs of any rules: a row for each lane that there is."
    )
    _with_variables(target, variables.kpis())
    layout = Layout(target)
    layout.add("Sprint", sprint_row())
    layout.add("Lane: $lane", any_lane_row(), repeat="lane")
    layout.add("KPI by KPI", any_kpi_row())
    _add_daemon(layout)
    return target


def as_json(target: dashboard.Dashboard) -> str:
    """Return the dashboard as the text of a file: keys in order, so that a change shows as what it is."""
    return json.dumps(target.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _dashboard(title: str, uid: str, description: str) -> dashboard.Dashboard:
    target = dashboard.Dashboard(title).uid(uid).description(description).tags(["slo_guard"]).editable()
    target.time("now-14d", "now").refresh("1m").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    to_page = dashboard.DashboardLink("slo_guard").type(DashboardLinkType.LINK).url("${page}").icon("external link")
    others = dashboard.DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags(["slo_guard"])
    target.link(to_page.tooltip("The page: every KPI with its reason").target_blank(True))
    return target.link(others.as_dropdown(True).include_vars(True).keep_time(True))


def _with_variables(target: dashboard.Dashboard, *more: dashboard.QueryVariable) -> None:
    chosen = (variables.data_source(), variables.sprints(), variables.lanes(), variables.tenants(), *more)
    for variable in (*chosen, variables.page()):
        target.with_variable(variable)


def _add_daemon(layout: Layout) -> None:
    layout.add("slo_guard: collectors", collector_row())
    layout.add("slo_guard: evaluation", evaluation_row())
    layout.add("slo_guard: deliveries", delivery_row())
