"""The next sprint's rule files: the text of the last one's with its name changed and every date moved.

The text is changed in place, so that comments, order and spelling stay as people wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from slo_guard.located_yaml import KeyPath, load_text, path_text
from slo_guard.rulebook.calendar import parse_date

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_KPI_DATES = ("due", "checkpoint")


@dataclass(frozen=True, slots=True)
class Change:
    """One value that was changed: where it stands, what it was and what it is."""

    line: int
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A rule file's text for the next sprint; ``stuck`` names dates that could not be changed in place, with lines."""

    text: str
    changes: tuple[Change, ...]
    stuck: tuple[str, ...]


def sprint_of(text: str, file: str) -> tuple[str, date] | None:
    """Return the id and first day that a sprint's file states; None for any other file."""
    value = load_text(text, file).value
    if not isinstance(value, dict) or "start" not in value or "sprint" not in value:
        return None
    try:
        return str(value["sprint"]), parse_date(str(value["start"]))
    except ValueError:
        return None


def moved(text: str, file: str, name: str, before: str, days: timedelta) -> Moved:
    """Return a rule file's text in which the sprint ``before`` is ``name`` and every date is ``days`` later."""
    located = load_text(text, file)
    lines = text.splitlines(keepends=True)
    changes: list[Change] = []
    stuck: list[str] = []
    for path, old, new in _wanted(located.value, name, before, days):
        place = located.position(path)
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        begin = line.find(old, max(0, place.column - 1))
        between = line[place.column - 1 : begin] if begin >= 0 else "x"
        if located.position(path) == located.position(path[:-1]) or between.strip("\"'"):
            stuck.append(f"{file}:{place.line}: {path_text(path)}")
            continue
        lines[place.line - 1] = line[:begin] + new + line[begin + len(old) :]
        changes.append(Change(place.line, path_text(path), old, new))
    return Moved("".join(lines), tuple(changes), tuple(stuck))


def _wanted(value: Any, name: str, before: str, days: timedelta) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield what is to be changed, the last of each line first, so that the places of the others stay right."""
    found = [*_values(value, name, before, days)]
    yield from reversed(found)


def _values(value: Any, name: str, before: str, days: timedelta) -> Iterator[tuple[KeyPath, str, str]]:
    if not isinstance(value, dict):
        return
    if value.get("sprint") == before:
        yield ("sprint",), before, name
    for field in ("start", "end"):
        yield from _date((field,), value.get(field), days)
    yield from _fields(("defaults",), value.get("defaults"), days)
    for position, kpi in enumerate(value.get("kpis") or ()):
        yield from _fields(("kpis", position), kpi, days)


def _fields(path: KeyPath, fields: Any, days: timedelta) -> Iterator[tuple[KeyPath, str, str]]:
    if not isinstance(fields, dict):
        return
    for name, given in fields.items():
        if name in _KPI_DATES:
            yield from _date((*path, name), given, days)
        elif name == "exclude" and isinstance(given, list):
            for position, stretch in enumerate(given):
                for edge in ("from", "to"):
                    if isinstance(stretch, dict):
                        yield from _date((*path, name, position, edge), stretch.get(edge), days)


def _date(path: KeyPath, given: Any, days: timedelta) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield a date, or the date of a date and time, moved; ``sprint_end`` moves with the sprint."""
    match = _DATE.match(given) if isinstance(given, str) else None
    if match is None:
        return
    try:
        day = date.fromisoformat(match[0])
    except ValueError:
        return
    yield path, given, f"{day + days}{given[match.end() :]}"
