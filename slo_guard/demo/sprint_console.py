"""What ``demo --speed`` shows: each simulated day, what happens in it, each message in a line, and how it all ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from slo_guard.clock import from_unix
from slo_guard.demo.console import mrkdwn, slack_panel
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.speed import SprintRun
from slo_guard.demo.world.story import Episode
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import Sprint
from slo_guard.domain.verdicts import Verdict, VerdictFrame
from slo_guard.evaluate.worst_first import worst_row
from slo_guard.notify.text import objective_words, value_text
from slo_guard.units import format_duration

_WIDTH = 120
_DAY_SECONDS = 86400.0
_STYLES = {
    Verdict.MET: "green",
    Verdict.AT_RISK: "yellow",
    Verdict.INSUFFICIENT: "magenta",
    Verdict.NO_DATA: "bold red",
    Verdict.MISSED: "bold red",
}
_CLOSED = "Sprint closed"


class SprintConsole:
    """Writes what happens in ``sprint``, in its local time; safe to call from several threads."""

    def __init__(self, sprint: Sprint, console: Console | None = None) -> None:
        self._sprint = sprint
        self._zone = ZoneInfo(sprint.timezone)
        self._console = console or _console()
        self._status = self._console.status("")
        self._day = ""

    def introduce(self, speed: float, adapted: Sequence[str]) -> None:
        """Print what is going to happen."""
        pace = "as fast as it goes" if math.isinf(speed) else f"{speed:,.0f} simulated seconds a second"
        self._print(Text(f"slo_guard through a whole sprint: {self._sprint.title}", style="bold"))
        self._print(Text(f"{self._sprint.start} to {self._sprint.end}, {pace}; times are {self._sprint.timezone}.\n"))
        self._print(Text("The rules are those that are shipped, except that " + "; ".join(adapted) + ".", style="dim"))
        self._print(Text("Slack shows its messages in a line each. Ctrl-C stops the demo.\n"))

    def message(self, received: Received) -> None:
        """Print a message that the Slack stand-in got: in a line, but the sprint's close in full."""
        text = str(received.message.get("text", ""))
        if not received.accepted:
            answer = received.fault or f"429, Retry-After: {received.retry_after}; it has to come again"
            self._line(received.at, "Slack", Text(f"answered {answer}", style="magenta"))
        elif _CLOSED in text:
            self._print(slack_panel(received))
        else:
            self._line(received.at, "Slack", mrkdwn(text))

    def episode(self, episode: Episode, at: float, begins: bool) -> None:
        """Print that an episode begins or has ended."""
        said = Text(episode.says) if begins else Text(episode.ends_with, style="green")
        self._line(at, episode.kpi, said, style="dim cyan")

    def step(self, run: SprintRun, at: float) -> None:
        """Show that a step begins: each day what was found before it, and in a terminal the simulated time."""
        local = self._local(at)
        day = local.strftime("%a %Y-%m-%d")
        if day != self._day:
            self._day = day
            number = int((at - self._sprint.start_at) // _DAY_SECONDS) + 1
            days = round((self._sprint.end_at - self._sprint.start_at) / _DAY_SECONDS)
            place = f"day {number} of {days}" if 1 <= number <= days else "before it" if number < 1 else "after it"
            self._print(Text.assemble((f"{day}, {place}  ", "bold"), (_tally(run.frames.values()), "dim")))
        if self._console.is_terminal:
            self._status.update(f"{local:%a %Y-%m-%d %H:%M %Z}  {run.evaluations:,} evaluations")
            self._status.start()

    def finish(self, run: SprintRun, spent: Mapping[str, float]) -> None:
        """Print how every KPI ended, and what the run did and cost."""
        self._print(Padding(_final_table(run.frames.values()), (1, 0)))
        self._print(
            Text(
                f"{run.evaluations:,} evaluations of {len(run.frames)} KPIs, {run.collections:,} collections, "
                f"{run.transitions:,} transitions and {run.messages:,} messages in {format_duration(run.seconds)}."
            )
        )
        shares = ", ".join(f"{job} {seconds / sum(spent.values()):.0%}" for job, seconds in spent.items())
        self._print(Text(f"Where the time went: {shares}.", style="dim"))

    def stop(self) -> None:
        """Show nothing that moves any more; idempotent."""
        self._status.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        self._print(Text(text))

    def _line(self, at: float, who: str, what: Text, style: str = "cyan") -> None:
        self._print(Text.assemble((f"  {self._local(at):%a %H:%M}  ", "dim"), (f"{who}  ", style), what))

    def _local(self, at: float) -> datetime:
        return from_unix(at).astimezone(self._zone)

    def _print(self, what: RenderableType) -> None:
        self._console.print(what, width=min(self._console.width, _WIDTH))


def _tally(frames: Iterable[VerdictFrame]) -> str:
    """Return how many KPIs have which verdict, worst first."""
    counted = Counter(frame.worst for frame in frames)
    words = (f"{counted[verdict]} {verdict.label.replace('_', ' ')}" for verdict in sorted(counted, reverse=True))
    return ", ".join(words)


def _final_table(frames: Iterable[VerdictFrame]) -> Table:
    """Return how each KPI stands, lane by lane; one over several series shows its worst."""
    table = Table(title="How it ended", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("lane", "KPI", "verdict", "value", "objective", "judged"):
        table.add_column(name, overflow="fold")
    lane = ""
    for frame in sorted(frames, key=lambda frame: frame.kpi.lane):
        kpi = frame.kpi
        if kpi.id == COLLECTOR_UP:
            continue
        worst = frame.row(worst_row(frame))
        objective = kpi.objective.text if kpi.objective is not None else ""
        table.add_row(
            kpi.lane if kpi.lane != lane else "",
            kpi.id,
            Text(worst.verdict.label, style=_STYLES.get(worst.verdict, "")),
            value_text(worst.value, kpi.unit, objective),
            objective_words(objective),
            "for good" if frame.final else "goes on",
        )
        lane = kpi.lane
    return table


def _console() -> Console:
    """Return where all goes: standard output, with room enough for most messages where that is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH)
