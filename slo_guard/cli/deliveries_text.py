"""Messages and what became of them: as a table for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from slo_guard.cli.recorded import table, table_console
from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition
from slo_guard.domain.notifications import Decision, DeliveryRecord, RowState
from slo_guard.notify.text import labels_text, summary_line

_STYLES = {
    RowState.PENDING: "yellow",
    RowState.DELIVERED: "green",
    RowState.DEAD: "bold red",
    RowState.WITHDRAWN: "dim",
}


def print_deliveries(records: Sequence[DeliveryRecord]) -> None:
    """Print a row a message."""
    rows = table("Messages, the newest first", "id", "planned", "receiver", "state", "tries", "message", "outcome")
    for record in records:
        rows.add_row(
            str(record.id),
            iso(int(record.created_at)),
            Text(record.receiver),
            Text(record.state.value, style=_STYLES[record.state]),
            str(record.attempts),
            Text(summary_line(record.notification)),
            Text(outcome_words(record)),
        )
    table_console().print(rows)


def print_untold(untold: Sequence[tuple[Transition, Decision]]) -> None:
    """Print a row a change of an alert that a receiver was not told of, with the reason."""
    rows = table("Not told, the newest first", "at", "receiver", "alert", "series", "change", "why not")
    for change, decision in untold:
        by = "" if decision.silence is None else f" by silence {decision.silence}"
        why = "" if decision.not_told is None else decision.not_told.value
        rows.add_row(
            iso(int(change.at)),
            Text(decision.receiver),
            Text(f"{change.key.kind.value} {change.key.tier}".strip()),
            Text(labels_text(change.key.labels)),
            Text(f"{change.from_state.name.lower()} -> {change.to_state.name.lower()}"),
            Text(f"{why}{by}"),
        )
    table_console().print(rows)


def outcome_words(record: DeliveryRecord) -> str:
    """Return what became of a message, or what becomes of it next."""
    ended = "" if record.ended_at is None else f" at {iso(int(record.ended_at))}"
    match record.state:
        case RowState.DELIVERED:
            return f"delivered{ended}"
        case RowState.DEAD:
            return f"given up{ended}: {record.last_error}"
        case RowState.WITHDRAWN:
            return f"withdrawn{ended}" + (f", after {record.last_error}" if record.last_error else "")
        case RowState.PENDING:
            if not record.attempts or record.next_attempt_at is None:
                return f"due again, after {record.last_error}" if record.last_error else "waits for its turn"
            return f"again at {iso(int(record.next_attempt_at))}, after {record.last_error}"


def deliveries_document(records: Sequence[DeliveryRecord]) -> dict[str, Any]:
    """Return the JSON that scripts depend on."""
    return {"deliveries": [_document(record) for record in records]}


def _document(record: DeliveryRecord) -> dict[str, Any]:
    note = record.notification
    return {
        "id": record.id,
        "receiver": record.receiver,
        "key": record.key,
        "state": record.state.value,
        "created_at": iso(record.created_at),
        "attempts": record.attempts,
        "next_attempt_at": _instant(record.next_attempt_at),
        "ended_at": _instant(record.ended_at),
        "last_error": record.last_error,
        "sprint": note.sprint,
        "lane": note.lane,
        "kpi": note.kpi,
        "severity": note.severity.value,
        "kind": note.kind.value,
        "reason": note.reason.value,
        "summary": summary_line(note),
        "series": len(note.series) + note.unlisted_firing + note.unlisted_ended,
        "transitions": list(note.transitions),
    }


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else iso(seconds)
