"""Where a message's links lead: to the page of this slo_guard that explains the KPI."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from slo_guard.domain.builtin import COLLECTOR_UP, SPRINT_CLOSE, TEST_MESSAGE
from slo_guard.domain.notifications import Notification


def kpi_link(external_url: str | None, note: Notification) -> str | None:
    """Return the address of the page that explains the message's KPI; None where nobody said where that is.

    What is built in has no page of its own: its messages, and tests, lead to the page of all KPIs.
    """
    if not external_url:
        return None
    base = external_url.rstrip("/")
    if note.kpi in (COLLECTOR_UP, SPRINT_CLOSE, TEST_MESSAGE):
        return f"{base}/"
    return f"{base}/kpis/{quote(note.kpi, safe='')}?{urlencode({'sprint': note.sprint})}"
