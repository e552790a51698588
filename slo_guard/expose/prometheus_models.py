"""The models that document what is answered in the shapes of Prometheus's own HTTP API."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class PrometheusAlertAnswer(BaseModel):
    """One alert that is pending or firing; ``value`` as Prometheus writes numbers: ``1.31e+00``."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: Literal["pending", "firing"]
    activeAt: str  # noqa: N815 - Prometheus's name
    keepFiringSince: str | None = Field(default=None, description="Since when it is clear, and kept.")  # noqa: N815
    value: str


class PrometheusRuleAnswer(BaseModel):
    """One alert that the series of a KPI can raise; ``query`` is PromQL over slo_guard's own metrics."""

    state: Literal["inactive", "pending", "firing"]
    name: str
    query: str
    duration: float
    keepFiringFor: float  # noqa: N815
    labels: dict[str, str]
    annotations: dict[str, str]
    alerts: list[PrometheusAlertAnswer]
    health: Literal["ok", "unknown", "err"]
    lastError: str | None = Field(default=None, description="Why it could not be judged.")  # noqa: N815
    evaluationTime: float  # noqa: N815
    lastEvaluation: str  # noqa: N815
    type: Literal["alerting"]


class PrometheusGroupAnswer(BaseModel):
    """The rules of one sprint and lane in one file."""

    name: str
    file: str
    rules: list[PrometheusRuleAnswer]
    interval: float
    limit: int
    evaluationTime: float  # noqa: N815
    lastEvaluation: str  # noqa: N815


class PrometheusGroups(BaseModel):
    """All groups."""

    groups: list[PrometheusGroupAnswer]


class PrometheusRulesAnswer(BaseModel):
    """``data`` of ``/api/v1/rules``; ``warnings`` where alerts were left out."""

    status: Literal["success"]
    data: PrometheusGroups
    warnings: list[str] | None = None


class PrometheusAlerts(BaseModel):
    """All alerts."""

    alerts: list[PrometheusAlertAnswer]


class PrometheusAlertsAnswer(BaseModel):
    """``data`` of ``/api/v1/alerts``; ``warnings`` where alerts were left out."""

    status: Literal["success"]
    data: PrometheusAlerts
    warnings: list[str] | None = None


class PrometheusBuild(BaseModel):
    """What Prometheus says of itself; here it is slo_guard's version."""

    version: str
    revision: str
    branch: str
    buildUser: str  # noqa: N815
    buildDate: str  # noqa: N815
    goVersion: str  # noqa: N815


class PrometheusBuildAnswer(BaseModel):
    """``data`` of ``/api/v1/status/buildinfo``."""

    status: Literal["success"]
    data: PrometheusBuild


class PrometheusErrorAnswer(BaseModel):
    """An error as Prometheus answers it."""

    status: Literal["error"]
    errorType: Literal["bad_data", "not_found", "unavailable", "internal", "execution"]  # noqa: N815
    error: str
