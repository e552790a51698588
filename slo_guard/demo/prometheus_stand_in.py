"""A stand-in of Prometheus's query API that answers the demo's queries, and no others, as Prometheus would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import numpy as np

from slo_guard.demo.mission_control import MissionControl
from slo_guard.domain.readings import FloatArray
from slo_guard.errors import UnitError
from slo_guard.units import parse_duration

QUERIES: Mapping[str, str] = {
    "sum(sev1_incidents_total)": "sev1_incidents_total",
    'max(ALERTS{alertname=~".*ErrorBudgetBurn",alertstate="firing"}) or vector(0)': "burn_alarm_active",
    "sum by (system) (ga_request_seconds_count)": "ga_requests_total",
    'sum by (system) (ga_request_seconds_bucket{le="1.16"})': "ga_requests_within_target_total",
    "sum by (system) (ga_complaints_total)": "ga_complaints_total",
    "sum by (system) (ga_audits_total)": "ga_audits_total",
    "sum by (system) (ga_audits_passed_total)": "ga_audits_passed_total",
    "count(pilot0_blended_results > 0) or vector(0)": "fsv2_blended_sources",
    "max(rate(pilot0_captures_total[15m])) > bool 0": "fsv2_ab_harness_running",
    "pilot0_ctr5": "fsv2_ctr5_ratio",
    "pilot0_p95_seconds": "fsv2_p95_seconds",
    'sum(requests_total{planner="fs-v2",environment="production"}) or vector(0)': "fsv2_production_requests_total",
    "min by (tenant) (tenant_slo_green)": "onboarding_tenant_slos_green",
}
"""The queries that it knows, and the indicator of Mission Control that each gives."""

_MOST_POINTS = 11_000
_SPACE = re.compile(r"\s+")
_BY_TEXT = {_SPACE.sub("", query): indicator for query, indicator in QUERIES.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the API: its status and its JSON document."""

    status: HTTPStatus
    document: dict[str, Any]


class _BadRequestError(Exception):
    """The request is one that Prometheus refuses as ``bad_data``."""


def answer(path: str, parameters: Mapping[str, str], mission: MissionControl, now: float) -> Answer:
    """Answer a request to ``/api/v1/query`` or ``/api/v1/query_range`` as of ``now`` (Unix seconds).

    What Prometheus would refuse, and any query that is not one of ``QUERIES``, is an error in its own form.
    """
    try:
        if path == "/api/v1/query":
            return _ok("vector", _instant(parameters, mission, now))
        if path == "/api/v1/query_range":
            return _ok("matrix", _range(parameters, mission, now))
    except _BadRequestError as error:
        return _error(HTTPStatus.BAD_REQUEST, "bad_data", str(error))
    return _error(HTTPStatus.NOT_FOUND, "not_found", f"no such endpoint: {path}")


def _instant(parameters: Mapping[str, str], mission: MissionControl, now: float) -> list[dict[str, Any]]:
    indicator = _indicator(parameters)
    at = _time(parameters, "time") if "time" in parameters else now
    series = mission.indicator(indicator, np.array([min(at, now)]))
    return [
        {"metric": dict(labels), "value": [at, _number(values[0])]}
        for labels, values in series.items()
        if np.isfinite(values[0])
    ]


def _range(parameters: Mapping[str, str], mission: MissionControl, now: float) -> list[dict[str, Any]]:
    indicator = _indicator(parameters)
    start, end, step = _time(parameters, "start"), _time(parameters, "end"), _step(parameters)
    if end < start:
        raise _BadRequestError('invalid parameter "end": end timestamp must not be before start time')
    if (end - start) / step > _MOST_POINTS:
        raise _BadRequestError(
            f"exceeded maximum resolution of {_MOST_POINTS:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    at: FloatArray = start + step * np.arange(int((end - start) // step) + 1, dtype=np.float64)
    at = at[at <= now]
    return [
        {
            "metric": dict(labels),
            "values": [
                [instant, _number(value)]
                for instant, value in zip(at.tolist(), values.tolist(), strict=True)
                if np.isfinite(value)
            ],
        }
        for labels, values in mission.indicator(indicator, at).items()
        if np.isfinite(values).any()
    ]


def _indicator(parameters: Mapping[str, str]) -> str:
    query = parameters.get("query", "")
    if not query:
        raise _BadRequestError('invalid parameter "query": unknown position: parse error: no expression found in input')
    indicator = _BY_TEXT.get(_SPACE.sub("", query))
    if indicator is None:
        raise _BadRequestError(f'invalid parameter "query": the stand-in only knows {"; ".join(QUERIES)}')
    return indicator


def _time(parameters: Mapping[str, str], name: str) -> float:
    text = parameters.get(name, "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except ValueError:
            seconds = float("nan")
    if not np.isfinite(seconds):
        raise _BadRequestError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return seconds


def _step(parameters: Mapping[str, str]) -> float:
    text = parameters.get("step", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parse_duration(text)
        except UnitError:
            seconds = float("nan")
    if not np.isfinite(seconds):
        raise _BadRequestError(f'invalid parameter "step": cannot parse "{text}" to a valid duration')
    if seconds <= 0:
        raise _BadRequestError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted'
        )
    return seconds


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _ok(kind: str, result: list[dict[str, Any]]) -> Answer:
    return Answer(HTTPStatus.OK, {"status": "success", "data": {"resultType": kind, "result": result}})


def _error(status: HTTPStatus, kind: str, message: str) -> Answer:
    return Answer(status, {"status": "error", "errorType": kind, "error": message})
