"""What the commands on recorded samples share: options, loading, and how their errors end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.status import Status
from rich.table import Table

from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.errors import SloGuardError
from slo_guard.replay.instants import parse_instant
from slo_guard.replay.samples import read_samples
from slo_guard.rulebook import load_rules

FINDINGS, UNREADABLE = 1, 2
"""Exit codes: the rules have errors; a file cannot be read."""

_WIDE = 180


class Instant(click.ParamType[float]):
    """ISO 8601 with a zone, or Unix seconds; held as Unix seconds."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return ``value`` as Unix seconds, or fail with what to write instead."""
        if isinstance(value, float):
            return value
        try:
            return parse_instant(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


rules_option = click.option(
    "--rules", type=click.Path(path_type=Path), required=True, help="Rule folder or file.", metavar="DIR"
)
samples_option = click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV timestamp,indicator,value[,label…] or JSON lines.",
)
format_option = click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="What to print."
)


def load(rules: Path, samples: Path) -> tuple[Plan, tuple[StoredObservation, ...]]:
    """Read rules and samples; what is worth knowing of either goes to standard error.

    Ends the command with exit code 1 for rules with errors and 2 for files that cannot be used.
    """
    loaded = load_rules([rules], None)
    tell(str(finding) for finding in loaded.findings)
    if loaded.plan is None:
        raise SystemExit(UNREADABLE if loaded.unreadable else FINDINGS)
    try:
        read = read_samples(samples, loaded.plan.indicators)
    except SloGuardError as error:
        tell([str(error)])
        raise SystemExit(UNREADABLE) from None
    tell(f"{samples}: {notice}" for notice in read.notices)
    return loaded.plan, read.observations


def tell(notices: Iterable[str]) -> None:
    """Write notices to standard error, so that they never mix with the answer."""
    for notice in notices:
        click.echo(notice, err=True)


def table(title: str, *columns: str) -> Table:
    """Return an empty table in the style of these commands."""
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def working() -> Status:
    """Return a spinner for standard error, shown while it is entered, and only in a terminal."""
    return Console(stderr=True).status("Replaying the recording…")


def table_console() -> Console:
    """Return where tables go: standard output, with room enough for a row a line where that is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def print_json(document: Any) -> None:
    """Write a document to standard output as indented JSON."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
