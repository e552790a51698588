"""The rule file as people write it: every field with the sentence that documents it, and nothing else.

What a field means together with others (units, windows, the sprint's calendar) is checked in the modules beside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from slo_guard.fields import Options, Seconds
from slo_guard.rulebook.amounts import WrittenAmount, comparison_hint

MIN_INTERVAL_SECONDS = 0.1
RESERVED_LABELS = ("kpi", "lane", "sprint", "severity", "verdict")


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that a text must have; ``instead`` ends the sentence "write …"."""

    pattern: str
    instead: str

    def __call__(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"{text[:60]!r} will not do; write {self.instead}")
        return text

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


_KPI_ID = _Form("[a-z][a-z0-9_]{0,99}", "lower-case letters, digits and _, such as ga_e2e_p95")
_INDICATOR = _Form("[a-zA-Z_:][a-zA-Z0-9_:]{0,199}", "an indicator's name, such as ga_e2e_p95_seconds")
_URL = _Form(r"https?://\S+", "a URL such as https://host.example/path")
_LABEL = _Form("[a-zA-Z_][a-zA-Z0-9_]*", "a label's name: letters, digits and _")

Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=500)]
KpiId: TypeAlias = Annotated[str, AfterValidator(_KPI_ID), WithJsonSchema(_KPI_ID.schema)]
IndicatorName: TypeAlias = Annotated[str, AfterValidator(_INDICATOR), WithJsonSchema(_INDICATOR.schema)]
Url: TypeAlias = Annotated[str, AfterValidator(_URL), WithJsonSchema(_URL.schema)]
Severity: TypeAlias = Literal["page", "ticket", "none"]
Moment: TypeAlias = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(sprint_end|\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?)$",
            "examples": ["2026-07-10", "2026-07-06T17:00", "sprint_end"],
        }
    ),
]
"""A date (the end of that local day), a local date and time, or ``sprint_end``."""


def _label(name: str) -> str:
    if name in RESERVED_LABELS:
        raise ValueError(f"the label {name!r} is slo_guard's own; rename it in the collector, then use that name")
    if name.startswith("__"):
        raise ValueError(f"the label {name!r} is Prometheus's own; rename it in the collector, then use that name")
    return name


Label: TypeAlias = Annotated[str, AfterValidator(_LABEL), AfterValidator(_label), WithJsonSchema(_LABEL.schema)]


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("write a duration above 0, such as 30s")
    return seconds


PositiveSeconds: TypeAlias = Annotated[Seconds, AfterValidator(_positive)]


def _interval(seconds: float) -> float:
    if seconds < MIN_INTERVAL_SECONDS:
        raise ValueError("is too short to evaluate in; write at least 100ms, such as 30s")
    return seconds


Interval: TypeAlias = Annotated[Seconds, AfterValidator(_interval)]


class SelectionFields(Options):
    """The series of one indicator."""

    indicator: IndicatorName = Field(description="Name of the indicator.")
    where: dict[Label, str] = Field(
        default_factory=dict,
        description="Series to take: label to `value`, `!value` or `~regex` (RE2 as in Prometheus, anchored).",
    )


Side: TypeAlias = IndicatorName | SelectionFields


class PairFields(Options):
    """A ratio of two sums: `{good, total}` or `{bad, total}`."""

    good: Side | None = Field(None, description="The indicator that counts what went well.")
    bad: Side | None = Field(None, description="The indicator that counts what went wrong.")
    total: Side = Field(description="The indicator that counts everything.")

    @model_validator(mode="after")
    def _one_part(self) -> PairFields:
        if (self.good is None) == (self.bad is None):
            raise ValueError("a ratio has exactly one of good and bad beside total; write {bad: A, total: B}")
        return self


class QuotientFields(Options):
    """A quotient of two measured values: `{of, to}`."""

    of: Side = Field(description="The indicator whose measured value is divided, such as v2 or metered.")
    to: Side = Field(description="The indicator whose measured value it is divided by, such as the baseline or billed.")


def _shape(given: Any) -> str:
    """Tell which of its forms an indicator has, so that messages speak of that one only."""
    if isinstance(given, dict | PairFields | QuotientFields):
        names = given.keys() if isinstance(given, dict) else type(given).model_fields.keys()
        return "quotient" if {"of", "to"} & set(names) else "pair"
    return "name"


IndicatorSource: TypeAlias = Annotated[
    Annotated[IndicatorName, Tag("name")]
    | Annotated[PairFields, Tag("pair")]
    | Annotated[QuotientFields, Tag("quotient")],
    Discriminator(_shape),
]


class LabelsOfFields(Options):
    """Values taken from another indicator's series."""

    labels_of: IndicatorName = Field(description="The indicator whose values of this label must exist here as well.")


class ObjectiveFields(Options):
    """When a value is fine: exactly one comparison."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    at_most: WrittenAmount | None = Field(None, description="Met while the value is not above this.")
    below: WrittenAmount | None = Field(None, description="Met while the value is under this, strictly.")
    at_least: WrittenAmount | None = Field(None, description="Met while the value is not under this.")
    above: WrittenAmount | None = Field(None, description="Met while the value is over this, strictly.")
    equals: WrittenAmount | None = Field(None, description="Met while the value is exactly this.")
    between: Annotated[list[WrittenAmount], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Met while the value is within these two bounds, both included."
    )
    is_: bool | None = Field(None, alias="is", description="Met while a bool indicator (0 or 1) is this.")

    @model_validator(mode="before")
    @classmethod
    def _refuse_comparisons(cls, given: Any) -> Any:
        if isinstance(given, str):
            raise ValueError(comparison_hint(given))  # noqa: TRY004 - pydantic turns only ValueError into a finding
        if isinstance(given, int | float):
            raise ValueError(f"{given} says no comparison; write {{at_most: {given}}} or {{at_least: {given}}}")  # noqa: TRY004
        return given

    @model_validator(mode="after")
    def _one_comparison(self) -> ObjectiveFields:
        names = ["is" if name == "is_" else name for name in self.model_fields_set]
        if len(names) > 1:
            raise ValueError(
                f"{' and '.join(sorted(names))} are several objectives; keep one, or write between: [a, b]"
            )
        if not names:
            raise ValueError("says no comparison; write one such as {at_most: 1.16s}")
        return self


class NoDataFields(Options):
    """What happens when data is missing."""

    after: PositiveSeconds | None = Field(None, description="A sample older than this is stale (default 5m).")
    then: Literal["alert", "hold", "ok"] | None = Field(
        None, description="Missing data fires the alert, freezes it, or makes its condition false (default alert)."
    )
    hold_for: Seconds | None = Field(
        None, description="How long `hold` freezes the alert before it acts as `alert` (default 1h)."
    )


class DriftFields(Options):
    """When a trend counts as a risk."""

    over: PositiveSeconds = Field(description="How far back the trend is taken, such as 6h.")
    crosses_within: PositiveSeconds = Field(description="How soon it must cross the objective, such as 24h.")


class WhenFields(Options):
    """A condition on another KPI of the sprint."""

    kpi: KpiId = Field(description="The id of a KPI that is true or false, such as fsv2_decision_go.")
    is_: bool = Field(alias="is", description="What it must be.")


class ExclusionFields(Options):
    """A stretch of time that is not judged."""

    from_: Moment = Field(alias="from", description="Its first instant: a date (00:00 local), or a date and time.")
    to: Moment = Field(description="Its exclusive end: a date (the end of that local day), or a date and time.")
    reason: Text = Field(description="Why, for everybody who looks at the number.")
    by: Text = Field(description="Who decided it.")


class BurnPairFields(Options):
    """One tier of burn alerts: it fires while both windows burn faster than the factor."""

    long: PositiveSeconds = Field(description="The long window, such as 1h: it tells what matters.")
    short: PositiveSeconds = Field(description="The short window, such as 5m: it tells that it still goes on.")
    factor: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        None, description="The burn rate above which it fires; 1 spends exactly the budget by the end of its window."
    )
    spends: WrittenAmount | None = Field(
        None, description="Instead of `factor`: the part of the budget that the long window may spend, such as 2%."
    )
    severity: Severity = Field("page", description="How loud the tier is; none measures it and raises no alert.")


class ErrorBudgetFields(Options):
    """What of a ratio may go wrong, and the burn alerts on it."""

    window: str | None = Field(
        None, description="What the budget is for: `sprint` (default), or a duration such as 30d.", examples=["30d"]
    )
    method: Literal["occurrences", "timeslices"] = Field(
        "occurrences", description="What is counted: events, or slices of time that were good or bad as a whole."
    )
    slice: PositiveSeconds | None = Field(None, description="Length of a time slice (default 1m).")
    slice_objective: WrittenAmount | None = Field(
        None, description="From which share of good events on a time slice is good (default: the objective's)."
    )
    burn_alerts: Literal["workbook", "none"] | dict[str, Severity] | list[BurnPairFields] = Field(
        "workbook",
        description="`workbook` (14.4 over 1h/5m, 6 over 6h/30m, 3 over 24h/2h, 1 over 3d/6h), `none`, the workbook's "
        "with severities by long window (`{3d: none}` switches one off), or a list of tiers.",
    )
    min_total: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="With fewer events in its long window no tier fires (default: the KPI's min_total)."
    )


class KpiFields(Options):
    """All fields of a KPI but its id; the file's `defaults` may hold any of them."""

    title: Text | None = Field(None, description="The KPI's name for people.")
    indicator: IndicatorSource | None = Field(
        None,
        description="Where the number comes from: an indicator's name, `{good, total}`, `{bad, total}` or `{of, to}`.",
    )
    type: Literal["gauge", "counter", "event", "histogram", "percentile", "bool"] | None = Field(
        None,
        description="What the indicator's samples are, where no config says it (default: what the measure implies).",
    )
    unit: str | None = Field(
        None, description="The indicator's base unit (seconds, ratio, bytes, count), where no config says it."
    )
    where: dict[Label, str] | None = Field(
        None, description="Series to take: label to `value`, `!value` or `~regex` (RE2 as in Prometheus, anchored)."
    )
    by: list[Label] | None = Field(None, description="Labels that split the KPI: one verdict for each of their values.")
    combine: Literal["sum", "max", "min", "mean"] | None = Field(
        None, description="How series that `by` folds together become one value."
    )
    expect: dict[Label, list[Text] | LabelsOfFields] | None = Field(
        None, description="Series that must exist, by label: a list of values, or those another indicator has."
    )
    measure: Text | None = Field(
        None,
        description="What is judged: `last`, or `REDUCER over WINDOW` such as `increase over sprint` (default last).",
        examples=["last", "max over 5m", "increase over sprint", "ratio over 24h", "p95 over week"],
    )
    objective: ObjectiveFields | None = Field(
        None, description="When the KPI is met; without one it is tracked: never judged, and no alert."
    )
    warn: ObjectiveFields | None = Field(
        None,
        description="Stricter than the objective: met, but past this is at_risk; without an objective, past it is too.",
    )
    resolve: ObjectiveFields | None = Field(
        None, description="At least as strict as the objective: a firing alert resolves only here."
    )
    for_: Seconds | None = Field(
        None, alias="for", description="How long the objective must be missed before the alert fires (default 0s)."
    )
    keep_firing_for: Seconds | None = Field(
        None, description="How long the condition must be clear before a firing alert resolves (default 0s)."
    )
    severity: Severity | None = Field(None, description="How loud a breach is (default page).")
    warn_severity: Severity | None = Field(
        None, description="How loud at_risk is (default ticket); none raises no alert."
    )
    no_data: NoDataFields | None = Field(None, description="What happens when data is missing.")
    forget_after: PositiveSeconds | None = Field(
        None, description="How long a series that left its source stays no_data before it ends (default 24h)."
    )
    due: Moment | None = Field(None, description="Until then an unmet KPI is not_due; at it, missed.")
    checkpoint: Moment | None = Field(None, description="Unmet after this but before `due` is at_risk.")
    min_samples: Annotated[int, Field(ge=1)] | None = Field(
        None, description="With fewer samples than this the verdict is insufficient."
    )
    min_total: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="With a ratio's total below this the verdict is insufficient."
    )
    min_coverage: WrittenAmount | None = Field(
        None, description="Share of the window that must be observed to call an upper limit met (default 90%)."
    )
    baseline: WrittenAmount | None = Field(
        None, description="The value at the window's start, for increase and delta without a sample there."
    )
    pace: Literal["linear", "workdays"] | None = Field(
        None, description="The line that leads to the goal at its due time; behind it, or forecast to miss, is at_risk."
    )
    drift: DriftFields | None = Field(None, description="At risk when the recent trend would soon cross the objective.")
    when: WhenFields | None = Field(
        None, description="The KPI applies only while another one is as stated; otherwise not_applicable."
    )
    exclude: list[ExclusionFields] | None = Field(
        None, description="Stretches of time that are not judged; the number with and without them is shown."
    )
    error_budget: ErrorBudgetFields | None = Field(
        None, description="Of a ratio: how much may go wrong over a window, and the alerts on how fast it does."
    )
    cross_check: Side | None = Field(
        None, description="Another indicator, measured in the same way: its value and the difference are shown beside."
    )
    gate: bool | None = Field(None, description="Whether the KPI is part of the sprint's go/no-go (`slo-guard gate`).")
    runbook_url: Url | None = Field(None, description="Where to read what to do about a breach.")
    annotations: dict[IndicatorName, str] | None = Field(
        None, description="Templates (Jinja) for messages: they see labels, value, objective and the KPI's own fields."
    )

    @field_validator("objective", "warn", "resolve", mode="before")
    @classmethod
    def _refuse_lists(cls, given: Any) -> Any:
        if isinstance(given, list):
            raise ValueError("write one mapping such as {at_most: 1.16s}, not a list; a KPI has one objective")  # noqa: TRY004
        return given


class KpiName(Options):
    """What names a KPI."""

    kpi: KpiId = Field(description="The KPI's id, unique within the sprint: lower-case letters, digits and _.")


class KpiRule(KpiFields, KpiName):
    """One guarded number."""


class DefaultFields(KpiFields):
    """What the KPIs of this file have in common; a KPI's own field wins, mappings such as no_data merge by key."""

    interval: Interval | None = Field(None, description="The same as the file's interval.")


class LaneHeader(Options):
    """The head of a lane's file."""

    version: Literal[1] = Field(description="Version of the format: 1.")
    sprint: Text = Field(description="The sprint's id, as its sprint file states it.")
    lane: Text = Field(description="The swimlane that the KPIs of this file belong to.")
    owner: Text | None = Field(None, description="Who answers for the lane.")
    interval: Interval | None = Field(None, description="How often the KPIs of this file are evaluated (default 60s).")


class LaneFile(LaneHeader):
    """The KPIs of one lane in one sprint."""

    defaults: DefaultFields | None = Field(None, description="Fields that every KPI of this file starts from.")
    kpis: Annotated[list[KpiRule], Field(min_length=1)] = Field(description="The KPIs.")


class SprintFile(Options):
    """A sprint's calendar."""

    version: Literal[1] = Field(description="Version of the format: 1.")
    sprint: Text = Field(description="The sprint's id, which lane files refer to.")
    title: Text | None = Field(None, description="The sprint's name for people.")
    timezone: Text = Field(description="IANA name of the time zone that dates are in.", examples=["America/Denver"])
    start: Moment = Field(description="First day, from 00:00 local time.")
    end: Moment = Field(description="Last day, included.")
    workdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = Field(
        None, description="Days that count as work days (default mon to fri)."
    )
