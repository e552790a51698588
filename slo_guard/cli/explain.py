"""``slo-guard explain``: why a KPI's verdict is what it is, from what a daemon stored or from recorded samples."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.explain_text import print_explanation
from slo_guard.cli.recorded import (
    Instant,
    ending_the_command,
    format_option,
    load,
    load_daemon,
    print_json,
    samples_option,
)
from slo_guard.cli.stored import named_kpi
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.explanations import Explanation
from slo_guard.evaluate.explanation_json import explanation_json
from slo_guard.explained import explain_stored
from slo_guard.replay.explaining import explain_samples
from slo_guard.store import open_stored


@click.command()
@click.argument("kpi")
@click.option("--sprint", metavar="NAME", help="Which sprint's KPI.  [the last that has begun]")
@click.option(
    "--at", "at", type=Instant(), metavar="T", help="As it was then: ISO 8601 with a zone, or Unix seconds.  [now]"
)
@config_option
@click.option("--rules", type=click.Path(path_type=Path), metavar="DIR", help="With --samples: rules without a daemon.")
@samples_option
@format_option
def explain(
    *,
    kpi: str,
    sprint: str | None,
    at: float | None,
    config_path: Path,
    rules: Path | None,
    samples: Path | None,
    style: str,
) -> None:
    """Explain KPI: what it measures, its inputs, the arithmetic of its verdict, and how it came to that.

    Reads what the daemon of a config has stored, as of its last evaluation, also while it runs; or recorded samples,
    with --rules, --samples and --at. Exit code 1: the files have errors; 2: no such KPI, or a file cannot be used.
    """
    if (rules is None) != (samples is None):
        raise click.UsageError("--rules and --samples go together; a daemon's store is read with --config.")
    now = to_unix(utcnow())
    if rules is not None and samples is not None:
        explanation = _of_samples(kpi, sprint, at, rules, samples)
    else:
        explanation = _of_store(kpi, sprint, at, config_path, now)
    if style == "json":
        print_json(explanation_json(explanation))
    else:
        print_explanation(explanation, now)


def _of_store(name: str, sprint: str | None, at: float | None, config_path: Path, now: float) -> Explanation:
    loaded = load_daemon(config_path)
    kpi = named_kpi(loaded.plan, name, sprint, now if at is None else at)
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        return explain_stored(loaded.plan, store, kpi, at)


def _of_samples(name: str, sprint: str | None, at: float | None, rules: Path, samples: Path) -> Explanation:
    if at is None:
        raise click.UsageError("Missing option '--at': a recording has no now.")
    plan, observations = load(rules, samples)
    with ending_the_command():
        return explain_samples(plan, observations, named_kpi(plan, name, sprint, at), at)
