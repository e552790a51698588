"""A panel's queries, asked of Prometheus as Grafana asks them: variables put in, a step for each few pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests

from tests.support import dashboards
from tests.support.prometheus_server import PrometheusServer

_FIELD = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Line:
    """A series over time (NaN: nothing there), named by the query's legend."""

    name: str
    letter: str
    labels: Mapping[str, str]
    at: np.ndarray
    values: np.ndarray

    @property
    def last(self) -> float:
        """The newest value."""
        present = self.values[~np.isnan(self.values)]
        return float(present[-1]) if len(present) else float("nan")


@dataclass(frozen=True, slots=True)
class Asking:
    """A Prometheus, what is chosen above the dashboard, and the time that it shows."""

    prometheus: PrometheusServer
    chosen: Mapping[str, list[str]]
    start: float
    end: float
    step: float

    def answers(self, panel: Mapping[str, Any]) -> list[Line]:
        """Return the series of all queries of a panel, in their order."""
        return [line for target in panel.get("targets", ()) for line in self._lines(target)]

    def _lines(self, target: Mapping[str, Any]) -> list[Line]:
        expression = dashboards.filled_in(target["expr"], self.chosen)
        if target["instant"]:
            found = self._ask("query", query=expression, time=self.end)
            series = [(each["metric"], [each["value"]]) for each in found]
        else:
            found = self._ask("query_range", query=expression, start=self.start, end=self.end, step=self.step)
            series = [(each["metric"], each["values"]) for each in found]
        return [self._line(target, labels, values) for labels, values in series]

    def _line(self, target: Mapping[str, Any], labels: dict[str, str], values: list[list[Any]]) -> Line:
        name = _FIELD.sub(lambda match: labels.get(match[1], ""), target.get("legendFormat", "")).strip()
        instants = np.arange(self.start, self.end + self.step / 2, self.step)
        row = np.full(len(instants), np.nan)
        for at, value in values:
            row[min(len(row) - 1, max(0, round((at - self.start) / self.step)))] = float(value)
        return Line(name, target["refId"], labels, instants, row)

    def _ask(self, path: str, **params: str | float) -> list[dict[str, Any]]:
        body = requests.get(f"{self.prometheus.url}/api/v1/{path}", params, timeout=60).json()
        assert body["status"] == "success", body
        found: list[dict[str, Any]] = body["data"]["result"]
        return found
