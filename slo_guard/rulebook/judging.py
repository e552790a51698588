"""By what a KPI is judged: its objective, warn and resolve, each by itself and against each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from slo_guard.domain.kpi import Measure, Objective, Op
from slo_guard.domain.readings import IndicatorType
from slo_guard.errors import Finding
from slo_guard.located_yaml import KeyPath
from slo_guard.rulebook import objectives
from slo_guard.rulebook.amounts import unit_in_words
from slo_guard.rulebook.drafts import Draft
from slo_guard.rulebook.measures import is_share, is_truth, result_unit
from slo_guard.rulebook.models import ObjectiveFields, QuotientFields
from slo_guard.units import BYTES, RATIO, SECONDS


@dataclass(slots=True)
class JudgedBy:
    """Reads the objectives of one draft; ``findings`` holds what is wrong with them.

    ``measure`` and ``kind`` are None where they are wrong themselves: then only what does not depend on them is
    checked. ``unit`` is the indicator's; ``subject`` is what messages call the measured value.
    """

    draft: Draft
    measure: Measure | None
    kind: IndicatorType | None
    unit: str | None
    subject: str
    findings: list[Finding] = field(default_factory=list)

    def read(self) -> tuple[Objective | None, Objective | None, Objective | None]:
        """Return objective, warn and resolve, each None where it is not given or wrong."""
        fields = self.draft.fields
        objective = self._objective("objective", fields.objective)
        warn = self._objective("warn", fields.warn)
        resolve = self._objective("resolve", fields.resolve)
        if fields.objective is None and "objective" not in self.draft.broken:
            for name in ("resolve", "due", "checkpoint"):
                if self.draft.owns(name):
                    self._say((name,), f"{name!r} means nothing without an objective; write objective: {{at_most: …}}")
            return None, warn, None
        if objective is not None and resolve is not None and not objectives.as_strict(resolve, objective):
            self._say(
                ("resolve",),
                f"{resolve.text} is weaker than the objective {objective.text}; an alert would resolve while the "
                "objective is missed, write a bound at least as strict",
            )
        if objective is not None and warn is not None and not objectives.stricter(warn, objective):
            self._say(
                ("warn",),
                f"{warn.text} is no stricter than the objective {objective.text}, so it could never show; "
                "write a bound within the objective's",
            )
        return objective, warn, resolve

    def _objective(self, name: str, fields: ObjectiveFields | None) -> Objective | None:
        if fields is None:
            return None
        given = objectives.written(fields)
        reversed_bounds = objectives.reversed_bounds(given)
        if reversed_bounds is not None:
            self._say((name, given.op.value), reversed_bounds)
        measure, kind = self.measure, self.kind
        if measure is None or kind is None or reversed_bounds is not None:
            return None
        is_quotient = isinstance(self.draft.fields.indicator, QuotientFields)
        truth = is_truth(measure, kind) and not is_quotient
        if truth != (given.op is Op.IS):
            instead = "write {is: true}" if truth else "write a number such as {equals: 1}"
            what = "true or false" if truth else "a number"
            self._say((name, given.op.value), f"{self.subject} is {what}; {instead}")
            return None
        value_unit = result_unit(measure, kind, self.unit, is_quotient=is_quotient)
        if value_unit is None and name != "objective" and self.draft.fields.objective is not None:
            of = objectives.written(self.draft.fields.objective)
            value_unit = of.unit
            if value_unit is None and given.unit in (SECONDS, BYTES):
                unit, where = unit_in_words(given.unit), (name, given.op.value)
                self._say(where, f"{given.text} is {unit}, but the objective {of.text} has no unit; write one in both")
                return None
        if value_unit is None and given.unit is not None:
            value_unit, subject = given.unit, "the other bound"
        else:
            subject = self.subject
        share = value_unit == RATIO and is_share(measure, kind) and not is_quotient
        faults = objectives.faults(given, value_unit, subject, share=share)
        for path, message in faults:
            self._say((name, *path), message)
        return None if faults else objectives.to_objective(given)

    def _say(self, path: KeyPath, message: str) -> None:
        self.findings.append(self.draft.finding(path, message))
