"""What the commands on a daemon's store share: the KPI or sprint asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import click

from slo_guard.cli.recorded import UNREADABLE, tell
from slo_guard.clock import iso
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.ports import Store
from slo_guard.errors import SilenceError
from slo_guard.loaded import Loaded
from slo_guard.store import open_store, open_stored
from slo_guard.validation import nearest

_LATE_SECONDS = 10.0


def named_kpi(plan: Plan, name: str, sprint: str | None, now: float) -> KPI:
    """Return the KPI ``name`` of ``sprint``; without one, of the last sprint that has it and has started at ``now``.

    Ends the command with exit code 2, and the nearest name, where there is none.
    """
    kpis = [kpi for kpi in plan.kpis if kpi.id != COLLECTOR_UP]
    if sprint is not None:
        named_sprint(plan, sprint)
        kpis = [kpi for kpi in kpis if kpi.sprint == sprint]
    found = [kpi for kpi in kpis if kpi.id == name]
    if not found:
        where = "" if sprint is None else f" in {sprint}"
        refuse(f"no KPI is called {name!r}{where}{nearest(name, (kpi.id for kpi in kpis))}")
    started = [kpi for kpi in found if plan.sprints[kpi.sprint].start_at <= now]
    return max(started or found, key=lambda kpi: plan.sprints[kpi.sprint].start_at)


def named_sprint(plan: Plan, name: str) -> Sprint:
    """Return the sprint ``name``; ends the command with exit code 2, and the nearest name, where there is none."""
    if name not in plan.sprints:
        refuse(f"no sprint is called {name!r}{nearest(name, plan.sprints)}")
    return plan.sprints[name]


def sprint_of(plan: Plan, now: float) -> Sprint:
    """Return the sprint that runs at ``now``, or the only one; ends the command with exit code 2 without either."""
    running = [each for each in plan.sprints.values() if each.start_at <= now < each.end_at]
    chosen: Iterable[Sprint] = running or plan.sprints.values()
    names = [each.id for each in chosen]
    if len(names) != 1:
        refuse(f"{'no' if not running else 'more than one'} sprint runs at {iso(now)}; name one of {', '.join(names)}")
    return plan.sprints[names[0]]


def daemon_seems_to_run(loaded: Loaded, store: Store, now: float) -> bool:
    """Whether a daemon has judged anything of late: whoever waits for it must know that one is there."""
    at = store.evaluated_at()
    return at is not None and now - at <= 3 * loaded.interval_seconds + _LATE_SECONDS


def honoured_words(loaded: Loaded, store: Store, now: float) -> str:
    """Return when what was just said counts."""
    if daemon_seems_to_run(loaded, store, now):
        return "the daemon honours it at its next evaluation"
    return "no daemon seems to run: it counts once one does"


def open_to_write(loaded: Loaded) -> Store:
    """Open the store of a daemon, which may run meanwhile; make it where no daemon has run yet."""
    path = loaded.config.store.path
    return open_stored(path) if path.exists() else open_store(path)


def end_of(duration: float | None, until: float | None, start: float) -> float:
    """Return the end that ``--for`` or ``--until`` give; raises ``SilenceError`` for neither and for both."""
    if until is not None and duration is None:
        return until
    if duration is not None and until is None:
        return start + duration
    raise SilenceError("write either --for, such as --for 2h, or --until")


def given_labels(pairs: Iterable[str]) -> dict[str, str]:
    """Return the labels of ``--label NAME=VALUE``; ends the command with exit code 2 for anything else."""
    labels: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--label")
        if labels.setdefault(name, value) != value:
            raise click.BadParameter(f"{name} is given twice", param_hint="--label")
    return labels


def refuse(message: str) -> NoReturn:
    """End the command with exit code 2 and one message on standard error."""
    tell([message])
    raise SystemExit(UNREADABLE)
