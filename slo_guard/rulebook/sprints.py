"""From a sprint's file to the domain's sprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from slo_guard.domain.calendar import day_start
from slo_guard.domain.kpi import Sprint
from slo_guard.errors import Finding
from slo_guard.located_yaml import LocatedYaml
from slo_guard.rulebook.calendar import parse_date, zone
from slo_guard.rulebook.models import SprintFile
from slo_guard.validation import checked_parts

_MAX_DAYS = 366


@dataclass(slots=True)
class SprintDraft:
    """A sprint's file: its id (None where that is wrong), its sprint (None where anything is) and what is wrong."""

    located: LocatedYaml
    id: str | None = None
    sprint: Sprint | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Where the sprint is stated: ``file:line``."""
        return f"{self.located.file}:{self.located.position(('sprint',)).line}"


def read_sprint(located: LocatedYaml, raw: Mapping[str, Any]) -> SprintDraft:
    """Return what a sprint's file says, and all that is wrong with it."""
    name = raw.get("sprint")
    draft = SprintDraft(located, name if isinstance(name, str) and name else None)
    model, faults = checked_parts(SprintFile, raw)
    draft.findings += [located.finding(fault.path, fault.message, key=fault.unknown) for fault in faults]
    timezone = _zone(draft, raw.get("timezone"))
    start, end = (_day(draft, field_name, raw.get(field_name)) for field_name in ("start", "end"))
    if start is not None and end is not None:
        if end < start:
            draft.findings.append(located.finding(("end",), f"{end} is before the start {start}; write a later day"))
        elif (end - start).days > _MAX_DAYS:
            draft.findings.append(located.finding(("end",), f"a sprint from {start} to {end} is over a year long"))
    workdays = raw.get("workdays")
    if isinstance(workdays, list) and model is not None and model.workdays is not None:
        for at, day in enumerate(workdays):
            if day in workdays[:at]:
                draft.findings.append(located.finding(("workdays", at), f"{day!r} is listed twice; keep one"))
    if draft.findings or model is None or timezone is None or start is None or end is None:
        return draft
    draft.sprint = Sprint(
        id=model.sprint,
        title=model.title or "",
        timezone=model.timezone,
        start=start,
        end=end,
        start_at=day_start(start, timezone),
        end_at=day_start(end + timedelta(days=1), timezone),
        **({"workdays": tuple(model.workdays)} if model.workdays is not None else {}),
    )
    return draft


def _zone(draft: SprintDraft, name: Any) -> ZoneInfo | None:
    if not isinstance(name, str) or not name:
        return None
    try:
        return zone(name)
    except ValueError as error:
        draft.findings.append(draft.located.finding(("timezone",), str(error)))
        return None


def _day(draft: SprintDraft, name: str, text: Any) -> date | None:
    if not isinstance(text, str):
        return None
    try:
        return parse_date(text)
    except ValueError as error:
        draft.findings.append(draft.located.finding((name,), str(error)))
        return None
