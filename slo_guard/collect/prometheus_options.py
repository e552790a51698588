"""Options of the ``prometheus`` collector; its queries are checked without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import promql_parser
from pydantic import AfterValidator, Field, model_validator

from slo_guard.collect.options import HttpSourceOptions, IndicatorOptions, unique_names
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.http_session import HttpUrl

_RANGE_PROBLEM: Final = "a range vector, which has no value at an instant; wrap it, as in last_over_time(…)"
_PROBLEMS: Final[Mapping[type, str]] = {
    promql_parser.MatrixSelector: _RANGE_PROBLEM,
    promql_parser.SubqueryExpr: _RANGE_PROBLEM,
    promql_parser.StringLiteral: "a string, not a number",
}


def checked_query(text: str) -> str:
    """Return a PromQL expression that can be an instant query; raises ``ValueError`` that says what is wrong."""
    try:
        expression = promql_parser.parse(text)
    except ValueError as error:
        raise ValueError(f"PromQL syntax error in {text!r}: {error}") from None
    while isinstance(expression, promql_parser.ParenExpr):
        expression = expression.expr
    problem = _PROBLEMS.get(type(expression))
    if problem is not None:
        raise ValueError(f"{text!r} is {problem}")
    return text


Promql: TypeAlias = Annotated[str, AfterValidator(checked_query)]


class PrometheusIndicator(IndicatorOptions):
    """One query, and what its answer is."""

    query: Promql = Field(description="PromQL; each series of the answer is a series of the indicator.")


class PrometheusOptions(HttpSourceOptions):
    """Options of a ``prometheus`` collector."""

    type: Literal["prometheus"] = Field("prometheus", description="What kind of collector this is: prometheus.")
    url: HttpUrl = Field(description="Base URL of the API, such as http://prometheus:9090.")
    backfill: bool = Field(
        default=True, description="Ask for the sprint so far at the first start, and for gaps after an outage."
    )
    indicators: list[PrometheusIndicator] = Field(min_length=1, description="What to ask for.")

    @model_validator(mode="after")
    def _indicators_differ(self) -> PrometheusOptions:
        unique_names([each.name for each in self.indicators])
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)
