"""What the API answers about rules: each KPI as its rule file states it, in base units and ISO instants."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from slo_guard.clock import iso
from slo_guard.domain.kpi import (
    KPI,
    BurnPair,
    ErrorBudget,
    MatchOp,
    Quotient,
    RatioPair,
    Selection,
    Single,
)
from slo_guard.evaluate.formula_words import formula_words
from slo_guard.expose.snapshot import Snapshot

_NOTATION = {MatchOp.EQUAL: "", MatchOp.NOT_EQUAL: "!", MatchOp.REGEX: "~"}


class SelectionAnswer(BaseModel):
    """The series of an indicator that a rule reads; ``where`` as in rule files: ``value``, ``!value``, ``~regex``."""

    role: Literal["value", "good", "bad", "total", "of", "to", "cross_check"]
    indicator: str
    where: dict[str, str]


class ExpectedAnswer(BaseModel):
    """The values of one label that must exist: listed, or those that the label has in another indicator."""

    label: str
    values: list[str]
    labels_of: str | None


class NoDataAnswer(BaseModel):
    """What missing data does: a sample older than ``after_seconds`` is stale; ``hold`` freezes the alert for a time."""

    after_seconds: float
    then: Literal["alert", "hold", "ok"]
    hold_for_seconds: float


class BurnTierAnswer(BaseModel):
    """One tier of burn alerts: it fires while the burn rate over both windows is above ``factor``."""

    tier: str
    long_seconds: float
    short_seconds: float
    factor: float
    severity: Literal["page", "ticket", "none"]


class RuleBudgetAnswer(BaseModel):
    """The error budget of a rule; ``slice_seconds`` and ``slice_good_ratio`` only of time slices."""

    window: str
    method: Literal["occurrences", "timeslices"]
    allowed_ratio: float
    slice_seconds: float | None
    slice_good_ratio: float | None
    min_total: float
    tiers: list[BurnTierAnswer]


class DriftAnswer(BaseModel):
    """At risk when the trend of the last ``over_seconds`` crosses the objective ``within_seconds``."""

    over_seconds: float
    within_seconds: float


class WhenAnswer(BaseModel):
    """The KPI applies only while another one of its sprint is true, or false."""

    kpi: str
    is_: bool = Field(alias="is")


class ExclusionAnswer(BaseModel):
    """A stretch of time that is not judged, and who left it out."""

    start: str
    end: str
    reason: str
    by: str


class RuleAnswer(BaseModel):
    """One KPI as its rule states it; ``formula`` says it in sentences, ``digest`` is the SHA-256 of its file."""

    kpi: str
    title: str
    lane: str
    owner: str
    sprint: str
    file: str | None
    line: int | None
    digest: str | None
    indicators: list[SelectionAnswer]
    measure: str
    type: str
    unit: str | None
    by: list[str]
    combine: str | None
    expect: list[ExpectedAnswer]
    objective: str | None
    warn: str | None
    resolve: str | None
    formula: list[str]
    interval_seconds: float
    for_seconds: float
    keep_firing_for_seconds: float
    severity: Literal["page", "ticket", "none"]
    warn_severity: Literal["page", "ticket", "none"]
    no_data: NoDataAnswer
    forget_after_seconds: float
    gate: bool
    due: str | None
    checkpoint: str | None
    min_samples: int | None
    min_total: float | None
    min_coverage: float
    baseline: float | None
    pace: Literal["linear", "workdays"] | None
    drift: DriftAnswer | None
    when: WhenAnswer | None
    exclude: list[ExclusionAnswer]
    error_budget: RuleBudgetAnswer | None
    runbook_url: str | None
    annotations: dict[str, str]


class RulesAnswer(BaseModel):
    """The rules that are in force as of the evaluation ``at``, in rule file order."""

    at: str
    total: int
    truncated: bool
    rules: list[RuleAnswer]


def rules_answer(snapshot: Snapshot, *, sprint: str | None, lane: str | None, limit: int) -> dict[str, Any]:
    """Return ``RulesAnswer`` with at most ``limit`` rules of one ``sprint`` and ``lane`` (None: any)."""
    found = [kpi for kpi in snapshot.kpis if sprint in (None, kpi.sprint) and lane in (None, kpi.lane)]
    return {
        "at": iso(snapshot.at),
        "total": len(found),
        "truncated": len(found) > limit,
        "rules": [_rule(kpi) for kpi in found[:limit]],
    }


def _rule(kpi: KPI) -> dict[str, Any]:
    place = kpi.place
    return {
        "kpi": kpi.id,
        "title": kpi.title,
        "lane": kpi.lane,
        "owner": kpi.owner,
        "sprint": kpi.sprint,
        "file": place and place.file,
        "line": place and place.line,
        "digest": (place and place.digest) or None,
        "indicators": _selections(kpi),
        "measure": kpi.measure.text,
        "type": kpi.type.value,
        "unit": kpi.unit or None,
        "by": list(kpi.by),
        "combine": kpi.combine and kpi.combine.value,
        "expect": [
            {"label": each.label, "values": list(each.values), "labels_of": each.labels_of} for each in kpi.expect
        ],
        "objective": kpi.objective and kpi.objective.text,
        "warn": kpi.warn and kpi.warn.text,
        "resolve": kpi.resolve and kpi.resolve.text,
        "formula": list(formula_words(kpi)),
        "interval_seconds": kpi.interval_seconds,
        "for_seconds": kpi.for_seconds,
        "keep_firing_for_seconds": kpi.keep_firing_for_seconds,
        "severity": kpi.severity.value,
        "warn_severity": kpi.warn_severity.value,
        "no_data": {
            "after_seconds": kpi.no_data.after_seconds,
            "then": kpi.no_data.then.value,
            "hold_for_seconds": kpi.no_data.hold_for_seconds,
        },
        "forget_after_seconds": kpi.forget_after_seconds,
        "gate": kpi.gate,
        "due": None if kpi.due_at is None else iso(kpi.due_at),
        "checkpoint": None if kpi.checkpoint_at is None else iso(kpi.checkpoint_at),
        "min_samples": kpi.min_samples,
        "min_total": kpi.min_total,
        "min_coverage": kpi.min_coverage,
        "baseline": kpi.baseline,
        "pace": kpi.pace and kpi.pace.value,
        "drift": kpi.drift and {"over_seconds": kpi.drift.over_seconds, "within_seconds": kpi.drift.within_seconds},
        "when": kpi.when and {"kpi": kpi.when.kpi, "is": kpi.when.is_true},
        "exclude": [
            {"start": iso(each.start_at), "end": iso(each.end_at), "reason": each.reason, "by": each.by}
            for each in kpi.exclude
        ],
        "error_budget": kpi.error_budget and _budget(kpi.error_budget),
        "runbook_url": kpi.runbook_url,
        "annotations": dict(kpi.annotations),
    }


def _selections(kpi: KPI) -> list[dict[str, Any]]:
    match kpi.source:
        case Single(of=selection):
            sides = [("value", selection)]
        case RatioPair(part=part, total=total, part_is=kind):
            sides = [(kind, part), ("total", total)]
        case Quotient(of=one, to=other):
            sides = [("of", one), ("to", other)]
    if kpi.cross_check is not None:
        sides.append(("cross_check", kpi.cross_check))
    return [_selection(role, selection) for role, selection in sides]


def _selection(role: str, selection: Selection) -> dict[str, Any]:
    where = {each.label: _NOTATION[each.op] + each.value for each in selection.where}
    return {"role": role, "indicator": selection.indicator, "where": where}


def _budget(budget: ErrorBudget) -> dict[str, Any]:
    by_slices = budget.method.value == "timeslices"
    return {
        "window": budget.window_text,
        "method": budget.method.value,
        "allowed_ratio": budget.allowed,
        "slice_seconds": budget.slice_seconds if by_slices else None,
        "slice_good_ratio": budget.slice_good if by_slices else None,
        "min_total": budget.min_total,
        "tiers": [_tier(pair) for pair in budget.burn_alerts],
    }


def _tier(pair: BurnPair) -> dict[str, Any]:
    return {
        "tier": pair.text,
        "long_seconds": pair.long_seconds,
        "short_seconds": pair.short_seconds,
        "factor": pair.factor,
        "severity": pair.severity.value,
    }
