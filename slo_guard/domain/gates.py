"""The go/no-go of a sprint: what each KPI with ``gate: true`` says of it, and what they come to together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.domain.verdicts import Verdict


class GateOutcome(IntEnum):
    """What is decided; a larger code outweighs a smaller one. Unknown is not go."""

    GO = 0
    UNDECIDED = 1
    NO_GO = 2

    @property
    def label(self) -> str:
        """The word that people and scripts read: ``go``, ``no-go``, ``undecided``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateItem:
    """What one KPI says, by its worst series, in words.

    ``verdict`` is None where it was never judged; ``evidence``: what speaks for it (who signed, when, where the proof
    is; or its value against the objective); ``missing``: what keeps it from go; ``remarks``: what to know of a go.
    """

    kpi: KPI
    outcome: GateOutcome
    verdict: Verdict | None
    value: str
    objective: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """The go/no-go of ``sprint`` as of ``at`` (Unix seconds): no-go outweighs undecided, and that outweighs go.

    ``items``: the worst outcome first, in rule order among equals; ``final``: the sprint is over, and this stays so.
    """

    sprint: Sprint
    at: float
    items: tuple[GateItem, ...]
    final: bool = False

    @property
    def outcome(self) -> GateOutcome:
        """What is decided; nothing to decide by is undecided."""
        return max((item.outcome for item in self.items), default=GateOutcome.UNDECIDED)

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        if not self.items:
            return f"no KPI of {self.sprint.id} has gate: true, so there is nothing to decide by"
        counted = [(outcome, sum(item.outcome is outcome for item in self.items)) for outcome in _WORST_FIRST]
        return ", ".join(f"{count} {outcome.label}" for outcome, count in counted if count)


_WORST_FIRST: Sequence[GateOutcome] = (GateOutcome.NO_GO, GateOutcome.UNDECIDED, GateOutcome.GO)


def decide_gate(sprint: Sprint, items: Sequence[GateItem], at: float, *, final: bool = False) -> Gate:
    """Return the go/no-go that ``items``, in rule order, come to."""
    return Gate(sprint, at, tuple(sorted(items, key=lambda item: -item.outcome)), final)
