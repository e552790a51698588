"""What the API answers about why a verdict is what it is: the models that document it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from slo_guard.expose.answers import AlertStateAnswer
from slo_guard.expose.final_answers import VerdictName


class ExplainedWindowAnswer(BaseModel):
    """The bounds of what was measured, in UTC; ``start`` is null for newest values. ``timezone`` is the sprint's."""

    start: str | None
    end: str
    timezone: str
    text: str


class ExplainedSeriesAnswer(BaseModel):
    """One series: its value (in the base unit, and as people read it), its verdict, and the steps in between."""

    labels: dict[str, str]
    value: float | None
    value_text: str
    verdict: VerdictName
    reason: str
    why: str
    since: str
    arithmetic: list[str]
    samples: int
    min_samples: int | None
    coverage: float | None
    min_coverage: float
    total: float | None
    alert: AlertStateAnswer


class SampleAnswer(BaseModel):
    """The last sample of one series, or a sign-off; ``at`` is its own time."""

    labels: dict[str, str]
    value: float | None
    at: str
    age_seconds: float
    stale: bool
    note: str | None


class InputAnswer(BaseModel):
    """One indicator that the KPI reads, with the last samples of a few of its series, stale ones first."""

    role: Literal["value", "good", "bad", "total", "of", "to"]
    indicator: str
    where: str
    type: str
    unit: str | None
    collector: str | None
    series: int
    stale_series: int
    samples: list[SampleAnswer]
    collected_at: str | None
    failure: str | None
    failed_at: str | None
    late_samples: int
    stale_after_seconds: float
    stale: bool


class SectionAnswer(BaseModel):
    """More about the rule, line by line."""

    title: str
    lines: list[str]


class ChangeAnswer(BaseModel):
    """One change of a series' verdict, or of an alert: about a breach, a risk, or a budget that burns (in a ``tier``).

    ``value`` is the KPI's, or the burn rate.
    """

    at: str
    kind: Literal["verdict", "breach", "risk", "burn"]
    labels: dict[str, str]
    from_: str | None = Field(alias="from")
    to: str
    reason: str
    why: str
    value: float | None
    note: str | None
    tier: str | None


class ExplanationAnswer(BaseModel):
    """Why a KPI's verdict is what it is, as of the evaluation ``at``; the worst series first, the newest change last.

    ``seen_at``: up to when its inputs are known.
    """

    kpi: str
    title: str
    lane: str
    owner: str
    sprint: str
    place: str | None
    runbook_url: str | None
    at: str
    seen_at: str
    verdict: VerdictName
    final: bool
    counts: dict[str, int]
    objective: str | None
    unit: str | None
    formula: list[str]
    window: ExplainedWindowAnswer
    series_total: int
    series: list[ExplainedSeriesAnswer]
    inputs: list[InputAnswer]
    sections: list[SectionAnswer]
    history: list[ChangeAnswer]
