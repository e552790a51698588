"""Mission Control's files that grow: the usage export with its rotation, partner tickets, and the calendar."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

from slo_guard.clock import iso
from slo_guard.demo.mission_control import MissionControl

FOLDER = "exports"
USAGE = "xai-usage"
TICKETS = "partner-tickets.jsonl"
CALENDAR = "ceremonies.csv"

_USAGE_HEADER = "time,cohort,sessions,opt_outs\n"
_CALENDAR_HEADER = "held_at,ceremony\n"
_ROTATES_EVERY = 60.0
"""Seconds of the story after which the usage export begins a new file; three old ones are kept."""

_KEPT = 3


class GrowingFiles:
    """Appends what Mission Control's files hold by any instant; one thread at a time may call it."""

    def __init__(self, folder: Path, mission: MissionControl) -> None:
        self._folder = folder / FOLDER
        self._mission = mission
        self._written_until = mission.story.history_from - 1.0
        self._rotations = 0

    def advance(self, now: float) -> None:
        """Append all rows up to ``now`` (Unix seconds) that are not written yet.

        The rows, and which file each stands in, do not depend on how often this is called; ``now`` never goes back.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._advance_usage(now)
        after, mission = self._written_until, self._mission
        tickets = (
            json.dumps(
                {
                    "ticket": event.id,
                    "partner": dict(event.labels)["partner"],
                    "kind": "support",
                    "resolved_at": iso(event.at),
                    "resolution_hours": event.value / 3600.0,
                }
            )
            + "\n"
            for event in mission.events("mpd_resolution_seconds", after, now)
        )
        _append(self._folder / TICKETS, tickets)
        held = (f"{iso(event.at)},stand-up\n" for event in mission.events("standups_held", after, now))
        _append(self._folder / CALENDAR, held, header=_CALENDAR_HEADER)
        self._written_until = now

    def _advance_usage(self, now: float) -> None:
        ticks = self._mission.story.ticks(self._written_until, now)
        sessions = self._mission.indicator("xai_sessions_total", ticks)
        opt_outs = self._mission.indicator("xai_opt_outs_total", ticks)
        lines: list[str] = []
        for position, at in enumerate(ticks.tolist()):
            while self._rotations < self._rotations_by(at):
                self._write_usage(lines)
                self._rotate()
                lines = []
            lines += [
                f"{iso(at)},{dict(labels)['cohort']},{values[position]:.0f},{opt_outs[labels][position]:.0f}\n"
                for labels, values in sessions.items()
            ]
        self._write_usage(lines)

    def _write_usage(self, lines: Iterable[str]) -> None:
        _append(self._folder / f"{USAGE}.csv", lines, header=_USAGE_HEADER)

    def _rotations_by(self, at: float) -> int:
        story = self._mission.story
        return max(0, math.floor((at - story.started_at) / story.stretch / _ROTATES_EVERY))

    def _rotate(self) -> None:
        self._rotations += 1
        (self._folder / f"{USAGE}.csv").rename(self._folder / f"{USAGE}-{self._rotations:04d}.csv")
        (self._folder / f"{USAGE}-{self._rotations - _KEPT:04d}.csv").unlink(missing_ok=True)


def _append(file: Path, lines: Iterable[str], *, header: str = "") -> None:
    text = "".join(lines)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text if stream.tell() else header + text)
