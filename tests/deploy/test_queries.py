"""Every query of the dashboards and of the alerts, asked of a real Prometheus that scrapes the demo.

In one module, so that the demo ends when the last of them was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import requests
import yaml

from tests.support import dashboards
from tests.support.scraped_demo import SCRAPED_DEMO, ScrapedDemo, scraped_demo

__all__ = ["scraped_demo"]

pytestmark = [*SCRAPED_DEMO]

UNANSWERED: Mapping[tuple[str, str], str] = {
    ("$kpi", "C"): "no KPI of the demo is measured in bytes",
    ("$kpi", "G"): "nor has one a target in bytes",
}
"""What has no data in the demo, by title and query, and why that is right."""

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
ALERTS = [
    pytest.param(rule["expr"], id=rule["alert"])
    for name in ("alerts.yml", "kpi-alerts.yml")
    for group in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
_COMPARISONS = {"==", ">", "<", ">=", "<=", "!="}

every_dashboard = pytest.mark.parametrize("file", dashboards.FILES)


def ask(demo: ScrapedDemo, path: str, **params: str | float) -> Any:
    """Return what Prometheus answers, failing with its own words."""
    answer = requests.get(f"{demo.prometheus.url}/api/v1/{path}", params, timeout=10)
    body = answer.json()
    assert body["status"] == "success", (body.get("error"), params)
    return body["data"]


def options(demo: ScrapedDemo, document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return all values of each variable, those of the first ones put into the next, as Grafana does."""
    found = {"datasource": ["prometheus"], "page": ["http://localhost:9469"]}
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            series, label = dashboards.label_values(variable)
            found[variable["name"]] = ask(
                demo, f"label/{label}/values", **{"match[]": dashboards.filled_in(series, found)}
            )
    return found


@every_dashboard
def test_every_variable_has_something_to_choose(scraped_demo, file):
    """An empty choice empties all panels below it."""
    document = dashboards.read(file)

    found = options(scraped_demo, document)

    assert found["sprint"] == ["sprint-40"]
    assert len(found["lane"]) == 9
    assert len(found["tenant"]) >= 3
    assert found.get("kpi") is None or len(found["kpi"]) > 30


@every_dashboard
def test_every_query_answers_with_data_now_and_over_time(scraped_demo, file):
    """A panel that says "no data" on the first morning is the last one that anybody opens."""
    document, silent = dashboards.read(file), set()
    every = options(scraped_demo, document)
    now = float(ask(scraped_demo, "query", query="time()")["result"][0])

    for asked in dashboards.queries(document):
        expression = dashboards.filled_in(asked.expression, every)
        over_time = {"start": now - 60, "end": now, "step": 2}
        found = ask(scraped_demo, "query_range", query=expression, **over_time)["result"]
        if asked.instant:
            found = ask(scraped_demo, "query", query=expression)["result"]
        if not found:
            silent.add((asked.title, asked.letter))

    asked_here = {(asked.title, asked.letter) for asked in dashboards.queries(document)}
    reasons = {key: why for key, why in UNANSWERED.items() if key in asked_here}
    assert silent == reasons.keys(), "either a query without data, or a reason that is no longer needed"


@every_dashboard
def test_what_is_chosen_alone_still_answers(scraped_demo, file):
    """Whoever looks at one lane, or at one tenant, wants to see that one, not nothing."""
    document = dashboards.read(file)
    every = options(scraped_demo, document)

    for asked in dashboards.queries(document):
        if (asked.title, asked.letter) in UNANSWERED:
            continue
        for name in dashboards.variables_in(asked.expression):
            answering = []
            for value in every[name]:
                expression = dashboards.filled_in(asked.expression, {**every, name: [value]})
                # Within the last minute: a demo's source may be down at this very second.
                within = expression if asked.instant else f"last_over_time(({expression})[60s:2s])"
                if ask(scraped_demo, "query", query=within)["result"]:
                    answering.append(value)
            assert answering, f"{asked}: no {name} alone answers"


def selectors(expression: Any) -> Iterator[str]:
    """Give the series that are read, without ranges."""
    match expression:
        case promql_parser.VectorSelector():
            yield str(expression)
        case promql_parser.MatrixSelector():
            yield str(expression.vector_selector)
        case promql_parser.BinaryExpr():
            yield from selectors(expression.lhs)
            yield from selectors(expression.rhs)
        case promql_parser.Call():
            for argument in expression.args:
                yield from selectors(argument)
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from selectors(expression.expr)


@pytest.mark.parametrize("query", ALERTS)
def test_what_an_alert_measures_has_data_and_it_can_be_asked(query: str, scraped_demo: ScrapedDemo):
    """A label or a metric that nobody serves makes an alert that never fires, and nobody sees that it cannot."""
    expression = promql_parser.parse(query)
    read = list(selectors(expression))
    compared = isinstance(expression, promql_parser.BinaryExpr) and str(expression.op) in _COMPARISONS

    for selector in read:
        assert scraped_demo.prometheus.query(selector), selector
    if compared:
        assert scraped_demo.prometheus.query(str(expression.lhs)), expression.lhs
    scraped_demo.prometheus.query(query)  # raises where Prometheus refuses it

    assert read
