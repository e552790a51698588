"""Routes in the shapes of Prometheus's own HTTP API: Grafana's alert list and other clients of it read them.

A data source with the URL ``…/prometheus`` is all that they need. No PromQL is answered here: query a Prometheus that
scrapes ``/metrics``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from slo_guard import __version__
from slo_guard.expose.prometheus_answers import MOST_ALERTS, Annotate, Wanted, alerts_answer, rules_answer
from slo_guard.expose.prometheus_models import PrometheusAlertsAnswer, PrometheusBuildAnswer, PrometheusRulesAnswer
from slo_guard.expose.routing import current_of, json_answer
from slo_guard.expose.snapshot import SnapshotHolder

PREFIX = "/prometheus/api/v1"

MostAlerts = Annotated[int, Query(ge=1, le=1_000_000, description="At most so many alerts, the loudest.")]


def prometheus_router(holder: SnapshotHolder, annotate: Annotate) -> APIRouter:
    """Return the routes; ``annotate`` fills in the annotations of an alert."""
    router = APIRouter(prefix=PREFIX, tags=["prometheus"])

    @router.get("/rules", response_model=PrometheusRulesAnswer, operation_id="prometheus_rules")
    def rules(
        type: Annotated[  # noqa: A002 - Prometheus's name of the parameter
            Literal["alert", "record", ""], Query(description="Only alerting rules; there are no recording rules.")
        ] = "",
        rule_name: Annotated[tuple[str, ...], Query(alias="rule_name[]", description="Only rules so named.")] = (),
        rule_group: Annotated[tuple[str, ...], Query(alias="rule_group[]", description="Only these groups.")] = (),
        file: Annotated[tuple[str, ...], Query(alias="file[]", description="Only groups of these files.")] = (),
        exclude_alerts: Annotated[bool, Query(description="Leave out the alerts of each rule.")] = False,
        limit: MostAlerts = MOST_ALERTS,
    ) -> Response:
        """Return each alert that a KPI can raise as an alerting rule, in groups of a sprint and lane."""
        wanted = Wanted(frozenset(rule_name), frozenset(rule_group), frozenset(file), type != "record")
        snapshot = current_of(holder)
        return json_answer(rules_answer(snapshot, annotate, wanted, with_alerts=not exclude_alerts, limit=limit))

    @router.get("/alerts", response_model=PrometheusAlertsAnswer, operation_id="prometheus_alerts")
    def alerts(limit: MostAlerts = MOST_ALERTS) -> Response:
        """Return the alerts that are pending or firing, the loudest first."""
        return json_answer(alerts_answer(current_of(holder), annotate, limit))

    @router.get("/status/buildinfo", response_model=PrometheusBuildAnswer, operation_id="prometheus_buildinfo")
    def buildinfo() -> Response:
        """Return which version answers; Grafana tells by it how to ask for rules."""
        unknown = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
        return json_answer({"status": "success", "data": {"version": __version__, **unknown}})

    return router
