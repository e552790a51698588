"""From a parsed rule file to drafts: KPIs with the file's defaults merged in, each field checked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from slo_guard.errors import Finding
from slo_guard.located_yaml import KeyPath, LocatedYaml
from slo_guard.rulebook.models import DefaultFields, KpiFields, KpiName, KpiRule, LaneFile, LaneHeader
from slo_guard.validation import Problem, checked_parts, leave_out

_MERGED_BY_KEY = ("no_data", "annotations", "where", "expect")
# Their scalars are names or quantities: 1.10 stays "1.10", and a label's value 500 is the text "500".
_AS_WRITTEN = frozenset(
    {"where", "expect", "objective", "warn", "resolve", "baseline", "min_coverage", "annotations", "cross_check"}
)
_HINTS = {
    "id": "write kpi for the KPI's id",
    "name": "write kpi for its id, title for its name for people",
    "interval": "it is the whole file's; write it beside lane",
    "owner": "it is the whole file's; write it beside lane",
    "threshold": "write objective: {at_most: …}",
    "target": "write objective: {at_most: …}",
    "window": "it is part of the measure; write measure: increase over sprint",
    "labels": "write by: [labels] to split the KPI, where: {label: value} to select series",
    "query": "queries stand in the config's collectors; write indicator: NAME",
    "description": "write annotations: {description: …}",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """One KPI of a file with its defaults: fields that are right by themselves.

    ``id`` is None where it is missing or wrong. ``broken`` names the fields that were left out since they are
    wrong; what depends on them cannot be judged. ``inherited`` are the relative paths that defaults gave.
    """

    located: LocatedYaml
    path: KeyPath
    id: str | None
    fields: KpiFields
    broken: frozenset[str]
    inherited: frozenset[KeyPath]

    def owns(self, name: str) -> bool:
        """Whether the KPI states the field itself, rather than its file's defaults."""
        return name in self.fields.model_fields_set and (name,) not in self.inherited

    def finding(self, path: KeyPath, message: str, *, key: bool = False, severity: str = "error") -> Finding:
        """Return a finding about the KPI's value at ``path``, at the place that gave it."""
        return _at(self.located, self.path, path, self.inherited, message, key=key, severity=severity)


@dataclass(slots=True)
class LaneDraft:
    """A lane's file: its head (None where that is wrong), its KPIs and all that is wrong so far."""

    located: LocatedYaml
    header: LaneHeader | None = None
    interval_seconds: float | None = None
    kpis: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_lane(located: LocatedYaml, raw: Mapping[str, Any]) -> LaneDraft:
    """Return the drafts of a lane's file."""
    lane = LaneDraft(located)
    document = dict(raw)
    defaults, kpis = document.pop("defaults", None), document.pop("kpis", None)
    lane.header, faults = checked_parts(LaneHeader, document, LaneFile)
    lane.findings += [located.finding(fault.path, fault.message, key=fault.unknown) for fault in faults]
    common = _read_defaults(lane, defaults)
    _read_interval(lane, common)
    if not isinstance(kpis, list) or not kpis:
        lane.findings.append(located.finding(("kpis",), "write a list with at least one KPI, each '- kpi: its_id'"))
        return lane
    for at, entry in enumerate(kpis):
        path = ("kpis", at)
        if isinstance(entry, dict):
            lane.kpis.append(_read_kpi(lane, path, entry, common))
        else:
            lane.findings.append(located.finding(path, "write a mapping that begins with '- kpi: its_id'"))
    return lane


def without_nulls(value: Any, path: KeyPath = ()) -> tuple[Any, list[KeyPath]]:
    """Return ``value`` without the fields that have no value, and the paths of those."""
    if isinstance(value, dict):
        kept, empty = {}, []
        for name, inner in value.items():
            if inner is None:
                empty.append((*path, name))
                continue
            kept[name], deeper = without_nulls(inner, (*path, name))
            empty += deeper
        return kept, empty
    if isinstance(value, list):
        parts = [without_nulls(inner, (*path, at)) for at, inner in enumerate(value)]
        gone = [(*path, at) for at, inner in enumerate(value) if inner is None]
        return [part for part, _ in parts], gone + [deeper for _, empty in parts for deeper in empty]
    return value, []


def _read_defaults(lane: LaneDraft, raw: Any) -> dict[str, Any]:
    """Return the defaults that are right, as written."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        lane.findings.append(lane.located.finding(("defaults",), "write a mapping such as {severity: page, for: 5m}"))
        return {}
    document = {name: _prepared(lane.located, name, value, ("defaults", name)) for name, value in raw.items()}
    _, faults = _checked_kpi(DefaultFields, document, DefaultFields)
    prefix: KeyPath = ("defaults",)
    lane.findings += [
        lane.located.finding((*prefix, *fault.path), fault.message, key=fault.unknown) for fault in faults
    ]
    for fault in faults:
        leave_out(document, fault)
    return document


def _read_interval(lane: LaneDraft, common: dict[str, Any]) -> None:
    stated = common.pop("interval", None)
    inherited = DefaultFields.model_validate({"interval": stated}).interval if stated is not None else None
    own = lane.header.interval if lane.header is not None else None
    if own is not None and inherited is not None and own != inherited:
        message = "interval and defaults.interval mean the same and differ; keep one of them"
        lane.findings.append(lane.located.finding(("defaults", "interval"), message))
    lane.interval_seconds = own if own is not None else inherited


def _read_kpi(lane: LaneDraft, path: KeyPath, entry: dict[str, Any], common: Mapping[str, Any]) -> Draft:
    own = {name: _prepared(lane.located, name, value, (*path, name)) for name, value in entry.items()}
    name, name_faults = checked_parts(KpiName, {"kpi": own.pop("kpi")} if "kpi" in own else {})
    merged, inherited = _merged(common, own)
    fields, faults = _checked_kpi(KpiFields, merged, KpiRule)
    lane.findings += [
        _at(lane.located, path, fault.path, inherited, fault.message, key=fault.unknown)
        for fault in (*name_faults, *faults)
    ]
    broken = frozenset(str(fault.path[0]) for fault in faults if fault.path)
    return Draft(lane.located, path, name.kpi if name else None, fields or KpiFields(), broken, inherited)


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[KeyPath]]:
    merged = dict(own)
    inherited: set[KeyPath] = set()
    for name, value in common.items():
        if name not in own:
            merged[name] = value
            inherited.add((name,))
        elif name in _MERGED_BY_KEY and isinstance(value, dict) and isinstance(own[name], dict):
            merged[name] = {**value, **own[name]}
            inherited |= {(name, key) for key in value.keys() - own[name].keys()}
    return merged, frozenset(inherited)


def _checked_kpi(
    model: type[KpiFields], document: dict[str, Any], named_after: type[BaseModel]
) -> tuple[KpiFields | None, list[Problem]]:
    fields, faults = checked_parts(model, dict(document), named_after)
    return fields, [_reworded(fault) for fault in faults]


def _prepared(located: LocatedYaml, name: str, value: Any, path: KeyPath) -> Any:
    return _as_written(located, value, path) if name in _AS_WRITTEN else value


def _as_written(located: LocatedYaml, value: Any, path: KeyPath) -> Any:
    if isinstance(value, dict):
        return {name: _as_written(located, inner, (*path, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(located, inner, (*path, at)) for at, inner in enumerate(value)]
    # An objective given as a bare number keeps its type, so that the message can name what is missing.
    return value if path[-1] in ("objective", "warn", "resolve") else located.written.get(path, value)


def _reworded(fault: Problem) -> Problem:
    name = fault.path[-1] if fault.path else ""
    hint = _HINTS.get(name) if fault.unknown and isinstance(name, str) and len(fault.path) == 1 else None
    return Problem(fault.path, f"unknown field {name!r}; {hint}", True) if hint else fault


def _places(path: KeyPath, inherited: frozenset[KeyPath]) -> Iterator[KeyPath]:
    yield from (path[:length] for length in range(1, len(path) + 1) if path[:length] in inherited)


def _at(
    located: LocatedYaml,
    kpi: KeyPath,
    path: KeyPath,
    inherited: frozenset[KeyPath],
    message: str,
    *,
    key: bool = False,
    severity: str = "error",
) -> Finding:
    prefix: KeyPath = ("defaults",) if any(_places(path, inherited)) else kpi
    return located.finding((*prefix, *path), message, key=key, severity=severity)
