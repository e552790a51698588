"""``slo-guard backtest``: every transition that rules would have made on what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
from rich.text import Text

from slo_guard.cli.backtest_prometheus import of_prometheus
from slo_guard.cli.recorded import (
    BaseUrl,
    Instant,
    ending_the_command,
    format_option,
    load_plan,
    load_samples,
    print_json,
    samples_option,
    table,
    table_console,
    working,
)
from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition, reason_words
from slo_guard.domain.kpi import Plan
from slo_guard.domain.verdicts import AlertState
from slo_guard.replay.backtest import backtest as run_backtest
from slo_guard.replay.backtest import backtest_json, backtest_store
from slo_guard.store import open_stored
from slo_guard.units import format_value

_STYLES = {AlertState.FIRING: "bold red", AlertState.PENDING: "yellow", AlertState.INACTIVE: "green"}


@click.command("backtest")
@click.option("--rules", type=click.Path(path_type=Path), help="Rule folder or file.", metavar="DIR")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A daemon's config, in place of --rules: its rules, its indicators, and the alerts about its collectors.",
)
@samples_option
@click.option("--store", type=click.Path(path_type=Path), metavar="FILE", help="What a daemon stored.")
@click.option(
    "--prometheus",
    type=BaseUrl(),
    metavar="URL",
    help="A Prometheus whose history is asked: the queries of --config, or the metrics that --rules name.",
)
@click.option("--from", "start", type=Instant(), required=True, metavar="T", help="The first evaluation.")
@click.option("--to", "end", type=Instant(), required=True, metavar="T", help="The last instant, included.")
@format_option
def backtest(
    *,
    rules: Path | None,
    config: Path | None,
    samples: Path | None,
    store: Path | None,
    prometheus: str | None,
    start: float,
    end: float,
    style: str,
) -> None:
    """List every alert transition that would have happened between two instants.

    Each KPI is evaluated at from + k x its interval, up to and including to; samples before from fill its
    windows. A store's readings count from when the daemon saw them, so that its own day comes out again.

    With --prometheus each query of the config's prometheus collectors is asked of URL at its collector's interval, with
    the collector's authentication and TLS; with --rules each indicator is the metric of its name (a histogram its
    _bucket series) at the shortest interval of its KPIs. KPIs that read anything else are left out, and named;
    so are, unnamed, the alerts about collectors.

    Instants are ISO 8601 with a zone, or Unix seconds. Exit code 1: the rules have errors; 2: a file cannot be
    used, or Prometheus not asked.
    """
    _exactly_one(rules=rules, config=config)
    _exactly_one(samples=samples, store=store, prometheus=prometheus)
    if end < start:
        raise click.UsageError(f"--to {iso(end)} is before --from {iso(start)}.")
    with working():
        if prometheus is not None:
            transitions = of_prometheus(prometheus, rules, config, start, end)
        else:
            plan = load_plan(rules, config)
            transitions = _of_samples(plan, samples, start, end) if samples else _of_store(plan, store, start, end)
    if style == "json":
        print_json(backtest_json(transitions))
    else:
        _print_table(transitions, start, end)


def _exactly_one(**options: Path | str | None) -> None:
    names = [f"--{name}" for name in options]
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if not given:
        choice = "' or '".join(names)
        raise click.UsageError(f"Missing option '{choice}'.")
    if len(given) > 1:
        raise click.UsageError(f"Give {' or '.join(given)}, not {'both' if len(given) == 2 else 'all'}.")


def _of_samples(plan: Plan, samples: Path, start: float, end: float) -> tuple[Transition, ...]:
    return tuple(run_backtest(plan, load_samples(samples, plan), start, end))


def _of_store(plan: Plan, file: Path | None, start: float, end: float) -> tuple[Transition, ...]:
    assert file is not None
    with ending_the_command(), closing(open_stored(file)) as store:
        return tuple(backtest_store(plan, store, start, end))


def _print_table(transitions: Sequence[Transition], start: float, end: float) -> None:
    title = f"{iso(start)} to {iso(end)}: {len(transitions):,} transitions"
    rows = table(title, "at", "KPI", "labels", "alert", "from", "to", "value", "why")
    for transition in transitions:
        rows.add_row(
            iso(transition.at),
            transition.key.kpi,
            Text(", ".join(f"{name}={value}" for name, value in transition.key.labels)),
            f"{transition.key.kind.value} {transition.key.tier}".strip() + f", {transition.severity.value}",
            transition.from_state.label,
            Text(transition.to_state.label, style=_STYLES[transition.to_state]),
            format_value(transition.value, transition.unit),
            Text(reason_words(transition.reason, transition.key.kind)),
        )
    table_console().print(rows)
