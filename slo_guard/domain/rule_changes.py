"""How the rules of a sprint changed while it ran: what each KPI promised at its start, and what became of that.

Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

BUDGET_PARTS = "; "
"""What parts the text of an error budget: its share, its burn alerts, its ``min_total``."""

_BOUNDS = ("objective", "warn", "resolve")


@dataclass(frozen=True, slots=True)
class RuleField:
    """One field of a rule: its ``value`` in a canonical form and base units, and its ``text`` for people.

    Values are compared, so that ``10m`` for ``600s`` is no change.
    """

    value: str
    text: str


RuleForm: TypeAlias = Mapping[str, RuleField]
"""The fields of a rule that say what it promises, by name."""


@dataclass(frozen=True, slots=True)
class RuleForms:
    """A KPI's rule when it was first judged in its sprint, and as it was judged last."""

    original: RuleForm
    latest: RuleForm


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One field of a KPI's rule that changed in mid-sprint; ``at`` is the first evaluation by the new one."""

    sprint: str
    kpi: str
    at: float
    field: str
    before: str
    after: str

    def in_words(self, when: str) -> str:
        """Return the change for people: ``target changed 9 Jul 14:02: at most 1.16s -> at most 1.3s``."""
        if self.field not in _BOUNDS:
            before, after = self.before, self.after
            if self.field == "error_budget":
                before, after = _differing_parts(before, after)
            return f"{self.field} changed {when}: {before} -> {after}"
        name = "target" if self.field == "objective" else self.field
        before, after = (text.replace("_", " ", 1) for text in (self.before, self.after))
        return f"{name} changed {when}: {before} -> {after}"


@dataclass(frozen=True, slots=True)
class RuleLog:
    """What is new of it in one evaluation, or all that there is: forms and changes by (sprint, KPI)."""

    forms: Mapping[tuple[str, str], RuleForms] = field(default_factory=dict)
    changes: tuple[RuleChange, ...] = ()

    def joined(self, newer: RuleLog) -> RuleLog:
        """Return this log with what a later one adds."""
        return RuleLog({**self.forms, **newer.forms}, (*self.changes, *newer.changes))


def _differing_parts(before: str, after: str) -> tuple[str, str]:
    """Return of two budgets what differs: of a lower target the whole list of burn alerts says nothing."""
    pairs = list(zip(before.split(BUDGET_PARTS), after.split(BUDGET_PARTS), strict=False))
    if before.count(BUDGET_PARTS) != after.count(BUDGET_PARTS) or before == after:
        return before, after
    old, new = zip(*(pair for pair in pairs if pair[0] != pair[1]), strict=True)
    return BUDGET_PARTS.join(old), BUDGET_PARTS.join(new)
