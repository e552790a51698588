"""``slo-guard backtest``: every transition that rules would have made on recorded samples."""

from __future__ import annotations

from collections.abc import Sequence
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
    working,
)
from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition
from slo_guard.domain.verdicts import AlertState
from slo_guard.replay.backtest import backtest as run_backtest
from slo_guard.replay.backtest import backtest_json
from slo_guard.units import format_value

_STYLES = {AlertState.FIRING: "bold red", AlertState.PENDING: "yellow", AlertState.INACTIVE: "green"}


@click.command("backtest")
@rules_option
@samples_option
@click.option("--prometheus", metavar="URL", help="Not supported by this version; use --samples.")
@click.option("--from", "start", type=Instant(), required=True, metavar="T", help="The first evaluation.")
@click.option("--to", "end", type=Instant(), required=True, metavar="T", help="The last instant, included.")
@format_option
def backtest(
    *, rules: Path, samples: Path | None, prometheus: str | None, start: float, end: float, style: str
) -> None:
    """List every alert transition that would have happened between two instants.

    Each KPI is evaluated at from + k x its interval, up to and including to; samples before from fill its
    windows. Instants are ISO 8601 with a zone, or Unix seconds. Exit code 1: the rules have errors; 2: a file
    cannot be used.
    """
    if prometheus is not None:
        raise click.UsageError("--prometheus is not supported by this version; record samples and use --samples.")
    if samples is None:
        raise click.UsageError("Missing option '--samples'.")
    if end < start:
        raise click.UsageError(f"--to {iso(end)} is before --from {iso(start)}.")
    with working():
        plan, observations = load(rules, samples)
        transitions = tuple(run_backtest(plan, observations, start, end))
    if style == "json":
        print_json(backtest_json(transitions))
    else:
        _print_table(transitions, start, end)


def _print_table(transitions: Sequence[Transition], start: float, end: float) -> None:
    title = f"{iso(start)} to {iso(end)}: {len(transitions):,} transitions"
    rows = table(title, "at", "KPI", "labels", "alert", "from", "to", "value", "why")
    for transition in transitions:
        rows.add_row(
            iso(transition.at),
            transition.key.kpi,
            Text(", ".join(f"{name}={value}" for name, value in transition.key.labels)),
            f"{transition.key.kind.value}, {transition.severity.value}",
            transition.from_state.label,
            Text(transition.to_state.label, style=_STYLES[transition.to_state]),
            format_value(transition.value, transition.unit),
            Text(transition.reason.sentence),
        )
    table_console().print(rows)
