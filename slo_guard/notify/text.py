"""The words that all receivers share, for teammates who have never seen slo_guard: states, reasons, values, times."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKind, reason_words
from slo_guard.domain.budget_words import burn_rate_words
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import Reason, Verdict
from slo_guard.units import format_duration, format_value

_WHY_TOLD = {
    NotificationReason.FIRST_NOTIFICATION: "first message about it",
    NotificationReason.SERIES_ADDED: "more series joined",
    NotificationReason.RECOVERED: "the objective is met again",
    NotificationReason.ENDED: "an alert ended, and not because its objective is met",
    NotificationReason.REPEAT_INTERVAL_ELAPSED: "a reminder, it still fires",
    NotificationReason.HELD_BACK_AND_STILL_FIRING: "held back while its source was down, and still firing",
    NotificationReason.RECEIVER_ADDED: "it fired already when this receiver, or its severity here, was added",
    NotificationReason.SILENCE_ENDED: "the silence over it has ended, and it still fires",
    NotificationReason.ESCALATED: "it is worse than when it was last told, and cannot recover",
    NotificationReason.SPRINT_CLOSED: "the sprint is over; this is how every KPI ended",
    NotificationReason.TEST: "a test, nothing is wrong",
}
_NOT_NEW = frozenset(
    {
        NotificationReason.REPEAT_INTERVAL_ELAPSED,
        NotificationReason.RECEIVER_ADDED,
        NotificationReason.SILENCE_ENDED,
    }
)
_TURNERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}


def headline(note: Notification) -> str:
    """Return what happened in two words: ``Breached``, ``Still no data``, ``Recovered``, ``Alert ended``."""
    if note.reason is NotificationReason.TEST:
        return "Test message"
    if note.reason is NotificationReason.SPRINT_CLOSED:
        return "Sprint closed"
    if note.reason is NotificationReason.ESCALATED:
        return "Worse"
    if not note.firing:
        return "Recovered" if note.reason is NotificationReason.RECOVERED else "Alert ended"
    if note.reason is NotificationReason.RECOVERED:
        return "Partly recovered"
    if note.reason is NotificationReason.ENDED:
        return "Partly ended"
    state = _state(note)
    return f"Still {state}" if note.reason in _NOT_NEW else state[0].upper() + state[1:]


def _state(note: Notification) -> str:
    if note.kind is AlertKind.RISK:
        return "at risk"
    if note.kind is AlertKind.BURN:
        return "burning its error budget"
    firing = [line.verdict for line in note.series if line.firing]
    return "no data" if firing and all(verdict == Verdict.NO_DATA.label for verdict in firing) else "breached"


def line_state(note: Notification, line: SeriesLine) -> str:
    """Return in words how one series stands.

    One of ``Breached``, ``No data``, ``At risk``, ``Burning``, ``Not yet cleared``, ``Recovered``, ``Ended``.
    """
    if not line.firing:
        return "Recovered" if line.reason == Reason.RECOVERED else "Ended"
    if note.kind is AlertKind.RISK and line.verdict in (Verdict.AT_RISK.label, Verdict.MISSED.label):
        return "At risk"
    if note.kind is AlertKind.BURN:
        return "Burning"
    # An alert fires on while hysteresis or keep_firing_for wait; its value may be fine again by then.
    return {Verdict.MISSED.label: "Breached", Verdict.NO_DATA.label: "No data"}.get(line.verdict, "Not yet cleared")


def name_of(note: Notification) -> str:
    """Return the KPI's title, or its id where it has none."""
    return one_line(note.title or note.kpi)


def objective_text(note: Notification) -> str:
    """Return the message's objective as people say it."""
    return objective_words(note.objective)


def objective_words(objective: str) -> str:
    """Return an objective as people say it: ``at most 1.16s``."""
    return one_line(objective).replace("_", " ")


def counts(note: Notification) -> str:
    """Return how many series fire and how many ended: ``3 firing, 1 ended``."""
    firing = note.unlisted_firing + sum(line.firing for line in note.series)
    ended = note.unlisted_ended + sum(not line.firing for line in note.series)
    done = "recovered" if note.reason is NotificationReason.RECOVERED else "ended"
    parts = [f"{count:,} {word}" for count, word in ((firing, "firing"), (ended, done)) if count]
    return ", ".join(parts)


def summary_line(note: Notification) -> str:
    """Return one line that says it all, for previews and places without markup."""
    if note.reason is NotificationReason.SPRINT_CLOSED:
        return f"{headline(note)}: {name_of(note)} ({final_counts(note)})"
    if note.reason is NotificationReason.TEST:
        return f"{headline(note)}: {name_of(note)}"
    first = note.series[0] if note.series else None
    total = len(note.series) + note.unlisted_firing + note.unlisted_ended
    told = f"{headline(note)}: {name_of(note)}"
    if first is not None:
        where = f" [{labels_text(first.labels)}]" if first.labels else ""
        verb = measured_verb(note, first)
        if first.value is None:
            told += f"{where} has no value"
        else:
            told += f"{where} {verb} {measured(note, first)}" if verb else where
    if note.objective:
        told += f", objective {objective_text(note)}"
    if total > 1:
        told += f" ({counts(note)})"
    return told


def final_counts(note: Notification) -> str:
    """Return how many KPIs of a sprint ended how, worst first: ``2 missed, 1 no data, 27 met``."""
    tally = Counter(line.verdict for line in note.series)
    names = [verdict.label for verdict in sorted(Verdict, reverse=True)]
    return ", ".join(f"{tally[name]} {name.replace('_', ' ')}" for name in names if tally[name])


def why_told(note: Notification) -> str:
    """Return in words why this message is sent."""
    if note.kind is not AlertKind.BREACH and note.reason is NotificationReason.RECOVERED:
        return reason_words(Reason.RECOVERED, note.kind)
    return _WHY_TOLD[note.reason]


def why_line(note: Notification, line: SeriesLine) -> str:
    """Return in words why a series is in the state that the line shows, with the line's note where there is one."""
    known = line.reason in Reason.__members__.values()
    sentence = reason_words(Reason(line.reason), note.kind) if known else line.reason
    return f"{sentence} ({one_line(line.note)})" if line.note else sentence


def period(line: SeriesLine) -> str:
    """Return since when a line fires, or from when to when it did, in UTC."""
    if line.ended_at is None:
        return f"since {iso(line.active_at)}"
    lasted = format_duration(max(0.0, line.ended_at - line.active_at))
    return f"from {iso(line.active_at)} to {iso(line.ended_at)}, {lasted}"


def labels_text(labels: LabelSet) -> str:
    """Return labels as ``system=fs, tenant=acme``, or ``""`` without labels."""
    return ", ".join(f"{one_line(name)}={one_line(value)}" for name, value in labels)


def value_text(value: float | None, unit: str | None, objective: str) -> str:
    """Return a value in its unit, ``no value`` where there is none or it is not finite.

    What is held against ``is true`` or ``is false`` is itself true or false.
    """
    if objective.startswith("is ") and value in (0.0, 1.0):
        return "true" if value else "false"
    return format_value(value if value is not None and math.isfinite(value) else None, unit)


def measured(note: Notification, line: SeriesLine) -> str:
    """Return the value of a line in its unit; of a burn alert the burn rate over its long window, in words."""
    if note.kind is AlertKind.BURN:
        return burn_rate_words(line.value, note.tier.partition("/")[0])
    return value_text(line.value, note.unit, note.objective)


def measured_verb(note: Notification, line: SeriesLine) -> str:
    """Return the word between a series and its value, ``""`` where the value is not told.

    A burn alert ends when its short window is calm; the rate over its long one, still high, would only confuse.
    """
    if note.kind is not AlertKind.BURN:
        return "is"
    return "burns at" if line.firing else ""


def one_line(text: str) -> str:
    """Return ``text`` on one line, sound as :func:`sound` makes it."""
    return " ".join(sound(text).split())


def sound(text: str) -> str:
    """Return ``text`` without control characters but line breaks, and with what cannot be encoded replaced.

    Characters that turn the direction of writing are taken out as well: they make a message read as it is not.
    """
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in encodable if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in _TURNERS))


def cut(text: str, limit: int) -> str:
    """Return ``text`` within ``limit`` UTF-16 units, an ellipsis at the end of what is cut; no character is split.

    UTF-16 units are counted because services that count in them see an emoji as two.
    """
    if width(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - 1
    for character in text:
        room -= width(character)
        if room < 0:
            break
        kept.append(character)
    following = text[len(kept)]
    while kept and (_joined(following) or kept[-1] == "\u200d"):
        following = kept.pop()
    return "".join(kept) + "…"


def width(text: str) -> int:
    """Return the number of UTF-16 units of ``text``."""
    return len(text) + sum(character > "\uffff" for character in text)


def _joined(character: str) -> bool:
    return character in _JOINERS or unicodedata.combining(character) != 0
