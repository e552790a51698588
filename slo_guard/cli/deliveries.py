"""``slo-guard deliveries``: what was told to whom and what became of it, and dead letters sent again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.deliveries_text import deliveries_document, print_deliveries, print_untold
from slo_guard.cli.recorded import ending_the_command, format_option, load_daemon, print_json, tell
from slo_guard.cli.stored import daemon_seems_to_run, refuse
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.alerts import Transition
from slo_guard.domain.notifications import Decision, DeliveryRecord, RowState
from slo_guard.domain.ports import Store
from slo_guard.loaded import Loaded
from slo_guard.store import open_stored
from slo_guard.validation import nearest

_MOST = 1_000_000
_MOST_ID = 2**62
_NOTHING_DONE = 1


@click.group()
def deliveries() -> None:
    """Show the messages that were planned and what became of them; send dead letters again."""


@deliveries.command("list")
@click.option("--receiver", metavar="NAME", help="Only those to this receiver.")
@click.option("--state", type=click.Choice([each.value for each in RowState]), help="Only those that stand so.")
@click.option("--sprint", metavar="NAME", help="Only those about this sprint.")
@click.option("--kpi", metavar="KPI", help="Only those about this KPI.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="The newest so many.")
@format_option
@config_option
def list_(
    *,
    receiver: str | None,
    state: str | None,
    sprint: str | None,
    kpi: str | None,
    limit: int,
    style: str,
    config_path: Path,
) -> None:
    """List messages, the newest first, from the store of a config's daemon, which may run meanwhile.

    Of one KPI it also says which changes of its alerts were not told, and why.
    """
    loaded = load_daemon(config_path)
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        found = store.deliveries(
            receiver=receiver,
            state=None if state is None else RowState(state),
            sprint=sprint,
            kpi=kpi,
            limit=limit,
        )
        untold = () if kpi is None else _untold(loaded, store, kpi, sprint, receiver, limit)
    if style == "json":
        print_json(deliveries_document(found))
        return
    if found:
        print_deliveries(found)
    else:
        tell(["no message is like that" if receiver or state or sprint or kpi else "no message has been planned yet"])
    if untold and state is None:
        print_untold(untold)


def _untold(
    loaded: Loaded, store: Store, kpi: str, sprint: str | None, receiver: str | None, limit: int
) -> list[tuple[Transition, Decision]]:
    """Return what changed of the KPI's alerts and was not told, the newest first, with why."""
    now = to_unix(utcnow())
    changes: dict[int, Transition] = {}
    for name in loaded.plan.sprints if sprint is None else (sprint,):
        changes |= {each.seq: each for each in store.kpi_transitions(name, kpi, until=now, limit=limit)}
    if not changes:
        return []
    kept = [
        (changes[each.transition], each)
        for each in store.decisions(after=min(changes) - 1)
        if each.transition in changes and each.not_told is not None and receiver in (None, each.receiver)
    ]
    return sorted(kept, key=lambda pair: (-pair[0].seq, pair[1].receiver))[:limit]


@deliveries.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1, _MOST_ID), metavar="[ID]…")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--receiver", metavar="NAME", help="All dead letters to this receiver.")
@config_option
def retry(*, ids: tuple[int, ...], everything: bool, receiver: str | None, config_path: Path) -> None:
    """Send dead letters again: those with the numbers that `deliveries list --state dead` shows.

    They keep their keys, so that a receiver that has had one can tell, and go before what waits; a daemon that runs
    sends them within seconds.

    Exit code 0: they are due again; 1: none is, or not all that were named; 2: wrong use, or a file or a store that
    cannot be read.
    """
    if sum((bool(ids), everything, receiver is not None)) != 1:
        refuse("name the dead letters by their numbers, or write --all or --receiver NAME")
    loaded, now = load_daemon(config_path), to_unix(utcnow())
    with ending_the_command(), closing(open_stored(loaded.config.store.path)) as store:
        dead = store.deliveries(state=RowState.DEAD, limit=_MOST)
        chosen, complete = _chosen(loaded, store, dead, ids, receiver)
        retried = store.retry_dead(now, ids=[each.id for each in chosen])
        running = daemon_seems_to_run(loaded, store, now)
    if not retried:
        tell(["nothing to send again"])
        sys.exit(_NOTHING_DONE)
    numbers = Counter(each.receiver for each in chosen)
    to_whom = ", ".join(f"{number} to {name}" for name, number in sorted(numbers.items()))
    when = "the daemon sends them within seconds" if running else "no daemon seems to run: they are sent once one does"
    click.echo(f"due again: {to_whom}; {when}")
    sys.exit(0 if complete else _NOTHING_DONE)


def _chosen(
    loaded: Loaded, store: Store, dead: Sequence[DeliveryRecord], ids: Sequence[int], receiver: str | None
) -> tuple[list[DeliveryRecord], bool]:
    """Return the dead letters that are meant, and whether those are all that were; says which are not and why."""
    known = {options.name for options in loaded.config.receivers}
    if receiver is not None and receiver not in known:
        refuse(f"the config has no receiver {receiver!r}{nearest(receiver, known)}")
    by_id = {each.id: each for each in dead}
    wanted = [by_id[number] for number in dict.fromkeys(ids) if number in by_id] if ids else list(dead)
    wanted = [each for each in wanted if receiver in (None, each.receiver)]
    missing = [number for number in dict.fromkeys(ids) if number not in by_id]
    tell(_why_not(store, number) for number in missing)
    gone = Counter(each.receiver for each in wanted if each.receiver not in known)
    tell(f"{number} to {name} stay as they are: the config has no such receiver" for name, number in gone.items())
    return [each for each in wanted if each.receiver in known], not (missing or (ids and gone))


def _why_not(store: Store, number: int) -> str:
    found = store.deliveries(before_id=number + 1, limit=1)
    if not found or found[0].id != number:
        return f"{number}: there is no such message; `slo-guard deliveries list --state dead` shows what there is"
    return f"{number}: is {found[0].state.value}, not dead"
