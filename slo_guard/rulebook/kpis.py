"""From a draft to a KPI: what its fields mean together with each other, the sprint and the indicators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slo_guard.domain.kpi import (
    KPI,
    Combine,
    Expected,
    Measure,
    NoData,
    NoDataThen,
    Place,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Severity,
    Single,
    Source,
    Sprint,
)
from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.errors import Finding, UnitError
from slo_guard.located_yaml import KeyPath
from slo_guard.rulebook import objectives, sources
from slo_guard.rulebook.ahead import AheadReader
from slo_guard.rulebook.amounts import misfit, unit_in_words
from slo_guard.rulebook.annotations import template_faults
from slo_guard.rulebook.budgets import BudgetReader
from slo_guard.rulebook.calendar import parse_moment
from slo_guard.rulebook.drafts import Draft
from slo_guard.rulebook.judging import JudgedBy
from slo_guard.rulebook.measures import (
    COUNTS_FROM_BASELINE,
    combine_misfit,
    parse_measure,
    result_unit,
    type_misfit,
)
from slo_guard.rulebook.models import LaneHeader
from slo_guard.rulebook.sources import Named
from slo_guard.units import RATIO, source_unit
from slo_guard.validation import nearest

DEFAULT_INTERVAL_SECONDS = 60.0
_NEWEST = frozenset({IndicatorType.GAUGE, IndicatorType.PERCENTILE})


def _measured_alike(one: IndicatorSpec, other: IndicatorSpec) -> bool:
    return one.type is other.type or {one.type, other.type} == _NEWEST


@dataclass(slots=True)
class KpiReader:
    """Checks one draft and builds its KPI; ``findings`` holds all that is wrong, wherever building stops."""

    draft: Draft
    header: LaneHeader | None
    interval_seconds: float | None
    sprint: Sprint | None
    indicators: Mapping[str, IndicatorSpec]
    findings: list[Finding] = field(default_factory=list)

    def read(self) -> KPI | None:
        """Return the KPI, or None when anything about it is an error."""
        fields, draft = self.draft.fields, self.draft
        measure, source = self._measure(), self._source()
        kind, unit = self._type_and_unit(measure, source)
        judged = JudgedBy(draft, measure, kind, unit, self._subject(measure))
        objective, warn, resolve = judged.read()
        self.findings += judged.findings
        ahead = AheadReader(draft, measure, kind, objective, self.sprint)
        pace, drift, when, exclude = ahead.pace(), ahead.drift(), ahead.when(), ahead.exclusions()
        self.findings += ahead.findings
        budgets = BudgetReader(draft, measure, source, objective, self.sprint)
        error_budget = budgets.read()
        self.findings += budgets.findings
        due_at, checkpoint_at = self._times()
        self._labels()
        cross_check = self._cross_check(source, kind, unit)
        self._fitting_fields(measure, unit)
        min_coverage = self._min_coverage()
        errors = any(finding.severity == "error" for finding in self.findings)
        incomplete = measure is None or source is None or kind is None or draft.id is None or draft.broken
        if errors or incomplete or self.header is None or self.sprint is None:
            return None
        assert measure is not None
        assert source is not None
        assert kind is not None
        assert draft.id is not None
        value_unit = result_unit(measure, kind, unit, is_quotient=isinstance(source, Quotient))
        stated = fields.objective or fields.warn
        if value_unit is None and stated is not None:
            value_unit = objectives.written(stated).unit
        applies_min_total = measure.reducer is Reducer.RATIO
        return KPI(
            id=draft.id,
            sprint=self.sprint.id,
            lane=self.header.lane,
            source=source,
            measure=measure,
            type=kind,
            unit=value_unit,
            title=fields.title or "",
            owner=self.header.owner or "",
            objective=objective,
            warn=warn,
            resolve=resolve,
            by=tuple(fields.by or ()),
            combine=Combine(fields.combine) if fields.combine else None,
            expect=self._expected(),
            for_seconds=fields.for_ or 0.0,
            keep_firing_for_seconds=fields.keep_firing_for or 0.0,
            severity=Severity(fields.severity or Severity.PAGE),
            warn_severity=Severity(fields.warn_severity or Severity.TICKET),
            no_data=self._no_data(),
            forget_after_seconds=fields.forget_after or 86400.0,
            due_at=due_at,
            checkpoint_at=checkpoint_at,
            min_samples=fields.min_samples,
            min_total=fields.min_total if applies_min_total else None,
            min_coverage=min_coverage,
            baseline=self._baseline(measure),
            pace=pace,
            drift=drift,
            when=when,
            exclude=exclude,
            error_budget=error_budget,
            cross_check=cross_check,
            interval_seconds=self.interval_seconds or DEFAULT_INTERVAL_SECONDS,
            gate=self._gates(is_judged=objective is not None),
            runbook_url=fields.runbook_url,
            annotations=dict(fields.annotations or {}),
            place=Place(draft.located.file, draft.located.position(draft.path).line, draft.located.digest),
        )

    def _say(self, path: KeyPath, message: str, *, severity: str = "error") -> None:
        self.findings.append(self.draft.finding(path, message, severity=severity))

    def _measure(self) -> Measure | None:
        if "measure" in self.draft.broken:
            return None
        try:
            return parse_measure(sources.default_measure(self.draft.fields))
        except ValueError as error:
            self._say(("measure",), str(error))
            return None

    def _source(self) -> Source | None:
        source, faults = sources.source_of(self.draft.fields, self.sprint.id if self.sprint is not None else "")
        for path, message in faults:
            self._say(path, message)
        if source is None and "indicator" not in self.draft.broken:
            self._say((), "'indicator' is missing; write indicator: NAME, {good: A, total: B} or {of: A, to: B}")
        for named in sources.names_of(self.draft.fields):
            fault = sources.unknown_indicator(named, self.indicators)
            if fault is not None:
                self._say(named.path, fault)
        return source

    def _type_and_unit(self, measure: Measure | None, source: Source | None) -> tuple[IndicatorType | None, str | None]:
        """Check each indicator against the measure and what the KPI states; returns the first one's type and unit."""
        self._stated_unit()
        if measure is not None and source is not None:
            fault = sources.measures_fit_source(measure, source)
            if fault is not None:
                self._say(("measure",), fault)
                return None, None
        known = [
            (named, self.indicators[named.name])
            for named in sources.names_of(self.draft.fields)
            if named.name in self.indicators
        ]
        for named, spec in known:
            self._agrees(named, spec)
            fault = type_misfit(measure, spec.type, spec.unit, named.name) if measure is not None else None
            if fault is not None:
                self._say(("measure",) if isinstance(source, Single) else named.path, fault)
                return None, spec.unit
        if (
            len(known) == 2
            and None not in (known[0][1].unit, known[1][1].unit)
            and known[0][1].unit != known[1][1].unit
        ):
            (part, one), (total, other) = known
            self._say(
                part.path,
                f"{part.name} is {unit_in_words(one.unit)}, but {total.name} is {unit_in_words(other.unit)}; "
                "the two sides have one unit",
            )
        pair = len(known) == 2 and isinstance(source, Quotient | RatioPair)
        if pair and not _measured_alike(known[0][1], known[1][1]):
            (side, first), (_, second) = known
            kinds = f"{first.name} is of type {first.type.value}, but {second.name} of type {second.type.value}"
            self._say(side.path, f"{kinds}; the two sides are of one type, so that both are measured alike")
            return None, None
        return (known[0][1].type, known[0][1].unit) if known else (None, None)

    def _cross_check(self, source: Source | None, kind: IndicatorType | None, unit: str | None) -> Selection | None:
        """Return what the KPI is checked against: an indicator that is measured in the same way."""
        selection, faults = sources.cross_check_of(self.draft.fields, self.sprint.id if self.sprint else "")
        for path, message in faults:
            self._say(path, message)
        if selection is None or source is None or kind is None:
            return None
        if not isinstance(source, Single):
            self._say(("cross_check",), "only a single indicator is checked against another; leave it out")
            return None
        named = Named(("cross_check",), selection.indicator)
        unknown = sources.unknown_indicator(named, self.indicators)
        if unknown is not None:
            self._say(named.path, unknown)
            return None
        spec = self.indicators[selection.indicator]
        if spec.type is not kind or (None not in (spec.unit, unit) and spec.unit != unit):
            other, own = f"{spec.type.value} {unit_in_words(spec.unit)}", f"{kind.value} {unit_in_words(unit)}"
            self._say(named.path, f"{spec.name} is a {other}, and what is checked a {own}; both are measured alike")
            return None
        return selection

    def _stated_unit(self) -> None:
        if self.draft.fields.unit is None:
            return
        try:
            base, factor = source_unit(self.draft.fields.unit)
        except UnitError as error:
            self._say(("unit",), str(error))
            return
        if factor != 1.0:
            self._say(("unit",), f"values are taken in base units; write unit: {base}, and convert in the collector")

    def _agrees(self, named: Named, spec: IndicatorSpec) -> None:
        fields, by = self.draft.fields, f" by the collector {spec.collector}" if spec.collector else ""
        if spec.collector is not None and fields.type is not None and fields.type != spec.type:
            self._say(("type",), f"{named.name} is a {spec.type.value}{by}; leave type out")
        unit = sources.stated_unit(self.draft)
        if spec.collector is not None and unit is not None and unit != spec.unit:
            self._say(("unit",), f"{named.name} is {unit_in_words(spec.unit)}{by}; leave unit out")

    def _subject(self, measure: Measure | None) -> str:
        """Return what is judged, for messages: the indicators, and how they are measured."""
        names = " / ".join(named.name for named in sources.names_of(self.draft.fields))
        return names if measure is None or measure.reducer is Reducer.LAST else f"{measure.text} of {names}"

    def _times(self) -> tuple[float | None, float | None]:
        due_at, checkpoint_at = self._moment("due"), self._moment("checkpoint")
        if (
            self.draft.fields.checkpoint is not None
            and self.draft.fields.due is None
            and "due" not in self.draft.broken
        ):
            self._say(("checkpoint",), "a checkpoint comes before a due time; write due: sprint_end as well")
        if due_at is not None and checkpoint_at is not None and checkpoint_at >= due_at:
            self._say(("checkpoint",), "the checkpoint is not before the due time; write an earlier one")
        return due_at, checkpoint_at

    def _moment(self, name: str) -> float | None:
        text = getattr(self.draft.fields, name)
        if text is None or self.sprint is None:
            return None
        try:
            instant = parse_moment(text, self.sprint)
        except ValueError as error:
            self._say((name,), str(error))
            return None
        if instant.note is not None:
            self._say((name,), instant.note, severity="warning")
        if not self.sprint.start_at < instant.at <= self.sprint.end_at:
            days = f"{self.sprint.start} to {self.sprint.end}"
            self._say((name,), f"{text} is not within {self.sprint.id} ({days}); write a time in it, or sprint_end")
        return instant.at

    def _labels(self) -> None:
        fields = self.draft.fields
        by = fields.by or []
        for at, label in enumerate(by):
            if label in by[:at]:
                self._say(("by", at), f"{label!r} is listed twice; keep one")
        for label, expected in (fields.expect or {}).items():
            if label not in by and "by" not in self.draft.broken:
                hint = nearest(label, by) if by else f"; write by: [{label}]"
                self._say(("expect", label), f"{label!r} is not a label of by{hint}")
            if isinstance(expected, list):
                if not expected or len(set(expected)) < len(expected):
                    self._say(("expect", label), "write a list of different values, such as [fs, predictive]")
                continue
            named = Named(("expect", label, "labels_of"), expected.labels_of)
            fault = sources.unknown_indicator(named, self.indicators)
            if fault is None and self.indicators[named.name].type is IndicatorType.EVENT:
                fault = (
                    f"{named.name} are events, which list no series; name an indicator that does, or list the values"
                )
            if fault is not None:
                self._say(named.path, fault)
        for name, template in (fields.annotations or {}).items():
            for fault in template_faults(template, by):
                self._say(("annotations", name), fault)

    def _expected(self) -> tuple[Expected, ...]:
        return tuple(
            Expected(label, tuple(given)) if isinstance(given, list) else Expected(label, labels_of=given.labels_of)
            for label, given in (self.draft.fields.expect or {}).items()
        )

    def _no_data(self) -> NoData:
        given, standard = self.draft.fields.no_data, NoData()
        if given is None:
            return standard
        return NoData(
            given.after if given.after is not None else standard.after_seconds,
            NoDataThen(given.then) if given.then is not None else standard.then,
            given.hold_for if given.hold_for is not None else standard.hold_for_seconds,
        )

    def _fitting_fields(self, measure: Measure | None, unit: str | None) -> None:
        """Check the fields that only some measures have; what a file's defaults give just does not apply."""
        fields = self.draft.fields
        if measure is None:
            return
        if fields.combine is not None and self.draft.owns("combine"):
            for named in sources.names_of(fields):
                spec = self.indicators.get(named.name)
                fault = combine_misfit(measure, spec.type, Combine(fields.combine), named.name) if spec else None
                if fault is not None:
                    self._say(("combine",), fault)
                    break
        if self.draft.owns("min_total") and measure.reducer is not Reducer.RATIO:
            self._say(("min_total",), "min_total is for ratios; write min_samples, or leave it out")
        counts_from = measure.reducer in COUNTS_FROM_BASELINE
        if self.draft.owns("baseline") and not counts_from:
            self._say(("baseline",), "a baseline is for increase, rate and delta; leave it out")
        if fields.baseline is not None and counts_from:
            fault = misfit(fields.baseline, unit, self._subject(measure))
            if fault is not None:
                self._say(("baseline",), fault)
        if fields.no_data is not None and fields.no_data.hold_for is not None and fields.no_data.then != "hold":
            self._say(("no_data", "hold_for"), "hold_for is for then: hold; leave it out", severity="warning")

    def _baseline(self, measure: Measure) -> float | None:
        given = self.draft.fields.baseline
        fits_measure = measure.reducer in COUNTS_FROM_BASELINE
        return given.quantity.value if given is not None and fits_measure else None

    def _gates(self, *, is_judged: bool) -> bool:
        """Whether it is part of the go/no-go; a file's defaults make no gate of what is only tracked."""
        gates = bool(self.draft.fields.gate)
        if gates and not is_judged and self.draft.owns("gate") and "objective" not in self.draft.broken:
            message = "a KPI without objective is never judged, so the gate stays undecided; write an objective as well"
            self._say(("gate",), message, severity="warning")
        return gates and (is_judged or self.draft.owns("gate"))

    def _min_coverage(self) -> float:
        given = self.draft.fields.min_coverage
        if given is None:
            return 0.9
        fault = misfit(given, RATIO, "min_coverage")
        share = given.quantity.value
        if fault is None and not 0 <= share <= 1:
            hint = (
                f"write {given.text}%" if given.quantity.unit is None and 1 < share <= 100 else "write one such as 90%"
            )
            fault = f"{given.text} is not a share from 0% to 100%; {hint}"
        if fault is not None:
            self._say(("min_coverage",), fault)
        return share
