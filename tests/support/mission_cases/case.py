"""How one KPI is breached and mended at its source, and what is then to be seen and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.mission_world import MissionWorld

Change: TypeAlias = Callable[[MissionWorld], None]
Ruling: TypeAlias = tuple[str, str]
"""A verdict and its reason."""

MET: Ruling = ("met", "objective_met")
NOT_DUE: Ruling = ("not_due", "not_due_yet")
PAST_CHECKPOINT: Ruling = ("at_risk", "past_checkpoint")
MISSED: Ruling = ("missed", "objective_missed")
OVERDUE: Ruling = ("missed", "overdue")
MET_LATE: Ruling = ("met", "met_late")


def nothing(_world: MissionWorld) -> None:
    """Change nothing: it is the time that breaches what is due."""


@dataclass(frozen=True)
class Case:
    """Verdicts are those of the series with ``labels``; all others of the KPI keep one of ``others``.

    ``recover``: None for what cannot be mended within the sprint. ``by_command``: the arguments of ``slo-guard sign``
    that mend it instead.
    """

    breach: Change = nothing
    recover: Change | None = None
    by_command: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    calm: Ruling = MET
    breached: Ruling = MISSED
    recovered: Ruling = MET
    others: frozenset[str] = frozenset({"met"})
    kind: str = "breach"
    """Of which kind the alert is: ``breach``, or ``risk`` where there is no objective to breach."""

    says: str = ""
    """A text that the message to Slack must hold: the value, as people read it."""

    is_signed: bool = False
    """Whether people sign that it is so."""

    risk: tuple[dict[str, str], str] | None = None
    """The labels and the reason of a risk that is told before any breach."""

    burns: str = ""
    """The tier of burn alerts that fires with the breach and ends with its recovery."""

    @property
    def headline(self) -> str:
        """Under which headline Slack is told of it."""
        return "At risk" if self.kind == "risk" else "Breached"

    @property
    def can_recover(self) -> bool:
        return self.recover is not None or bool(self.by_command)


def due_evidence(
    indicator: str, says: str, *, by_command: bool = False, checkpoint: bool = False, **labels: str
) -> Case:
    """Return the case of something that is to be signed by its due time, and is signed late."""
    label_options = tuple(word for name, value in labels.items() for word in ("--label", f"{name}={value}"))
    return Case(
        recover=None if by_command else lambda world: world.sign(indicator, **labels),
        by_command=(indicator, *label_options) if by_command else (),
        labels=labels,
        calm=PAST_CHECKPOINT if checkpoint else NOT_DUE,
        breached=OVERDUE,
        recovered=MET_LATE,
        says=says,
        is_signed=True,
        risk=(labels, "past_checkpoint") if checkpoint else None,
    )
