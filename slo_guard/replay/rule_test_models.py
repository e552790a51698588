"""The file of rule tests as people write it: every field with the sentence that documents it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from slo_guard.fields import LocalPath, Options, Seconds
from slo_guard.replay.series_notation import parse_series, parse_values
from slo_guard.rulebook.amounts import WrittenAmount


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("write a duration above 0, such as 1m")
    return seconds


def _series(text: str) -> str:
    parse_series(text)
    return text


def _values(text: str) -> str:
    parse_values(text)
    return text


class InputSeries(Options):
    """One series of samples, in promtool's notation."""

    series: Annotated[str, AfterValidator(_series)] = Field(
        description='The indicator and its labels, such as requests_total{system="fs"}.'
    )
    values: Annotated[str, AfterValidator(_values)] = Field(
        description="In base units, one an interval: 0+200x60 is 61 values, 5x10 is 11, _ is no sample, _x5 is five."
    )


class Expected(Options):
    """What is expected of one KPI at one instant."""

    at: Seconds = Field(description="How long after the test's start, such as 10m.")
    kpi: str = Field(description="The KPI's id.")


class ExpectedVerdict(Expected):
    """What a KPI is to be judged as."""

    labels: dict[str, str] | None = Field(None, description="Which of its series; left out, the worst.")
    verdict: Literal["met", "at_risk", "missed", "not_due", "insufficient", "no_data", "not_applicable", "tracked"] = (
        Field(description="Its verdict.")
    )
    value: WrittenAmount | None = Field(
        None, description="Its value, such as 0.9% or 830ms, as precise as it is shown."
    )
    reason: str | None = Field(None, description="The named reason of the verdict, such as objective_missed.")


class ExpectedAlerts(Expected):
    """Which alerts of a KPI are to fire or to be pending, all of them."""

    kind: Literal["breach", "risk", "burn"] = Field("breach", description="Which of its alerts.")
    tier: str = Field("", description="Of burn alerts: the tier, such as 1h/5m.")
    firing: list[dict[str, str]] = Field(
        default_factory=list, description="The labels of each series whose alert fires; [] if none does."
    )
    pending: list[dict[str, str]] | None = Field(
        None, description="The labels of each series whose alert is pending; left out, nobody looks."
    )


class RuleTest(Options):
    """Samples, and what the rules are to make of them."""

    name: Annotated[str, Field(min_length=1)] = Field(description="What is tested.")
    sprint: str | None = Field(None, description="The sprint, where the rules have several.")
    start: str | None = Field(
        None, description="When the first values were seen: 2026-07-06T08:00 in the sprint's zone (default: its start)."
    )
    interval: Annotated[Seconds, AfterValidator(_positive)] = Field(60.0, description="Time between two values.")
    input_series: list[InputSeries] = Field(default_factory=list, description="The samples.")
    verdicts: list[ExpectedVerdict] = Field(default_factory=list, description="What KPIs are to be judged as.")
    alerts: list[ExpectedAlerts] = Field(default_factory=list, description="Which alerts are to fire.")

    @property
    def expected(self) -> tuple[Expected, ...]:
        """All that is expected."""
        return (*self.verdicts, *self.alerts)


class RuleTestFile(Options):
    """A file of rule tests."""

    version: Literal[1] = Field(1, description="Version of the format: 1.")
    rules: Annotated[list[LocalPath], Field(min_length=1)] = Field(
        description="The rule files and folders under test, from the file's own folder."
    )
    config: LocalPath | None = Field(
        None, description="The daemon's config, for the types and units of the indicators (default: what rules imply)."
    )
    tests: Annotated[list[RuleTest], Field(min_length=1)] = Field(description="The tests.")


def rule_tests_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file of rule tests."""
    schema = RuleTestFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "slo_guard rule tests"}
