"""The report for people, within 80 columns, and as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from slo_guard.cli.explain_text import VERDICT_STYLES
from slo_guard.cli.status_model import AlertLine, KpiLine, Origin, Outbox, SourceLine, SprintLine, StatusReport
from slo_guard.clock import iso
from slo_guard.domain.verdicts import Verdict
from slo_guard.notify.text import cut, one_line
from slo_guard.units import format_duration

_MOST_ALERTS = 10
_MOST_OF_A_LABEL = 80
_STYLES = {verdict.label: style for verdict, style in VERDICT_STYLES.items()}
_GATES = {"go": "green", "undecided": "yellow", "no-go": "bold red"}
_BAD = "bold red"


def status_view(report: StatusReport, now: float) -> RenderableType:
    """Return what is shown: the sprints, what fires, sources and messages, and each KPI by lane, the worst first."""
    return Group(*_parts(report, now))


def _parts(report: StatusReport, now: float) -> Iterator[RenderableType]:
    if report.origin is Origin.STORE:
        seen = "nothing was judged yet" if report.at is None else f"as of {iso(int(report.at))}"
        yield Text(f"daemon not reachable: {report.unreachable}", style=_BAD)
        yield Text(f"what follows is from its store, {seen}", style="yellow")
    for sprint in report.shown_sprints:
        yield _sprint(sprint, [kpi for kpi in report.kpis if kpi.sprint == sprint.sprint])
    at = now if report.at is None else report.at
    yield from _alerts(report.alerts, at)
    yield _sources(report.sources, at)
    yield _outbox(report.outbox, at)
    shown = {sprint.sprint for sprint in report.shown_sprints}
    yield _kpis([kpi for kpi in report.kpis if kpi.sprint in shown], at, several=len(shown) > 1)
    if report.origin is Origin.DAEMON and report.at is not None:
        late = now - report.at
        told = f"judged {_age(late)} ago" if late >= 60 else f"judged at {iso(int(report.at))}"
        yield Text(f"{told} by {report.url}", style="yellow" if late >= 300 else "dim")


def _sprint(sprint: SprintLine, kpis: Sequence[KpiLine]) -> Text:
    title = one_line(sprint.title or sprint.sprint)
    line = Text.assemble((title, "bold"), f" ({sprint.sprint})" if sprint.title else "", f"\n{_left(sprint)}: ")
    counts = Counter(kpi.verdict for kpi in kpis)
    order = (*(each.label for each in sorted(Verdict, reverse=True)), None)
    for place, verdict in enumerate(each for each in order if counts[each]):
        words = "not judged" if verdict is None else verdict.replace("_", " ")
        line.append(", " if place else "")
        line.append(f"{counts[verdict]} {words}", style=_STYLES.get(verdict or "", ""))
    if sprint.go_no_go is not None:
        line.append("\ngo or no-go so far: ")
        line.append(sprint.go_no_go, style=_GATES.get(sprint.go_no_go, ""))
        line.append(f" ({sprint.go_no_go_reason})")
    return line


def _left(sprint: SprintLine) -> str:
    if sprint.state != "running" or sprint.days_left is None:
        return f"{sprint.state}, ends {iso(sprint.ends_at)}" if sprint.state != "closed" else "closed"
    days = f"{sprint.days_left} day{'' if sprint.days_left == 1 else 's'} left"
    return f"{days} with today ({sprint.work_days_left} work day{'' if sprint.work_days_left == 1 else 's'})"


def _alerts(alerts: Sequence[AlertLine], at: float) -> Iterator[Text]:
    if not alerts:
        yield Text("no alert fires", style="green")
        return
    yield Text(
        f"{len(alerts)} alert{'' if len(alerts) == 1 else 's'} fire{'s' if len(alerts) == 1 else ''}:", style=_BAD
    )
    for alert in alerts[:_MOST_ALERTS]:
        labels = ", ".join(f"{name}={cut(one_line(value), _MOST_OF_A_LABEL)}" for name, value in alert.labels.items())
        where = f" [{labels}]" if labels else ""
        kind = "" if alert.kind == "breach" else f" {alert.kind}" + (f" {alert.tier}" if alert.tier else "")
        text = Text(f"  {alert.severity or '-':<6} {alert.kpi}{kind}{where}, for {_age(at - alert.since)}")
        if alert.silenced_by is not None:
            text.append(f"  silenced (#{alert.silenced_by})", style="cyan")
        if alert.acknowledged_by is not None:
            until = "" if alert.acknowledged_until is None else f" until {iso(int(alert.acknowledged_until))}"
            text.append(f"  known to {one_line(alert.acknowledged_by)}{until}", style="cyan")
        yield text
    if len(alerts) > _MOST_ALERTS:
        yield Text(f"  and {len(alerts) - _MOST_ALERTS} more", style="dim")


def _sources(sources: Sequence[SourceLine] | None, at: float) -> Text:
    if sources is None:
        return Text("sources: only a daemon that runs knows", style="dim")
    states = Counter(source.state for source in sources)
    text = Text("sources: " + (", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"))
    for source in sources:
        if source.state == "failing":
            seen = (
                "never succeeded"
                if source.last_success is None
                else f"last success {_age(at - source.last_success)} ago"
            )
            text.append(f"\n  {source.collector}: {one_line(source.error or '')[:300]} ({seen})", style=_BAD)
    return text


def _outbox(outbox: Outbox, at: float) -> Text:
    text = Text("messages: ")
    if outbox.pending:
        age = "" if outbox.oldest_at is None else f", the oldest for {_age(at - outbox.oldest_at)}"
        text.append(f"{_numbers(outbox.pending)} wait{age}", style="yellow")
    else:
        text.append("none waits")
    if outbox.dead:
        text.append(f"; {_numbers(outbox.dead)} given up", style=_BAD)
        text.append(" (slo-guard deliveries list --state dead)")
    return text


def _numbers(by_receiver: Mapping[str, int]) -> str:
    listed = ", ".join(f"{name} {number}" for name, number in sorted(by_receiver.items()))
    return f"{sum(by_receiver.values())} ({listed})"


def _kpis(kpis: Sequence[KpiLine], at: float, *, several: bool) -> Table:
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    rows.add_column("verdict", no_wrap=True)
    rows.add_column("KPI", overflow="fold", ratio=1)
    rows.add_column("value", justify="right", overflow="fold", max_width=14)
    rows.add_column("objective", overflow="fold", max_width=18)
    rows.add_column("since", justify="right", no_wrap=True)
    for (sprint, lane), members in _by_lane(kpis):
        name = f"{lane} ({sprint})" if several else lane
        rows.add_row("", Text(name, style="bold underline"))
        for kpi in members:
            rows.add_row(*_row(kpi, at))
    return rows


def _by_lane(kpis: Sequence[KpiLine]) -> list[tuple[tuple[str, str], list[KpiLine]]]:
    """Return the lanes, that with the worst KPI first, and the KPIs of each, the worst first, else in their order."""
    lanes: dict[tuple[str, str], list[KpiLine]] = {}
    for kpi in kpis:
        lanes.setdefault((kpi.sprint, kpi.lane), []).append(kpi)
    for members in lanes.values():
        members.sort(key=lambda kpi: -kpi.badness)
    return sorted(lanes.items(), key=lambda lane: -lane[1][0].badness)


def _row(kpi: KpiLine, at: float) -> tuple[Text, Text, Text, Text, Text]:
    verdict = "not judged" if kpi.verdict is None else kpi.verdict.replace("_", " ")
    name = Text(one_line(kpi.title or kpi.kpi))
    if kpi.series > 1 and kpi.unwell_series:
        name.append(f" ({kpi.unwell_series} of {kpi.series})", style="dim")
    return (
        Text(verdict, style=_STYLES.get(kpi.verdict or "", "")),
        name,
        Text(kpi.value or "-"),
        Text(kpi.objective or "-"),
        Text("-" if kpi.since is None else _age(at - kpi.since)),
    )


def _age(seconds: float) -> str:
    """Return a span of time in at most two units, so that a column stays narrow."""
    seconds = max(0.0, seconds)
    unit = 1 if seconds < 600 else 60 if seconds < 86400 else 3600
    return format_duration(float(seconds // unit * unit))


def status_document(report: StatusReport) -> dict[str, Any]:
    """Return the JSON that scripts depend on."""
    return {
        "reachable": report.origin is Origin.DAEMON,
        "origin": report.origin.value,
        "url": report.url,
        "unreachable": report.unreachable,
        "at": _instant(report.at),
        "well": report.well,
        "sprints": [_dated(asdict(each), "ends_at") for each in report.sprints],
        "kpis": [_dated(asdict(each), "since") for each in report.kpis],
        "alerts": [
            _dated(asdict(each) | {"labels": dict(each.labels)}, "since", "acknowledged_until")
            for each in report.alerts
        ],
        "sources": None
        if report.sources is None
        else [_dated(asdict(each), "last_success") for each in report.sources],
        "outbox": {
            "pending": dict(report.outbox.pending),
            "oldest_at": _instant(report.outbox.oldest_at),
            "dead": dict(report.outbox.dead),
        },
    }


def _dated(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return document | {name: _instant(document[name]) for name in names}


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else iso(seconds)
