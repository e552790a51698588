"""Loads rule files: all errors of all files at once, or the plan that they make up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slo_guard.domain.builtin import BURN_ALARM, BURN_ALARM_SPEC
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import Finding
from slo_guard.located_yaml import LocatedYaml, load_file
from slo_guard.rulebook.ahead import condition_faults
from slo_guard.rulebook.budgets import burn_alarm_faults
from slo_guard.rulebook.drafts import Draft, LaneDraft, read_lane, without_nulls
from slo_guard.rulebook.kpis import KpiReader
from slo_guard.rulebook.models import LaneFile, SprintFile
from slo_guard.rulebook.sources import implied_indicators
from slo_guard.rulebook.sprints import SprintDraft, read_sprint
from slo_guard.validation import nearest

_SUFFIXES = (".yaml", ".yml")
_SPRINT_NAMES = ("sprint.yaml", "sprint.yml")
_MAX_FILES = 2000


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """What loading gave: ``plan`` is None when any finding is an error.

    ``kpi_count`` and ``lane_count``: what the files hold, right or wrong; ``unreadable``: named files and
    folders that cannot be opened or decoded, each with a finding of its own.
    """

    plan: Plan | None
    findings: tuple[Finding, ...]
    kpi_count: int = 0
    lane_count: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(slots=True)
class _Folder:
    """Everything read from the files so far."""

    findings: list[Finding] = field(default_factory=list)
    sprints: dict[str, SprintDraft] = field(default_factory=dict)
    lanes: list[LaneDraft] = field(default_factory=list)
    mended: dict[str, LocatedYaml] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    broken_sprints: bool = False


def load_rules(paths: Sequence[Path], indicators: Mapping[str, IndicatorSpec] | None) -> LoadedRules:
    """Load rule files and folders (all ``*.yaml`` and ``*.yml`` below them).

    ``indicators``: what the collectors produce, by name; None where there is no config: then the rules' own
    ``type`` and ``unit``, or their measures, say what the indicators are. A lane's file that is named alone
    finds its sprint in the ``sprint.yaml`` beside it. Never raises for anything that stands in a file.
    """
    folder = _Folder()
    files = _files(paths, folder)
    for file in files:
        _read(file, folder)
    whole = set(folder.sprints)
    _read_missing_sprints(folder, files)
    drafts = [draft for lane in folder.lanes for draft in lane.kpis]
    known = indicators
    if known is None:
        known, contradictions = implied_indicators(drafts)
        folder.findings += [draft.finding(path, message) for draft, path, message in contradictions]
    known = {**known, BURN_ALARM: BURN_ALARM_SPEC}
    kpis = _kpis(folder, known)
    by_key = _refuse_duplicates(folder)
    folder.findings += condition_faults(kpis, by_key)
    # Of a lane that is named alone nobody sees here what alerts the other lanes have.
    folder.findings += burn_alarm_faults([kpi for kpi in kpis if kpi.sprint in whole], by_key)
    if not drafts and not folder.findings:
        shown = ", ".join(str(path) for path in paths) or "no path"
        folder.findings.append(Finding(shown, 0, 0, "", "no KPI is here; write a file with lane: and kpis:"))
    findings = _final(folder)
    plan = None
    if not any(finding.severity == "error" for finding in findings):
        used = dict.fromkeys(name for kpi in kpis for name in kpi.indicators)
        sprints = {name: draft.sprint for name, draft in folder.sprints.items() if draft.sprint is not None}
        plan = Plan(sprints, tuple(kpis), {name: known[name] for name in used if name in known})
    lanes = {(lane.header.sprint, lane.header.lane) for lane in folder.lanes if lane.header is not None}
    return LoadedRules(plan, findings, len(drafts), len(lanes), tuple(folder.unreadable))


def _files(paths: Sequence[Path], folder: _Folder) -> list[Path]:
    """Return the rule files that ``paths`` name, each once, in a stable order."""
    found: dict[str, Path] = {}
    for path in paths:
        inside = _inside(path) if path.is_dir() else [path]
        if not inside:
            message = "holds no rule file (*.yaml, *.yml); name a folder such as rules/sprint-40"
            folder.findings.append(Finding(str(path), 0, 0, "", message))
        for file in inside:
            found.setdefault(os.path.realpath(file), file)
    if len(found) > _MAX_FILES:
        folder.findings.append(
            Finding(str(paths[0]), 0, 0, "", f"holds more than {_MAX_FILES:,} files; name the folder of the rules")
        )
        return []
    return list(found.values())


def _inside(path: Path) -> list[Path]:
    files: list[Path] = []
    for parent, folders, names in os.walk(path):
        # Mounted config maps keep their older versions in hidden folders.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(parent, name) for name in sorted(names) if name.endswith(_SUFFIXES) and name[0] != "."]
        if len(files) > _MAX_FILES:
            break
    return files


def _read(file: Path, folder: _Folder) -> None:
    try:
        located = load_file(file)
    except OSError as error:
        folder.unreadable.append(str(file))
        folder.findings.append(Finding(str(file), 0, 0, "", f"cannot be read: {error.strerror or error}"))
        return
    if located.undecodable:
        folder.unreadable.append(str(file))
    folder.findings += located.findings
    folder.mended[located.file] = located
    value, empty = without_nulls(located.value)
    if located.value is None:
        # A file that cannot be parsed may be a sprint's: then its lanes' complaints would only be noise.
        folder.broken_sprints |= bool(located.findings)
        if not located.findings:
            folder.findings.append(Finding(str(file), 0, 0, "", "is empty; write a sprint's or a lane's fields"))
        return
    folder.findings += [
        located.finding(path, "has no value; write one, or remove the line", key=isinstance(path[-1], str))
        for path in empty
    ]
    if not isinstance(value, dict):
        folder.findings.append(located.finding((), "write a mapping that begins with version: 1"))
    elif "collectors" in value and "kpis" not in value:
        message = "this is a config, not a rule file; write --config FILE, or name a folder of rules"
        folder.findings.append(located.finding(("collectors",), message, key=True))
    elif _is_sprint(file, value):
        _take_sprint(read_sprint(located, value), folder)
    else:
        lane = read_lane(located, value)
        folder.lanes.append(lane)
        folder.findings += lane.findings


def _is_sprint(file: Path, raw: Mapping[str, Any]) -> bool:
    """Tell a sprint's file from a lane's by what only one of them has."""
    names = raw.keys()
    lane_only = LaneFile.model_fields.keys() - SprintFile.model_fields.keys()
    sprint_only = SprintFile.model_fields.keys() - LaneFile.model_fields.keys()
    if names & lane_only and names & sprint_only:
        return not names & {"kpis", "lane"}
    return bool(names & sprint_only) or (not names & lane_only and file.name in _SPRINT_NAMES)


def _take_sprint(draft: SprintDraft, folder: _Folder) -> None:
    folder.findings += draft.findings
    if draft.id is None:
        folder.broken_sprints = True
        return
    first = folder.sprints.get(draft.id)
    if first is None:
        folder.sprints[draft.id] = draft
        return
    message = f"the sprint {draft.id!r} is already stated in {first.place}; keep one of the two files"
    folder.findings.append(draft.located.finding(("sprint",), message))


def _read_missing_sprints(folder: _Folder, files: Iterable[Path]) -> None:
    seen = {os.path.realpath(file) for file in files}
    for lane in folder.lanes:
        if lane.header is None or lane.header.sprint in folder.sprints:
            continue
        for name in _SPRINT_NAMES:
            beside = Path(lane.located.file).parent / name
            if beside.is_file() and os.path.realpath(beside) not in seen:
                seen.add(os.path.realpath(beside))
                _read(beside, folder)


def _kpis(folder: _Folder, known: Mapping[str, IndicatorSpec]) -> list[KPI]:
    kpis: list[KPI] = []
    for lane in folder.lanes:
        sprint = _sprint_of(lane, folder)
        for draft in lane.kpis:
            reader = KpiReader(draft, lane.header, lane.interval_seconds, sprint, known)
            kpi = reader.read()
            folder.findings += reader.findings
            if kpi is not None:
                kpis.append(kpi)
    return kpis


def _sprint_of(lane: LaneDraft, folder: _Folder) -> Sprint | None:
    if lane.header is None:
        return None
    found = folder.sprints.get(lane.header.sprint)
    if found is not None:
        return found.sprint
    if not folder.broken_sprints:
        name = lane.header.sprint
        hint = nearest(name, folder.sprints) if folder.sprints else "; write a sprint.yaml beside this file"
        folder.findings.append(lane.located.finding(("sprint",), f"no file states the sprint {name!r}{hint}"))
    return None


def _refuse_duplicates(folder: _Folder) -> dict[tuple[str, str], Draft]:
    """Return the first draft of each (sprint, id)."""
    first: dict[tuple[str, str], Draft] = {}
    for lane in folder.lanes:
        for draft in lane.kpis:
            if draft.id is None or lane.header is None:
                continue
            earlier = first.setdefault((lane.header.sprint, draft.id), draft)
            if earlier is not draft:
                line = earlier.located.position((*earlier.path, "kpi")).line
                message = (
                    f"the KPI {draft.id!r} of {lane.header.sprint} is already stated in {earlier.located.file}:{line}; "
                    "rename one of the two"
                )
                folder.findings.append(draft.finding(("kpi",), message))
    return first


def _final(folder: _Folder) -> tuple[Finding, ...]:
    """Return all findings once, sorted, without what only follows from a syntax error that was guessed away."""
    syntax = {finding for located in folder.mended.values() for finding in located.findings}
    noise = {(located.file, line) for located in folder.mended.values() for line in located.mended_lines}
    return tuple(sorted(item for item in set(folder.findings) if item in syntax or (item.file, item.line) not in noise))
