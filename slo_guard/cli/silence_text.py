"""Silences and acknowledgements in the terminal: who says what, until when, and what it keeps quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from slo_guard.cli.recorded import table, table_console
from slo_guard.clock import iso
from slo_guard.domain.alerts import Alert
from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.notify.text import labels_text, one_line
from slo_guard.units import format_duration

_STYLES = {"active": "green", "pending": "yellow", "expired": "dim", "ended": "dim"}
_MOST_NAMED = 10


def print_silences(silences: Sequence[Silence], firing: Callable[[Silence], int], now: float) -> None:
    """Print a row a silence; ``firing`` says how many alerts that fire now it keeps quiet."""
    rows = table("Silences", "id", "state", "alerts that match", "from", "until", "left", "firing", "by", "why")
    for each in silences:
        state = each.state(now)
        rows.add_row(
            str(each.id),
            Text(state, style=_STYLES[state]),
            Text(" ".join(map(str, each.matchers))),
            iso(int(each.starts_at)),
            iso(int(each.over_at)),
            "" if each.is_over(now) else format_duration(int(each.over_at - max(now, each.starts_at))),
            str(firing(each)) if each.is_active(now) else "",
            Text(each.by),
            Text(each.why),
        )
    table_console().print(rows)


def print_acknowledgements(acknowledgements: Sequence[Acknowledgement], now: float) -> None:
    """Print a row an acknowledgement."""
    rows = table("Acknowledgements", "id", "state", "sprint", "KPI", "series", "until", "left", "by", "why")
    for each in acknowledgements:
        state = each.state(now)
        rows.add_row(
            str(each.id),
            Text(state, style=_STYLES[state]),
            Text(each.sprint),
            Text(each.kpi),
            Text("all" if each.labels is None else labels_words(each.labels)),
            iso(int(each.over_at)),
            "" if each.is_over(now) else format_duration(int(each.over_at - now)),
            Text(each.by),
            Text(each.why),
        )
    table_console().print(rows)


def firing_words(alerts: Sequence[Alert]) -> str:
    """Return the names of alerts that fire: ``ga_e2e_p95 system=fs (breach); …``."""
    more = len(alerts) - _MOST_NAMED
    return "; ".join(map(_alert_words, alerts[:_MOST_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def labels_words(labels: Sequence[tuple[str, str]]) -> str:
    """Return labels as ``system=fs, tenant=acme``; the series without labels has no other name."""
    return labels_text(tuple(labels)) or "its one series"


def _alert_words(alert: Alert) -> str:
    key = alert.key
    kind = f"{key.kind.value} {key.tier}".rstrip()
    return " ".join([key.kpi, *(one_line(f"{name}={value}") for name, value in key.labels), f"({kind})"])
