"""``slo-guard ack``: somebody knows of an alert, so that nobody is reminded of it for a while."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.recorded import Duration, Instant, ending_the_command, format_option, load_daemon, print_json, tell
from slo_guard.cli.silence_text import labels_words, print_acknowledgements
from slo_guard.cli.stored import end_of, given_labels, honoured_words, named_kpi, refuse
from slo_guard.clock import iso, to_unix, utcnow
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.silence_requests import new_acknowledgement
from slo_guard.domain.silences import NewAcknowledgement
from slo_guard.expose.silence_answers import acknowledgement_answer
from slo_guard.silence_checks import series_meant
from slo_guard.store import open_stored

_HAD_ENDED = 1


class _KpiFirst(click.Group):
    """``ack KPI`` stands for ``ack add KPI``: who is called out of bed types little."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["add", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_KpiFirst, subcommand_metavar="KPI | list | end …")
def ack() -> None:
    """Say that you have an alert in hand: `slo-guard ack KPI --for 4h --by NAME --why TEXT` stops its reminders."""


@ack.command()
@click.argument("kpi")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only this series; repeatable.  [all]")
@click.option("--sprint", metavar="NAME", help="Which sprint's KPI.  [the last that has begun]")
@click.option("--for", "duration", type=Duration(), metavar="DURATION", help="For how long: 30m, 4h, 1d.")
@click.option("--until", type=Instant(), metavar="T", help="Until when: ISO 8601 with a zone, or Unix seconds.")
@click.option("--by", required=True, metavar="NAME", help="Who has it in hand.")
@click.option("--why", required=True, metavar="TEXT", help="What is being done.")
@config_option
def add(
    *,
    kpi: str,
    labels: tuple[str, ...],
    sprint: str | None,
    duration: float | None,
    until: float | None,
    by: str,
    why: str,
    config_path: Path,
) -> None:
    """Acknowledge what fires of KPI now: no reminders until then.

    Its end is told, and so is what begins to fire later: another series, another kind or tier, or the same again. It
    ends by itself with the alerts.

    Exit code 1: the files have errors; 2: it does not fire, wrong use, or a store that cannot be used.
    """
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    chosen = _chosen(loaded.plan, kpi, sprint, now)
    given = given_labels(labels)
    with ending_the_command():
        ends_at = end_of(duration, until, now)
        with closing(open_stored(loaded.config.store.path)) as store:
            series = series_meant(chosen, given, store.load_evaluation().alerts.values())
            asked = NewAcknowledgement(
                sprint=chosen.sprint, kpi=chosen.id, labels=series, until=ends_at, by=by, why=why
            )
            added = store.acknowledge(new_acknowledgement(asked, now), now)
            honoured = honoured_words(loaded, store, now)
    about = f"{chosen.id}, {'all that fires of it' if series is None else labels_words(series)}"
    click.echo(f"acknowledgement {added.id} of {about}: no reminders until {iso(int(added.until))}; {honoured}")


@ack.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended, as long as they are kept.")
@format_option
@config_option
def list_(*, everything: bool, style: str, config_path: Path) -> None:
    """List who has what in hand."""
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        found = store.acknowledgements(None if everything else now)
    if style == "json":
        print_json({"acknowledgements": [acknowledgement_answer(each, now) for each in found]})
    elif found:
        print_acknowledgements(found, now)
    else:
        tell(["nothing was ever acknowledged" if everything else "nothing is acknowledged"])


@ack.command()
@click.argument("number", type=int, metavar="ID")
@config_option
def end(*, number: int, config_path: Path) -> None:
    """End an acknowledgement now, so that reminders go on.

    Exit code 1: it had ended already; 2: there is none of that number, or the store cannot be used.
    """
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        before = next((each for each in store.acknowledgements() if each.id == number), None)
        if before is None:
            refuse(f"there is no acknowledgement {number}; `slo-guard ack list --all` shows what there is")
        if before.is_over(now):
            tell([f"acknowledgement {number} had ended already, at {iso(int(before.over_at))}"])
            sys.exit(_HAD_ENDED)
        store.end_acknowledgement(number, now)
        honoured = honoured_words(loaded, store, now)
    click.echo(f"ended: {number}, reminders of {before.kpi} go on; {honoured}")


def _chosen(plan: Plan, name: str, sprint: str | None, now: float) -> KPI:
    """Return the KPI that is meant; that of failing collectors belongs to no sprint."""
    built_in = [kpi for kpi in plan.kpis if kpi.id == name == COLLECTOR_UP]
    return built_in[0] if built_in else named_kpi(plan, name, sprint, now)
