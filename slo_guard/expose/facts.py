"""What the rule files say, as metrics: dashboards join titles to series, and reckon the days that are left."""

from __future__ import annotations

from collections.abc import Iterable

from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.expose.metrics_text import escape, labels_text

_INFO = "slo_guard_kpi_info"
_INFO_HELP = "1, labelled with what the rule file says of the KPI; join it on sprint, lane and kpi."
_START, _END = "slo_guard_sprint_start_timestamp_seconds", "slo_guard_sprint_end_timestamp_seconds"
_START_HELP = "When the sprint starts, in Unix seconds."
_END_HELP = "When the sprint ends, in Unix seconds: its first instant that no longer belongs to it."


def fact_families(kpis: Iterable[KPI], sprints: Iterable[Sprint]) -> bytes:
    """Return the families of ``kpis`` and ``sprints``, each ending with a newline: a line each, none a series."""
    info = [_info(kpi) for kpi in kpis if kpi.id != COLLECTOR_UP]
    dated = [(labels_text(f'{{sprint="{escape(sprint.id)}"', ()), sprint) for sprint in sprints]
    return b"".join(
        _family(name, text, lines)
        for name, text, lines in (
            (_INFO, _INFO_HELP, info),
            (_START, _START_HELP, [b"%b%.0f" % (labels, sprint.start_at) for labels, sprint in dated]),
            (_END, _END_HELP, [b"%b%.0f" % (labels, sprint.end_at) for labels, sprint in dated]),
        )
        if lines
    )


def _info(kpi: KPI) -> bytes:
    facts = {"lane": kpi.lane, "kpi": kpi.id, "title": kpi.title, "owner": kpi.owner, "unit": kpi.unit or ""}
    gate = "true" if kpi.gate else "false"
    return labels_text(f'{{sprint="{escape(kpi.sprint)}"', {**facts, "gate": gate}.items()) + b"1"


def _family(name: str, text: str, lines: list[bytes]) -> bytes:
    head = f"# HELP {name} {text}\n# TYPE {name} gauge\n".encode()
    return head + b"".join(b"%b%b\n" % (name.encode(), line) for line in lines)
