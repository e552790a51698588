"""``slo-guard eval``: verdicts at an instant from recorded samples."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from slo_guard.cli.recorded import (
    Instant,
    format_option,
    load,
    print_json,
    rules_option,
    samples_option,
    table,
    table_console,
    tell,
    working,
)
from slo_guard.clock import iso
from slo_guard.domain.verdicts import SeriesVerdict, Verdict
from slo_guard.replay.eval_samples import EvaluatedAt, evaluate_samples
from slo_guard.units import format_duration, format_value

_MOST_ROWS = 500
_STYLES = {
    Verdict.MET: "green",
    Verdict.AT_RISK: "yellow",
    Verdict.INSUFFICIENT: "magenta",
    Verdict.NO_DATA: "bold red",
    Verdict.MISSED: "bold red",
}


@click.command("eval")
@rules_option
@samples_option
@click.option("--at", "at", type=Instant(), required=True, metavar="T", help="ISO 8601 with a zone, or Unix seconds.")
@format_option
def eval_(rules: Path, samples: Path | None, at: float, style: str) -> None:
    """Judge recorded samples as a daemon would have at an instant.

    The rules are evaluated on their grid from the first sample to T and once more at T, so alerts are pending
    or firing as they would have been. Exit code 1: the rules have errors; 2: a file cannot be used.
    """
    if samples is None:
        raise click.UsageError("Missing option '--samples'.")
    with working():
        plan, observations = load(rules, samples)
        result = evaluate_samples(plan, observations, at)
    if result.stepped_from is not None:
        tell([f"the recording is long: alerts are as of a daemon started at {iso(result.stepped_from)}"])
    if style == "json":
        print_json(result.document())
    else:
        _print_table(result)


def _print_table(result: EvaluatedAt) -> None:
    title = f"{result.sprint or 'no sprint'} at {iso(result.at)}"
    rows = table(title, "KPI", "labels", "value", "objective", "verdict", "why", "alert")
    worst_first = sorted(result.verdicts, key=lambda row: -row.verdict)
    shown = worst_first if len(worst_first) > _MOST_ROWS else result.verdicts
    for row in shown[:_MOST_ROWS]:
        rows.add_row(
            row.kpi.id,
            Text(", ".join(f"{name}={value}" for name, value in row.labels)),
            format_value(row.value, row.kpi.unit),
            Text(row.kpi.objective.text if row.kpi.objective else "none"),
            Text(row.verdict.label, style=_STYLES.get(row.verdict, "")),
            Text(_why(row)),
            _alert(row, result.at),
        )
    console = table_console()
    console.print(rows)
    if len(shown) > _MOST_ROWS:
        console.print(f"and {len(shown) - _MOST_ROWS:,} more that are no worse; --format json has them all")


def _why(row: SeriesVerdict) -> str:
    return f"{row.reason.sentence} ({row.note})" if row.note else row.reason.sentence


def _alert(row: SeriesVerdict, at: float) -> str:
    if row.alert_since is None:
        return row.alert_state.label
    return f"{row.alert_state.label} for {format_duration(at - row.alert_since)}"
