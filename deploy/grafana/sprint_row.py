"""The first row: the sprint at a glance, of the lanes that are chosen."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import StackingMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from deploy.grafana.layout import Placed
from deploy.grafana.palette import BAD, CALM, GOOD, MUTE, VERDICT_COLORS, WARN, fixed, words
from deploy.grafana.panels import alert_list, lines, listing, numbers
from deploy.grafana.queries import selector, verdict_count
from deploy.grafana.units import Scale
from slo_guard.domain.verdicts import Verdict

ALERTS_SOURCE = "slo_guard alerts"
"""The name of the data source over slo_guard's own /prometheus, as provisioned."""

_COUNT = Scale("none", 0, 0.0)
_SHOWN = (
    Verdict.MISSED,
    Verdict.NO_DATA,
    Verdict.INSUFFICIENT,
    Verdict.AT_RISK,
    Verdict.NOT_DUE,
    Verdict.MET,
    Verdict.TRACKED,
    Verdict.NOT_APPLICABLE,
)
_OPEN = (Verdict.NOT_DUE, Verdict.AT_RISK, Verdict.INSUFFICIENT, Verdict.TRACKED, Verdict.NOT_APPLICABLE)


def sprint_row() -> list[Placed]:
    """Return the panels of the row."""
    return [
        Placed(_days_left(), 4, 4),
        Placed(_verdicts_now(), 14, 4),
        Placed(_gate(), 6, 4),
        Placed(_firing(), 4, 9),
        Placed(_firing_kpis(), 10, 9),
        Placed(_alert_list(), 10, 9),
        Placed(_verdicts_over_time(), 24, 7),
    ]


def _days_left() -> Builder[Panel]:
    days = (
        'clamp_min((max by (sprint) (slo_guard_sprint_end_timestamp_seconds{sprint=~"$sprint"}) - time()) / 86400, 0)'
    )
    return numbers(
        "Days left",
        "Calendar days until the sprint's end, weekends included; 0 after it.",
        (days, "{{sprint}}"),
        scale=Scale("suffix: days", 1, 0.0),
    )


def _verdicts_now() -> Builder[Panel]:
    return numbers(
        "KPIs by verdict",
        "How many KPIs stand where, by the worst of their series. What stops coming is no data.",
        *((verdict_count(selector(), (verdict,)), words(verdict)) for verdict in _SHOWN),
        scale=_COUNT,
        colors=[VERDICT_COLORS[verdict] for verdict in _SHOWN],
    )


def _gate() -> Builder[Panel]:
    gate = 'gate="true"'
    return numbers(
        "Go or no-go, so far",
        "The KPIs with `gate: true`: what is met, what is open, and what is in the way. `slo-guard gate` decides.",
        (verdict_count(selector(), (Verdict.MET,), gate), "met"),
        (verdict_count(selector(), _OPEN, gate), "open"),
        (verdict_count(selector(), (Verdict.MISSED, Verdict.NO_DATA), gate), "in the way"),
        scale=_COUNT,
        colors=[GOOD, CALM, BAD],
        words="no gate",
    )


def _firing() -> Builder[Panel]:
    counted = 'sum(slo_guard_alerts{{lane=~"$lane", severity="{}", alertstate="{}"}}) or vector(0)'
    return numbers(
        "Alerts",
        "Alerts that fire by severity, and those whose `for` is not over. The series do not name the sprint.",
        (counted.format("page", "firing"), "page"),
        (counted.format("ticket", "firing"), "ticket"),
        ('sum(slo_guard_alerts{lane=~"$lane", alertstate="pending"}) or vector(0)', "pending"),
        scale=_COUNT,
        colors=[BAD, WARN, MUTE],
    )


def _firing_kpis() -> Builder[Panel]:
    firing = 'sum by (lane, kpi, severity) (slo_guard_alerts{lane=~"$lane", alertstate="firing"}) > 0'
    titles = 'max by (lane, kpi, title, owner) (slo_guard_kpi_info{sprint=~"$sprint", lane=~"$lane"})'
    panel = listing(
        "KPIs whose alerts fire",
        "How many alerts of each KPI fire now, with whose they are. From Prometheus: no second data source is needed.",
        f"({firing}) * on (lane, kpi) group_left (title, owner) {titles}",
        ("lane", "title", "severity", "owner", "kpi"),
        "nothing fires",
        link="/kpis/${__data.fields.kpi}",
    )
    return panel.override_by_name("Value", [DynamicConfigValue("displayName", "alerts")])


def _alert_list() -> Builder[Panel]:
    return alert_list(
        "Alerts, as slo_guard lists them",
        f"Every alert with its series, from slo_guard's own rules API: the data source {ALERTS_SOURCE!r}, which reads "
        "/prometheus. Empty without it.",
        ALERTS_SOURCE,
    )


def _verdicts_over_time() -> timeseries.Panel:
    # What is fine stands at the bottom, so that what is not is seen to grow on top of it.
    stacked = tuple(reversed(_SHOWN))
    panel = lines(
        "KPIs by verdict over time",
        "A breach is red that grows, a source that fell silent violet, work that gets done blue that turns green.",
        *((verdict_count(selector(), (verdict,)), words(verdict)) for verdict in stacked),
        scale=_COUNT,
    )
    panel.stacking(parts.StackingConfig().mode(StackingMode.NORMAL).group("A")).fill_opacity(75).line_width(0)
    for verdict in stacked:
        panel.override_by_name(words(verdict), [fixed(VERDICT_COLORS[verdict])])
    return panel
