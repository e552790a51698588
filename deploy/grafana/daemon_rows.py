"""The last rows: whether slo_guard itself works, from its sources to its receivers."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode
from grafana_foundation_sdk.models.dashboard import Panel

from deploy.grafana.layout import COLUMNS, Placed, side_by_side
from deploy.grafana.palette import BAD, GOOD, LINE_BAD, LINE_WARN, fixed, mapped
from deploy.grafana.panels import lines, numbers, states
from deploy.grafana.units import Scale

_COUNT = Scale("short", 0, 0.0)
_AGE = Scale("s", 1, 0.0)
_UP = {"1": ("up", GOOD), "0": ("down", BAD)}
_GREEN = "#73bf69"


def collector_row() -> list[Placed]:
    """Return the panels of the sources: what fell silent shows here before it is no data anywhere."""
    up = states(
        "Collectors up",
        "Whether each collector's last collection succeeded. One that fails has an alert of its own, "
        "`slo_guard_collector_up`.",
        ("max by (collector) (slo_guard_collector_up)", "{{collector}}"),
        mapped(_UP),
        link="/sources",
    )
    return [Placed(up, COLUMNS, 10), *side_by_side(_collections())]


def evaluation_row() -> list[Placed]:
    """Return the panels of the evaluator, and of the process that it runs in."""
    return side_by_side(_evaluations())


def delivery_row() -> list[Placed]:
    """Return the panels of the messages: what was sent, what waits, what was given up."""
    return side_by_side(_deliveries(), most=4)


def _quantile(quantile: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))"


def _collections() -> Iterator[Builder[Panel]]:
    last = "slo_guard_collection_last_success_timestamp_seconds"
    yield lines(
        "Age of the last success",
        "Seconds since each collector last brought all of its indicators. Past a KPI's `no_data.after` it has no data.",
        (f"time() - max by (collector) ({last})", "{{collector}}"),
        scale=_AGE,
        link="/sources",
    )
    yield lines(
        "Collection duration, p95",
        "How long collections take: one that comes near its time-out or its interval will overrun.",
        (_quantile(0.95, "slo_guard_collection_duration_seconds", "collector"), "{{collector}}"),
        scale=Scale("s", None, 0.0),
        link="/sources",
    )
    yield lines(
        "Samples rejected, collections left out",
        "Samples that could not be used (NaN, Inf, duplicates); collections left out because the one before still ran.",
        ("sum by (collector) (increase(slo_guard_samples_rejected_total[$__rate_interval]))", "{{collector}} rejected"),
        (
            "sum by (collector) (increase(slo_guard_collections_overrun_total[$__rate_interval]))",
            "{{collector}} left out",
        ),
        scale=_COUNT,
        link="/sources",
    )


def _evaluations() -> Iterator[Builder[Panel]]:
    duration = "slo_guard_evaluation_duration_seconds"
    yield lines(
        "Evaluation duration",
        "How long an evaluation takes with storing and rendering; it has to stay well below the interval.",
        (_quantile(0.5, duration), "median"),
        (_quantile(0.95, duration), "p95"),
        (_quantile(0.99, duration), "p99"),
        scale=Scale("s", None, 0.0),
    )
    yield lines(
        "Evaluations that did not run",
        "Missed: due and not run in time. Skipped: the clock had gone back. Both are 0 on a machine that is well.",
        ("sum(increase(slo_guard_evaluations_missed_total[$__rate_interval]))", "missed"),
        ("sum(increase(slo_guard_evaluations_skipped_total[$__rate_interval]))", "skipped"),
        # No series before the first error: a job's name is not known before it failed.
        ("sum(increase(slo_guard_job_errors_total[$__rate_interval])) or vector(0)", "jobs that ended in an error"),
        scale=_COUNT,
    )
    reload = numbers(
        "Files on disk",
        "Whether the config and the rules on disk were taken when they were last read. Refused: what ran goes on.",
        ("min(slo_guard_config_last_reload_successful)", "last read"),
        scale=Scale("none", 0),
    )
    yield reload.mappings([mapped({"1": ("taken", GOOD), "0": ("refused", BAD)})])
    yield numbers(
        "Versions that run",
        "How many daemons run, by version; more than one is a replica, or a rollout that is not through.",
        ("count by (version) (slo_guard_build_info)", "{{version}}"),
        scale=Scale("none", 0),
    )
    yield lines(
        "Memory",
        "Resident memory of the process; flat after warm-up.",
        (f"process_resident_memory_bytes{_OF_SLO_GUARD}", "{{instance}}"),
        scale=Scale("bytes", 0, 0.0),
    )
    yield lines(
        "CPU",
        "Cores in use; an evaluation that grows shows here first.",
        (f"rate(process_cpu_seconds_total[$__rate_interval]){_OF_SLO_GUARD}", "{{instance}}"),
        scale=Scale("none", 2, 0.0),
    )


_OF_SLO_GUARD = " and on (job, instance) slo_guard_build_info"
"""Every Python and Go program has these metrics: only those of the processes that say they are slo_guard."""


def _deliveries() -> Iterator[Builder[Panel]]:
    outcomes = lines(
        "Attempts to send",
        "By how they ended: delivered, to be tried again, or given up. A retry is no loss: it waits in the outbox.",
        (
            "sum by (receiver, outcome) (increase(slo_guard_notifications_total[$__rate_interval]))",
            "{{receiver}}: {{outcome}}",
        ),
        scale=_COUNT,
        link="/deliveries",
    )
    outcomes.draw_style(GraphDrawStyle.BARS).fill_opacity(80).line_width(0)
    outcomes.stacking(parts.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    for outcome, color in (("delivered", _GREEN), ("retry", LINE_WARN), ("dead", LINE_BAD)):
        outcomes.override_by_regexp(f"/: {outcome}$/", [fixed(color)])
    yield outcomes
    yield lines(
        "Messages that wait",
        "What the outbox holds for each receiver; it goes back to 0 once the receiver answers again.",
        ("max by (receiver) (slo_guard_outbox_pending)", "{{receiver}}"),
        scale=_COUNT,
        link="/deliveries",
    )
    yield lines(
        "Age of the oldest that waits",
        "How late the next message to each receiver is; 0 while none waits.",
        ("max by (receiver) (slo_guard_outbox_oldest_seconds)", "{{receiver}}"),
        scale=_AGE,
        link="/deliveries",
    )
    dead = numbers(
        "Dead letters",
        "Messages that were given up and are kept: `slo-guard deliveries retry` makes them due again.",
        ("max by (receiver) (slo_guard_dead_letters)", "{{receiver}}"),
        scale=Scale("none", 0),
        colors=[BAD],
    )
    yield dead.mappings([mapped({"0": ("none", GOOD)})])
