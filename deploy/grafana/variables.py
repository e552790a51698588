"""What is chosen above a dashboard: the Prometheus, sprints, lanes, tenants, and where the page is."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from deploy.grafana.panels import SOURCE

PAGE = "http://localhost:9469"
_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def data_source() -> dashboard.DatasourceVariable:
    """Return the choice of the Prometheus that scrapes slo_guard."""
    chosen = VariableOption(selected=True, text="Prometheus", value="prometheus")
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(chosen)


def sprints() -> dashboard.QueryVariable:
    """Return the choice of sprints, the newest name first."""
    return _query("sprint", "Sprint", "label_values(slo_guard_kpi_info, sprint)").sort(VariableSort.NATURAL_DESC)


def lanes() -> dashboard.QueryVariable:
    """Return the choice of the sprints' lanes."""
    return _query("lane", "Lane", 'label_values(slo_guard_kpi_info{sprint=~"$sprint"}, lane)')


def tenants() -> dashboard.QueryVariable:
    """Return the choice of tenants, of the KPIs that are judged by tenant."""
    return _query("tenant", "Tenant", 'label_values(slo_guard_kpi_breached{sprint=~"$sprint"}, tenant)')


def kpis() -> dashboard.QueryVariable:
    """Return the choice of the lanes' KPIs that have a value, for a panel each."""
    return _query("kpi", "KPI", 'label_values(slo_guard_kpi_value{sprint=~"$sprint", lane=~"$lane"}, kpi)')


def page() -> dashboard.TextBoxVariable:
    """Return where slo_guard's own page is, for the links."""
    chosen = VariableOption(selected=True, text=PAGE, value=PAGE)
    return dashboard.TextBoxVariable("page").label("slo_guard").default_value(PAGE).current(chosen)


def _query(name: str, label: str, query: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE)
    variable.query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.NATURAL_ASC)
    return variable.multi(True).include_all(True).current(_ALL)
