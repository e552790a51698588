"""Every query of the alerts, asked of a real Prometheus that scrapes the demo: what it measures is there to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.support.scraped_demo import SCRAPED_DEMO, ScrapedDemo

pytestmark = [*SCRAPED_DEMO]

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = [
    pytest.param(rule["expr"], id=rule["alert"])
    for name in ("alerts.yml", "kpi-alerts.yml")
    for group in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
_COMPARISONS = {"==", ">", "<", ">=", "<=", "!="}


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


@pytest.mark.parametrize("query", RULES)
def test_what_it_measures_has_data_and_it_can_be_asked(query: str, scraped_demo: ScrapedDemo):
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
