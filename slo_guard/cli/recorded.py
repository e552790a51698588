"""What the commands on recorded samples share: options, loading, and how their errors end."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table

from slo_guard.config import Config
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.errors import ConfigError, SloGuardError, UnitError
from slo_guard.http_options import checked_url
from slo_guard.loaded import Loaded, load_files, load_settings
from slo_guard.notify.text import sound
from slo_guard.replay.instants import parse_instant
from slo_guard.replay.samples import read_samples
from slo_guard.rulebook import load_rules
from slo_guard.units import parse_duration

FINDINGS, UNREADABLE = 1, 2
"""Exit codes: the rules have errors; a file cannot be read."""

_WIDE = 180


class CleanConsole(Console):
    """A console on which nothing that a source said can move the cursor, colour a line or name the window."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of ``renderable``, their texts without control characters."""
        for segment in super().render(renderable, options):
            known = segment.control or segment.text.isprintable()
            yield segment if known else segment._replace(text=sound(segment.text))


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


class Seconds(click.FloatRange):
    """Seconds within a range; what is no number of them at all is refused as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return ``value`` as a number, or fail with what to write instead."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


class Duration(click.ParamType[float]):
    """``30s``, ``5m``, ``1h30m`` or ``14d``; held as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return ``value`` as seconds, or fail with what to write instead."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(str(value))
        except UnitError as error:
            self.fail(str(error), param, ctx)


class BaseUrl(click.ParamType[str]):
    """A server's http or https URL, without user and password."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value``, or fail with what to write instead; a password in it is not shown."""
        try:
            return checked_url(str(value))
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
    plan = load_plan(rules, None)
    return plan, load_samples(samples, plan)


def load_plan(rules: Path | None, config: Path | None) -> Plan:
    """Read rules, or else a config with the rules that it names; ends the command as :func:`load` does."""
    if rules is None:
        assert config is not None
        return load_daemon(config).plan
    found = load_rules([rules], None)
    tell(str(finding) for finding in found.findings)
    if found.plan is None:
        raise SystemExit(UNREADABLE if found.unreadable else FINDINGS)
    return found.plan


def load_daemon(config: Path) -> Loaded:
    """Read a daemon's config and rules; ends the command with exit code 1 for errors in them, 2 without a file."""
    try:
        loaded = load_files(config)
    except ConfigError as error:
        tell([str(error)])
        raise SystemExit(FINDINGS if config.is_file() else UNREADABLE) from None
    # The config's own warnings are of secrets that are missing here: who only looks needs none.
    tell(str(finding) for finding in loaded.warnings if finding.file != str(config))
    return loaded


def load_config_of(config: Path) -> Config:
    """Read a daemon's config alone; ends the command as :func:`load_daemon` does."""
    try:
        return load_settings(config)
    except ConfigError as error:
        tell([str(error)])
        raise SystemExit(FINDINGS if config.is_file() else UNREADABLE) from None


def load_samples(samples: Path, plan: Plan) -> tuple[StoredObservation, ...]:
    """Read the samples of what ``plan`` looks at; ends the command as :func:`load` does."""
    with ending_the_command():
        read = read_samples(samples, plan.indicators)
    tell(f"{samples}: {notice}" for notice in read.notices)
    return read.observations


@contextmanager
def ending_the_command() -> Iterator[None]:
    """End the command with exit code 2, and what is wrong on standard error, for an error raised on purpose."""
    try:
        yield
    except SloGuardError as error:
        tell([str(error)])
        raise SystemExit(UNREADABLE) from None


def tell(notices: Iterable[str]) -> None:
    """Write notices to standard error, so that they never mix with the answer."""
    for notice in notices:
        click.echo(sound(notice), err=True)


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
    console = CleanConsole()
    return console if console.is_terminal else CleanConsole(width=_WIDE)


def print_json(document: Any) -> None:
    """Write a document to standard output as indented JSON."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()  # what cannot be written is to be said, not found out at the very end
