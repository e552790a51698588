"""Mission Control's files, in the test's hands: exports that grow and are rotated, and the evidence that people sign."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slo_guard.clock import iso

_USAGE_HEADER = "time,cohort,sessions,opt_outs\n"
_CALENDAR_HEADER = "held_at,ceremony\n"


class MissionFiles:
    """Files below ``folder``; what a method writes is one append, as a writer that flushes does it."""

    def __init__(self, folder: Path) -> None:
        self._exports = folder / "exports"
        self._exports.mkdir()
        self._usage = self._exports / "xai-usage.csv"
        self._usage.write_text(_USAGE_HEADER, encoding="utf-8")
        self._tickets = self._exports / "partner-tickets.jsonl"
        self._tickets.touch()
        self._calendar = self._exports / "ceremonies.csv"
        self._calendar.write_text(_CALENDAR_HEADER, encoding="utf-8")
        self._evidence = folder / "evidence.yaml"
        self._evidence.write_text("# Signed by hand, and by slo-guard sign.\n", encoding="utf-8")
        self._rotations = 0
        self._resolved = 0
        self._unfinished = ""

    def report_usage(self, at: float, sessions: int, opt_outs: int, *, cohort: str = "internal") -> None:
        """Add a row with the counts of a cohort so far."""
        _append(self._usage, f"{iso(at)},{cohort},{sessions},{opt_outs}\n")

    def resolve_tickets(self, partner: str, number: int, hours: float, at: float, *, kind: str = "support") -> None:
        """Add tickets that took ``hours`` each; their numbers go on from the last one."""
        _append(self._tickets, "".join(self._ticket_rows(partner, number, hours, at, kind)))

    def begin_ticket(self, partner: str, hours: float, at: float) -> None:
        """Write the first half of a row: a writer is not always done when somebody looks. :meth:`rotate` ends it."""
        (row,) = self._ticket_rows(partner, 1, hours, at, "support")
        _append(self._tickets, row[: len(row) // 2])
        self._unfinished = row[len(row) // 2 :]

    def repeat_last_ticket(self) -> None:
        """Write the last ticket a second time, as an export that was tried again does."""
        _append(self._tickets, self._tickets.read_text(encoding="utf-8").splitlines(keepends=True)[-1])

    def hold(self, ceremony: str, at: float) -> None:
        """Enter a ceremony into the calendar."""
        _append(self._calendar, f"{iso(at)},{ceremony}\n")

    def rotate(self) -> None:
        """Put usage and tickets aside under other names, as log-rotate does, and begin new files.

        A row that was begun is ended in the file that was put aside: its writer still has that one open.
        """
        self._rotations += 1
        for file, header, rest in ((self._usage, _USAGE_HEADER, ""), (self._tickets, "", self._unfinished)):
            aside = file.with_stem(f"{file.stem}-{self._rotations}")
            file.rename(aside)
            _append(aside, rest)
            file.write_text(header, encoding="utf-8")
        self._unfinished = ""

    def sign(self, indicator: str, when: float, *, value: bool = True, **labels: str) -> None:
        """Sign by hand: an entry at the end of the evidence, in an editor that replaces the file."""
        entry: dict[str, Any] = {"indicator": indicator, "value": value, "by": "Ada Example", "when": iso(when)}
        if labels:
            entry["labels"] = labels
        text = self._evidence.read_text(encoding="utf-8") + f"- {json.dumps(entry)}\n"
        edited = self._evidence.with_suffix(".edited")
        edited.write_text(text, encoding="utf-8")
        edited.rename(self._evidence)

    def _ticket_rows(self, partner: str, number: int, hours: float, at: float, kind: str) -> Iterable[str]:
        for _ in range(number):
            self._resolved += 1
            row = {"ticket": f"T-{self._resolved}", "partner": partner, "kind": kind}
            yield json.dumps({**row, "resolved_at": iso(at), "resolution_hours": hours}) + "\n"


def _append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)
