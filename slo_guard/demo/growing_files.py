"""Mission Control's files that grow: usage and partner tickets with their rotation, and the calendar."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

from slo_guard.clock import iso
from slo_guard.demo.mission_control import MissionControl
from slo_guard.demo.world.series import Event
from slo_guard.demo.world.story import Story

FOLDER = "exports"
USAGE = "xai-usage"
TICKETS = "partner-tickets"
CALENDAR = "ceremonies"

_ROTATES_EVERY = 60.0
"""Seconds of the story after which a file is put aside with the next row; three old ones are kept."""

_KEPT = 3


class GrowingFiles:
    """Appends what Mission Control's files hold by any instant; one thread at a time may call it."""

    def __init__(self, folder: Path, mission: MissionControl) -> None:
        story = mission.story
        self._folder = folder / FOLDER
        self._mission = mission
        self._written_until = story.history_from - 1.0
        self._usage = _Rotated(self._folder / f"{USAGE}.csv", "time,cohort,sessions,opt_outs\n", story)
        self._tickets = _Rotated(self._folder / f"{TICKETS}.jsonl", "", story)

    def advance(self, now: float) -> None:
        """Append all rows up to ``now`` (Unix seconds) that are not written yet.

        The rows, and which file each stands in, do not depend on how often this is called; ``now`` never goes back.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        mission, after = self._mission, self._written_until
        self._usage.append(self._usage_rows(now))
        self._tickets.append(
            (event.at, _ticket(event)) for event in mission.events("mpd_resolution_seconds", after, now)
        )
        held = "".join(f"{iso(event.at)},stand-up\n" for event in mission.events("standups_held", after, now))
        _append(self._folder / f"{CALENDAR}.csv", held, header="held_at,ceremony\n")
        self._written_until = now

    def _usage_rows(self, now: float) -> Iterable[tuple[float, str]]:
        ticks = self._mission.story.ticks(self._written_until, now)
        sessions = self._mission.indicator("xai_sessions_total", ticks)
        opt_outs = self._mission.indicator("xai_opt_outs_total", ticks)
        for position, at in enumerate(ticks.tolist()):
            for labels, values in sessions.items():
                counted = f"{values[position]:.0f},{opt_outs[labels][position]:.0f}"
                yield at, f"{iso(at)},{dict(labels)['cohort']},{counted}\n"


class _Rotated:
    """A file to which rows are appended, and which is renamed from time to time."""

    def __init__(self, file: Path, header: str, story: Story) -> None:
        self._file = file
        self._header = header
        self._story = story
        self._rotations = 0

    def append(self, rows: Iterable[tuple[float, str]]) -> None:
        """Append rows, each with its instant, ascending; the first row after a rotation begins a new file."""
        text: list[str] = []
        for at, row in rows:
            due = max(0, math.floor((at - self._story.started_at) / self._story.stretch / _ROTATES_EVERY))
            if due > self._rotations:
                _append(self._file, "".join(text), header=self._header)
                text = []
                self._rotate(due)
            text.append(row)
        _append(self._file, "".join(text), header=self._header)

    def _rotate(self, number: int) -> None:
        self._rotations = number
        self._file.rename(self._aside(number))
        kept = sorted(self._file.parent.glob(f"{self._file.stem}-*{self._file.suffix}"))
        for old in kept[:-_KEPT]:
            old.unlink()

    def _aside(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.stem}-{number:04d}{self._file.suffix}")


def _ticket(event: Event) -> str:
    ticket = {
        "ticket": event.id,
        "partner": dict(event.labels)["partner"],
        "kind": "support",
        "resolved_at": iso(event.at),
        "resolution_hours": event.value / 3600.0,
    }
    return json.dumps(ticket) + "\n"


def _append(file: Path, text: str, *, header: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text if stream.tell() else header + text)
