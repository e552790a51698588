"""The shipped rule files over many series: every KPI widened by a label, and a source that feeds each what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slo_guard.domain.builtin import BURN_ALARM, COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Plan, Selection
from slo_guard.domain.readings import (
    BoolArray,
    Collection,
    EventBatch,
    Evidence,
    FloatArray,
    Frame,
    GaugeFrame,
    IndicatorSpec,
    IndicatorType,
    Reading,
    SignOff,
)
from slo_guard.domain.series import LabelSet, SeriesIndex, label_set
from slo_guard.loaded import load_files
from tests.benchmarks.fed_values import Role, example, roles_of

CONFIG = Path(__file__).parents[2] / "config" / "slo-guard.yaml"
SHARD = "shard"
EVENTS_A_CYCLE = 3


def shipped_plan() -> tuple[Plan, frozenset[str]]:
    """Return all KPIs of the shipped rule files, each over the label ``shard`` too, and what of them people sign.

    They are read as the daemon reads them, so that a KPI that is added to the files is measured by itself.
    """
    loaded = load_files(CONFIG)
    kpis = tuple(replace(kpi, by=(*kpi.by, SHARD)) for kpi in loaded.plan.kpis if kpi.id != COLLECTOR_UP)
    by_people = {options.name for options in loaded.config.collectors if options.type == "evidence"}
    signed = (spec.name for spec in loaded.plan.indicators.values() if spec.collector in by_people)
    return replace(loaded.plan, kpis=kpis), frozenset(signed)


@dataclass(frozen=True)
class _Part:
    """The series that one selection of an indicator finds; ``bad``: which of them breach."""

    role: Role | None
    bad: BoolArray

    def values(self, number: int) -> FloatArray:
        return np.ones(len(self.bad)) if self.role is None else self.role.values(number, self.bad)


class FedIndicator:
    """One indicator, over so many series for each selection of it."""

    def __init__(self, name: str, type_: IndicatorType, plan: Plan, series: int, signed_at: float | None) -> None:
        readers = [kpi for kpi in plan.kpis if name in kpi.indicators]
        conditions = {kpi.when.kpi for kpi in plan.kpis if kpi.when is not None}
        self.name = name
        self.type = type_
        self._signed_at = signed_at
        roles: dict[Selection | None, list[Role]] = {}
        for kpi in readers:
            for selection, role in roles_of(kpi):
                if selection.indicator == name:
                    roles.setdefault(selection, []).append(role)
        # A label has the same values wherever it is: two sides of a ratio may have other readers beside it.
        listed = {each.label: each.values for kpi in plan.kpis for each in kpi.expect if each.values}
        # What a KPI folds comes as two series a group; what only names the series of others has any value.
        copies = 2 if any(kpi.combine is not None for kpi in readers) else 1
        shards = np.repeat(np.arange(series), copies)
        self._parts: list[_Part] = []
        labels: list[LabelSet] = []
        for selection, found in (roles or {None: []}).items():
            role = min(found, key=_rank) if found else None
            # Without its condition a KPI is not judged, so conditions hold for all series.
            spared = role is None or role.kpi.id in conditions
            self._parts.append(_Part(role, np.zeros(len(shards), bool) if spared else shards % 100 == 99))
            labels += _label_sets(selection, readers, listed, series, copies)
        self._index = SeriesIndex.of(labels)

    def __len__(self) -> int:
        return len(self._index)

    def frame(self, number: int, before: float, at: float) -> Frame:
        """Return what the ``number``-th collection brings, which follows on one at ``before``."""
        values = np.concatenate([part.values(number) for part in self._parts])
        if self._signed_at is not None:
            words = zip(self._index.label_sets, values.tolist(), strict=True)
            return Evidence(tuple(SignOff(each, value > 0, "Ada", self._signed_at) for each, value in words), at)
        if self.type is not IndicatorType.EVENT:
            return GaugeFrame(self._index, values, at)
        rows = np.tile(np.arange(len(values)), EVENTS_A_CYCLE)
        chance = np.random.default_rng(number)
        times, spread = np.sort(chance.uniform(before, at, len(rows))), chance.uniform(0.8, 1.2, len(rows))
        return EventBatch(self._index, rows, times, values[rows] * spread)


class FedSource:
    """Keeps the ``Collector`` port: all that a plan reads, over ``series`` series a KPI.

    ``signed``: the indicators that come as sign-offs, which are Python objects, not arrays.
    """

    name = "fed"

    def __init__(self, plan: Plan, series: int, signed: Iterable[str] = ()) -> None:
        self._before = min(sprint.start_at for sprint in plan.sprints.values())
        types = {name: kpi.type for kpi in plan.kpis for name in kpi.indicators}
        types |= {name: spec.type for name, spec in plan.indicators.items() if name in types}
        # The evaluator brings it by itself.
        types.pop(BURN_ALARM, None)
        self._fed = [
            FedIndicator(name, type_, plan, series, self._before if name in set(signed) else None)
            for name, type_ in types.items()
        ]
        self._number = 0
        self._next: tuple[Reading, ...] = ()
        self.series = sum(map(len, self._fed))
        self.indicators = tuple(IndicatorSpec(each.name, each.type, None, self.name) for each in self._fed)

    def prepare(self, at: float) -> None:
        """Make up what the collection at ``at`` brings, before its cost is measured."""
        self._next = tuple(
            Reading(each.name, self.name, at, each.frame(self._number, self._before, at)) for each in self._fed
        )
        self._number += 1
        self._before = at

    def collect(self, now: float, cursor: str | None) -> Collection:  # noqa: ARG002 - there is nowhere to go on from
        """Return one frame of each indicator, as they were prepared."""
        return Collection(self.name, now, self._next)

    def close(self) -> None:
        """Nothing is kept open."""


def _rank(role: Role) -> tuple[int, bool]:
    """Order the roles of one selection by which decides on its values: a total that stands still can be no total."""
    return ("total", "part", "of", "to", "value").index(role.part), role.kpi.objective is None


def _label_sets(
    selection: Selection | None, readers: list[KPI], listed: Mapping[str, tuple[str, ...]], series: int, copies: int
) -> list[LabelSet]:
    """Return the labels of ``copies`` series a shard, with all by which the KPIs that read them fold and select."""
    wanted = {matcher.label: example(matcher) for matcher in selection.where} if selection else {}
    names = {name for kpi in readers for name in kpi.by}
    found: list[LabelSet] = []
    for shard in range(series):
        labels = {name: f"{name}-{shard:06d}" for name in names}
        labels |= {name: values[shard % len(values)] for name, values in listed.items() if name in names}
        labels |= wanted
        found += [label_set(labels | ({"copy": str(copy)} if copies > 1 else {})) for copy in range(copies)]
    return found
