"""``slo-guard gate``: the go/no-go of a sprint over its KPIs with ``gate: true``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.gate_text import gate_markdown, print_gate
from slo_guard.cli.recorded import Instant, load_daemon, print_json, tell
from slo_guard.cli.stored import named_sprint, sprint_of
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.gates import Gate, GateOutcome
from slo_guard.errors import SloGuardError
from slo_guard.evaluate.gate_json import gate_json
from slo_guard.gated import gate_stored
from slo_guard.store import open_stored

_EXIT_CODES = {GateOutcome.GO: 0, GateOutcome.NO_GO: 1, GateOutcome.UNDECIDED: 2}
NOT_DECIDED = _EXIT_CODES[GateOutcome.UNDECIDED]


@click.command()
@click.argument("sprint", required=False)
@click.option(
    "--at", "at", type=Instant(), metavar="T", help="As it was then: ISO 8601 with a zone, or Unix seconds.  [now]"
)
@config_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="What to print.",
)
def gate(*, sprint: str | None, at: float | None, config_path: Path, style: str) -> None:
    """Decide go or no-go for SPRINT: the one that runs, or the only one.

    Every KPI with `gate: true` is judged now, from what the daemon of a config has stored; once the sprint has closed
    its final verdicts count. Met, at risk though met, and not applicable are go; missed is no-go; all else is
    undecided, for unknown is not go.

    Exit code 0: go; 1: no-go; 2: not decided, whatever the reason: undecided KPIs, wrong use, or files or a store
    that cannot be read. Why stands on standard error.
    """
    with _deciding_nothing():
        decided = _decided(sprint, at, config_path)
        _print(decided, style)
        if decided.outcome is GateOutcome.UNDECIDED:
            tell([f"undecided: {decided.reason}"])
    sys.exit(_EXIT_CODES[decided.outcome])


def _decided(name: str | None, at: float | None, config_path: Path) -> Gate:
    at = to_unix(utcnow()) if at is None else at
    loaded = load_daemon(config_path)
    sprint = sprint_of(loaded.plan, at) if name is None else named_sprint(loaded.plan, name)
    with closing(open_stored(loaded.config.store.path)) as store:
        return gate_stored(loaded.plan, store, sprint, at)


@contextmanager
def _deciding_nothing() -> Iterator[None]:
    """End the command with exit code 2 for whatever goes wrong: an error must look like neither go nor no-go."""
    try:
        yield
    except SloGuardError as error:
        tell([str(error)])
        sys.exit(NOT_DECIDED)
    except SystemExit:
        sys.exit(NOT_DECIDED)
    except KeyboardInterrupt:
        tell(["undecided: interrupted"])
        sys.exit(NOT_DECIDED)
    except Exception as error:  # noqa: BLE001 - a fault of our own would end in exit code 1, which says no-go
        tell([f"undecided: a fault in slo_guard: {type(error).__name__}: {error}"])
        sys.exit(NOT_DECIDED)


def _print(decided: Gate, style: str) -> None:
    """Print the decision; it stands, and the exit code says it, also where whoever reads it leaves early."""
    try:
        _write(decided, style)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the latter is how rich takes a broken pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(decided: Gate, style: str) -> None:
    if style == "json":
        print_json(gate_json(decided))
    elif style == "markdown":
        click.echo(gate_markdown(decided), nl=False)
    else:
        print_gate(decided)
