"""``slo-guard silence``: messages of some alerts kept back for a while, by somebody and for a reason."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.recorded import Duration, Instant, ending_the_command, format_option, load_daemon, print_json, tell
from slo_guard.cli.silence_text import firing_words, print_silences
from slo_guard.cli.stored import end_of, honoured_words, open_to_write, refuse
from slo_guard.clock import iso, to_unix, utcnow
from slo_guard.domain.silence_requests import new_silence, parse_matcher
from slo_guard.errors import SilenceError
from slo_guard.expose.silence_answers import silence_answer
from slo_guard.silence_checks import kept_back_by, unseen_values, why_it_matches_nothing
from slo_guard.store import open_stored
from slo_guard.units import format_duration

_HAD_ENDED = 1


@click.group()
def silence() -> None:
    """Keep messages of alerts back for a while; what still fires afterwards is told then."""


@silence.command()
@click.argument("matchers", nargs=-1, metavar="MATCHER…")
@click.option("--for", "duration", type=Duration(), metavar="DURATION", help="For how long: 30m, 2h, 1d.")
@click.option("--until", type=Instant(), metavar="T", help="Until when: ISO 8601 with a zone, or Unix seconds.")
@click.option("--starts", type=Instant(), metavar="T", help="From when.  [now]")
@click.option("--by", required=True, metavar="NAME", help="Who silences them.")
@click.option("--why", required=True, metavar="TEXT", help="Why.")
@click.option("--force", is_flag=True, help="Also where no rule has such a KPI, lane, sprint or label.")
@config_option
def add(
    *,
    matchers: tuple[str, ...],
    duration: float | None,
    until: float | None,
    starts: float | None,
    by: str,
    why: str,
    force: bool,
    config_path: Path,
) -> None:
    """Silence the alerts that meet every MATCHER: label=value, label=!value or label=~regex.

    The labels are those of the series, and sprint, lane, kpi, severity, kind (breach, risk, burn) and tier. A daemon
    that runs honours it at its next evaluation. Alerts fire on meanwhile, and are shown; that one which was told has
    ended is told all the same.

    Exit code 1: the files have errors; 2: wrong use, or a file or a store that cannot be used.
    """
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    starts_at = now if starts is None else starts
    with ending_the_command():
        found = [parse_matcher(text) for text in matchers]
        ends_at = end_of(duration, until, starts_at)
        asked = new_silence(found, starts_at=starts_at, ends_at=ends_at, by=by, why=why, now=now)
        unmatched = why_it_matches_nothing(found, loaded.plan)
        if unmatched is not None and not force:
            raise SilenceError(f"{unmatched}; with --force it is taken all the same")
        with closing(open_to_write(loaded)) as store:
            added = store.add_silence(asked, now)
            left = store.load_evaluation()
            honoured = honoured_words(loaded, store, now)
    tell([unmatched] if unmatched else [])
    tell(unseen_values(found, (memory.index for memory in left.memories.values())))
    firing = kept_back_by(added, left.alerts.values(), loaded.plan)
    lasts = format_duration(added.ends_at - added.starts_at)
    click.echo(
        f"silence {added.id} from {iso(int(added.starts_at))} until {iso(int(added.ends_at))}, {lasts}; {honoured}"
    )
    click.echo(
        f"firing now and silenced by it: {firing_words(firing)}" if firing else "nothing that it matches fires now"
    )


@silence.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended, as long as they are kept.")
@format_option
@config_option
def list_(*, everything: bool, style: str, config_path: Path) -> None:
    """List the silences that are active or pending."""
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        found = store.silences(None if everything else now)
        alerts = store.load_evaluation().alerts.values() if style == "table" and found else ()
    if style == "json":
        print_json({"silences": [silence_answer(each, now) for each in found]})
    elif found:
        print_silences(found, lambda each: len(kept_back_by(each, alerts, loaded.plan)), now)
    else:
        tell(["nothing was ever silenced" if everything else "nothing is silenced"])


@silence.command()
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID…")
@config_option
def expire(*, ids: tuple[int, ...], config_path: Path) -> None:
    """End silences now: what they kept back and still fires is told at the next evaluation.

    Exit code 1: one had ended already; 2: there is none of that number, or the store cannot be used.
    """
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        known = {each.id: each for each in store.silences()}
        missing = [number for number in ids if number not in known]
        if missing:
            refuse(f"there is no silence {missing[0]}; `slo-guard silence list --all` shows what there is")
        over = [known[number] for number in dict.fromkeys(ids) if known[number].is_over(now)]
        for number in ids:
            store.expire_silence(number, now)
        honoured = honoured_words(loaded, store, now)
    ended = [str(number) for number in dict.fromkeys(ids) if not known[number].is_over(now)]
    if ended:
        click.echo(f"ended: {', '.join(ended)}; {honoured}")
    tell(f"silence {each.id} had ended already, at {iso(int(each.over_at))}" for each in over)
    sys.exit(_HAD_ENDED if over else 0)
