"""The planner's memory: what each receiver has been told of each KPI, kept as two lines of JSON between runs.

A group is one conversation: one receiver, one sprint, one KPI, one kind of alert. It holds all that a later message
needs, since the rule that a message speaks of may be gone by then. Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slo_guard.domain.alerts import AlertKey, AlertKind, Transition
from slo_guard.domain.kpi import Severity
from slo_guard.domain.series import LabelSet
from slo_guard.errors import StoreError

_FORMAT = 1


class GroupKey(NamedTuple):
    """What makes a conversation one conversation; each tier of burn alerts has its own."""

    receiver: str
    sprint: str
    kpi: str
    kind: AlertKind
    tier: str = ""

    @classmethod
    def of(cls, receiver: str, key: AlertKey) -> GroupKey:
        """Return the group that ``receiver`` hears of the alert in."""
        return cls(receiver, key.sprint, key.kpi, *key.slot)

    @property
    def text(self) -> str:
        """The name under which stores and messages know the group; only a tier, which comes last, holds a slash."""
        name = f"{self.receiver}/{self.sprint}/{self.kpi}/{self.kind.value}"
        return f"{name}/{self.tier}" if self.tier else name

    def alert(self, labels: LabelSet) -> AlertKey:
        """Return the key of the alert of one of the group's series."""
        return AlertKey(self.sprint, self.kpi, labels, self.kind, self.tier)


class Facts(NamedTuple):
    """What is true of all series of a group, as its last transition stated it; ``annotations`` are templates."""

    severity: Severity
    lane: str
    title: str
    owner: str
    objective: str
    unit: str | None
    runbook_url: str | None
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, transition: Transition) -> Facts:
        """Return the facts that ``transition`` carries."""
        return cls(
            severity=transition.severity,
            lane=transition.lane,
            title=transition.title,
            owner=transition.owner,
            objective=transition.objective,
            unit=transition.unit,
            runbook_url=transition.runbook_url,
            annotations=dict(transition.annotations),
        )


class FiringSeries(NamedTuple):
    """A series that fires: the transition that said so, and what it said.

    ``verdict`` and ``reason`` are the words of Verdict and Reason. ``source_back_at`` matters only while the series
    is held back: since when none of its ``collectors`` fails any more.
    """

    seq: int
    fired_at: float
    active_at: float
    value: float | None
    verdict: str
    reason: str
    note: str | None
    collectors: tuple[str, ...] = ()
    source_back_at: float | None = None

    @classmethod
    def of(cls, transition: Transition) -> FiringSeries:
        """Return what a transition to firing says of its series."""
        return cls(
            seq=transition.seq,
            fired_at=transition.at,
            active_at=transition.active_at,
            value=transition.value,
            verdict=transition.verdict.label,
            reason=transition.reason.value,
            note=transition.note,
            collectors=tuple(transition.collectors),
        )


class GroupHead(NamedTuple):
    """What a run must know of every group, and the first line of its text: the rest is read only where it matters."""

    key: GroupKey
    told_at: float | None
    holds_back: bool
    looked_for: tuple[int, ...] = ()
    quiet_while: tuple[str, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> GroupHead:
        """Return the head of the group that ``text`` holds. Raises ``StoreError`` for any other text."""
        try:
            # Versions that knew no silences have looked for none.
            format_, key, told_at, holds_back, *quiet = json.loads(text.partition("\n")[0])
            looked_for, quiet_while = (*quiet, (), ())[:2]
            receiver, sprint, kpi, kind, *tier = key
            if format_ != _FORMAT:
                raise StoreError(f"a planner group in the store has the unknown format {format_!r}")
            group_key = GroupKey(receiver, sprint, kpi, AlertKind(kind), *tier)
            return cls(group_key, told_at, holds_back, tuple(looked_for), tuple(quiet_while))
        except (TypeError, ValueError) as error:
            raise _unreadable(error) from None


@dataclass(slots=True)
class Group:
    """One conversation while a run plans it: the series told as firing, and those whose firing is held back.

    ``silenced``: the series to be told of, once more for those in ``told`` as well, when no silence holds any more;
    ``silence_over``: whether that is so for some of them, which wait for something else. ``looked_for``: the silences
    by which all of this has been decided; a group that is not touched is looked at again when they are others.
    ``quiet_while``: the silences and acknowledgements that left nothing worth a reminder, which is looked for anew when
    they are others.
    """

    key: GroupKey
    facts: Facts | None = None
    told: dict[LabelSet, FiringSeries] = field(default_factory=dict)
    held: dict[LabelSet, FiringSeries] = field(default_factory=dict)
    silenced: dict[LabelSet, FiringSeries] = field(default_factory=dict)
    told_at: float | None = None
    silence_over: bool = False
    looked_for: tuple[int, ...] = ()
    quiet_while: tuple[str, ...] = ()

    def to_text(self) -> str | None:
        """Return the group as text, or None when there is nothing left to remember."""
        if self.facts is None or not (self.told or self.held or self.silenced):
            return None
        holds_back = bool(self.held) or self.silence_over
        head = [_FORMAT, self.key, self.told_at, holds_back, self.looked_for, self.quiet_while]
        body = [self.facts, *(list(part.items()) for part in (self.told, self.held, self.silenced))]
        return "\n".join(json.dumps(part, separators=(",", ":")) for part in (head, body))

    @classmethod
    def from_text(cls, text: str) -> Group:
        """Return the group that :meth:`to_text` wrote. Raises ``StoreError`` for any other text."""
        head = GroupHead.from_text(text)
        try:
            # Versions that knew no silences have left none.
            (severity, *facts), told, held, *silenced = json.loads(text.partition("\n")[2])
            facts = Facts(Severity(severity), *facts)
            parts = (_series(told), _series(held), _series(*silenced))
            # What makes it hold back is not said; whether a silence is over is seen when it is looked at.
            over = head.holds_back and bool(parts[2])
            return cls(head.key, facts, *parts, head.told_at, over, head.looked_for, head.quiet_while)
        except (TypeError, ValueError) as error:
            raise _unreadable(error) from None


def _series(pairs: Sequence[Any] = ()) -> dict[LabelSet, FiringSeries]:
    found: dict[LabelSet, FiringSeries] = {}
    for labels, said in pairs:
        seq, fired_at, active_at, value, verdict, reason, note, collectors, source_back_at = said
        found[tuple((name, text) for name, text in labels)] = FiringSeries(
            seq, fired_at, active_at, value, verdict, reason, note, tuple(collectors), source_back_at
        )
    return found


def _unreadable(error: Exception) -> StoreError:
    return StoreError(f"a planner group in the store cannot be read: {type(error).__name__}")
