"""Which rules changed while their sprint ran: noted at the first evaluation by the new rule, with what it was before.

A sprint's promises are those of its first evaluation; before its start they may change, and after its close they
bear on nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from slo_guard.domain.kpi import (
    KPI,
    BudgetMethod,
    ErrorBudget,
    Objective,
    Op,
    Quotient,
    RatioPair,
    Selection,
    Single,
    Source,
    Sprint,
)
from slo_guard.domain.rule_changes import BUDGET_PARTS, RuleChange, RuleField, RuleForm, RuleForms, RuleLog
from slo_guard.domain.verdicts import REASON_CODE, Reason, Targets, Verdict, VerdictFrame
from slo_guard.evaluate.tracks import KpiTrack
from slo_guard.evaluate.verdict_json import iso_text
from slo_guard.units import RATIO, format_value, window_text

_NONE = "none"
_JUDGED_AFTERWARDS = frozenset({"objective", "warn", "resolve", "due"})
"""The fields that change nothing of what is measured: by those of the sprint's start the same data can be judged."""

_NOT_BY_VALUE = frozenset(
    REASON_CODE[reason]
    for reason in (
        Reason.CONDITION_NOT_MET,
        Reason.CONDITION_UNKNOWN,
        Reason.BEFORE_SPRINT,
        Reason.AWAITING_FIRST_COLLECTION,
    )
)


class RuleHistory:
    """What each KPI of a sprint promised at first, what it promises now, and every change in between."""

    def __init__(self, log: RuleLog | None = None) -> None:
        log = log or RuleLog()
        self._forms = dict(log.forms)
        self._changes: dict[tuple[str, str], tuple[RuleChange, ...]] = {}
        self._noted: set[str] = set()
        self._add(log.changes)

    def follow(self) -> None:
        """Look at all rules anew: they may be others."""
        self._noted.clear()

    def note(self, kpis: Iterable[KPI], sprint: Sprint, now: float, *, closed: bool) -> RuleLog:
        """Return what is new of the rules of ``sprint`` at ``now``; asked again it is nothing.

        ``closed``: the sprint's close is recorded, and nothing of its rules is a change any more.
        """
        if sprint.id in self._noted or now < sprint.start_at:
            return RuleLog()
        self._noted.add(sprint.id)
        forms: dict[tuple[str, str], RuleForms] = {}
        changes: list[RuleChange] = []
        for kpi in kpis:
            if kpi.sprint != sprint.id:
                continue
            key, form = (kpi.sprint, kpi.id), rule_form(kpi)
            known = self._forms.get(key)
            if known is None:
                forms[key] = RuleForms(form, form)
            elif not closed and (names := _differing(known.latest, form)):
                forms[key] = RuleForms(known.original, form)
                changes += [
                    RuleChange(*key, now, name, known.latest[name].text, form[name].text) for name in sorted(names)
                ]
        self._forms |= forms
        self._add(changes)
        return RuleLog(forms, tuple(changes))

    def is_unchanged(self, kpi: KPI) -> bool:
        """Whether a rule promises what it did when it was judged last."""
        known = self._forms.get((kpi.sprint, kpi.id))
        return known is not None and not _differing(known.latest, rule_form(kpi))

    def targets(self, track: KpiTrack, frame: VerdictFrame) -> Targets | None:
        """Return what became of the target of a KPI that was judged as ``frame`` says; None while it did not change."""
        changes = self._changes.get((track.kpi.sprint, track.kpi.id))
        if changes is None:
            return None
        original = self._original(track.kpi)
        if original is None or int(frame.reason[0]) in _NOT_BY_VALUE:
            return Targets(changes)
        verdict = Verdict(int(track.verdicts_by(original, frame).max()))
        return Targets(changes, _target_text(original, track.kpi), verdict)

    def changes_of(self, key: tuple[str, str]) -> tuple[RuleChange, ...]:
        """Return the changes of a (sprint, KPI), ascending."""
        return self._changes.get(key, ())

    def _add(self, changes: Iterable[RuleChange]) -> None:
        for each in changes:
            key = each.sprint, each.kpi
            self._changes[key] = (*self._changes.get(key, ()), each)

    def _original(self, kpi: KPI) -> KPI | None:
        """Return ``kpi`` with the target that it started with; None where it has that, or measures something else."""
        known = self._forms[kpi.sprint, kpi.id]
        # An error budget follows from the objective, and decides no verdict.
        names = _differing(known.original, rule_form(kpi)) - {"error_budget"}
        if not names or not names <= _JUDGED_AFTERWARDS:
            return None
        due = json.loads(known.original["due"].value)
        objective, warn, resolve = (_objective(known.original[name]) for name in ("objective", "warn", "resolve"))
        return replace(kpi, objective=objective, warn=warn, resolve=resolve, due_at=due)


def rule_form(kpi: KPI) -> RuleForm:
    """Return what a rule promises, field by field, in base units."""
    return {
        "indicator": RuleField(_canonical(_source_parts(kpi.source)), _source_text(kpi.source)),
        "by": RuleField(_canonical(sorted(kpi.by)), ", ".join(sorted(kpi.by)) or _NONE),
        "combine": _plain(kpi.combine),
        "measure": RuleField(_canonical([asdict(kpi.measure) | {"text": ""}]), kpi.measure.text),
        "objective": _of_objective(kpi.objective),
        "warn": _of_objective(kpi.warn),
        "resolve": _of_objective(kpi.resolve),
        "due": _of_instant(kpi.due_at),
        "checkpoint": _of_instant(kpi.checkpoint_at),
        "min_samples": _plain(kpi.min_samples),
        "min_total": _plain(kpi.min_total),
        "min_coverage": _plain(kpi.min_coverage),
        "baseline": _plain(kpi.baseline),
        "pace": _plain(kpi.pace),
        "drift": _parts(None if kpi.drift is None else asdict(kpi.drift)),
        "when": _parts(None if kpi.when is None else asdict(kpi.when)),
        "exclude": RuleField(
            _canonical([[each.start_at, each.end_at] for each in kpi.exclude]),
            "; ".join(f"{iso_text(each.start_at)} to {iso_text(each.end_at)}" for each in kpi.exclude) or _NONE,
        ),
        "error_budget": _of_budget(kpi.error_budget),
    }


def _of_budget(budget: ErrorBudget | None) -> RuleField:
    if budget is None:
        return RuleField(_canonical(None), _NONE)
    tiers = ", ".join(f"{pair.text} above {pair.factor:g} ({pair.severity.value})" for pair in budget.burn_alerts)
    share = f"{format_value(budget.allowed, RATIO)} over {budget.window_text} by {budget.method.value}"
    if budget.method is BudgetMethod.TIMESLICES:
        share += f" of {window_text(budget.slice_seconds)}, good from {format_value(budget.slice_good, RATIO)} on"
    parts = (share, tiers or "no burn alerts", f"min_total {budget.min_total:g}")
    return RuleField(_canonical(asdict(budget) | {"window_text": ""}), BUDGET_PARTS.join(parts))


def form_text(form: RuleForm) -> str:
    """Return the values of a form as one canonical text."""
    return _canonical({name: each.value for name, each in form.items()})


def _differing(one: RuleForm, other: RuleForm) -> set[str]:
    """Return the names of the fields that differ; one that only a newer version knows is no change."""
    return {name for name in one.keys() & other.keys() if one[name].value != other[name].value}


def _objective(field: RuleField) -> Objective | None:
    parts = json.loads(field.value)
    if parts is None:
        return None
    op, bound, upper = parts
    return Objective(Op(op), bound, field.text, upper)


def _target_text(original: KPI, kpi: KPI) -> str:
    text = _NONE if original.objective is None else original.objective.text
    if original.due_at == kpi.due_at:
        return text
    return f"{text}, due {_of_instant(original.due_at).text}"


def _of_objective(objective: Objective | None) -> RuleField:
    if objective is None:
        return RuleField(_canonical(None), _NONE)
    return RuleField(_canonical([objective.op.value, objective.bound, objective.upper]), objective.text)


def _of_instant(at: float | None) -> RuleField:
    return RuleField(_canonical(at), iso_text(at) or _NONE)


def _plain(value: str | float | None) -> RuleField:
    return RuleField(_canonical(value), _NONE if value is None else f"{value:g}" if _is_number(value) else str(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _parts(value: dict[str, object] | None) -> RuleField:
    text = _NONE if value is None else ", ".join(f"{name} {each}" for name, each in value.items())
    return RuleField(_canonical(value), text)


def _source_parts(source: Source) -> list[object]:
    match source:
        case Single(of=selection):
            return ["single", asdict(selection)]
        case RatioPair(part=part, total=total, part_is=part_is):
            return [part_is, asdict(part), asdict(total)]
        case Quotient(of=one, to=other):
            return ["of", asdict(one), asdict(other)]


def _source_text(source: Source) -> str:
    match source:
        case Single(of=selection):
            return _selection_text(selection)
        case RatioPair(part=part, total=total, part_is=part_is):
            return f"{part_is} {_selection_text(part)}, total {_selection_text(total)}"
        case Quotient(of=one, to=other):
            return f"of {_selection_text(one)}, to {_selection_text(other)}"


def _selection_text(selection: Selection) -> str:
    where = ", ".join(f"{each.label}{each.op.value}{each.value!r}" for each in selection.where)
    return f"{selection.indicator}{{{where}}}" if where else selection.indicator


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
