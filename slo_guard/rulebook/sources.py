"""Where a KPI's number comes from: selections of indicators, and what is known of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slo_guard.domain.builtin import BURN_ALARM, of_sprint
from slo_guard.domain.kpi import (
    Matcher,
    MatchOp,
    Measure,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Single,
    Source,
)
from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.errors import UnitError
from slo_guard.located_yaml import KeyPath
from slo_guard.patterns import PatternError, compile_pattern
from slo_guard.rulebook.drafts import Draft
from slo_guard.rulebook.measures import BOOL, COUNTER, allowed_types, implied_type, parse_measure
from slo_guard.rulebook.models import KpiFields, PairFields, QuotientFields, SelectionFields
from slo_guard.units import source_unit
from slo_guard.validation import nearest


@dataclass(frozen=True, slots=True)
class Named:
    """An indicator's name in a rule file: its path within the KPI."""

    path: KeyPath
    name: str


def names_of(fields: KpiFields) -> Iterator[Named]:
    """Yield the indicators that a KPI measures."""
    if isinstance(fields.indicator, str):
        yield Named(("indicator",), fields.indicator)
    elif fields.indicator is not None:
        for side in ("of", "to") if isinstance(fields.indicator, QuotientFields) else ("good", "bad", "total"):
            given = getattr(fields.indicator, side)
            if isinstance(given, SelectionFields):
                yield Named(("indicator", side, "indicator"), given.indicator)
            elif given is not None:
                yield Named(("indicator", side), given)


def cross_check_of(fields: KpiFields, sprint: str) -> tuple[Selection | None, list[tuple[KeyPath, str]]]:
    """Return the series that a KPI is checked against (None where it states none) and what is wrong with them."""
    given = fields.cross_check
    if given is None:
        return None, []
    name = given if isinstance(given, str) else given.indicator
    where = (fields.where or {}) if isinstance(given, str) else given.where
    found, faults = _matchers(where, ("cross_check", "where") if not isinstance(given, str) else ("where",))
    built_in = (of_sprint(sprint),) if name == BURN_ALARM else ()
    return Selection(name, (*(found if name != BURN_ALARM else ()), *built_in)), faults


def source_of(fields: KpiFields, sprint: str = "") -> tuple[Source | None, list[tuple[KeyPath, str]]]:
    """Return the domain's source (None where the KPI states none) and what is wrong with its ``where``.

    ``sprint``: whose burn alarms are meant by the built-in indicator.
    """
    common, faults = _matchers(fields.where or {}, ("where",))
    given = fields.indicator
    if given is None:
        return None, faults
    if isinstance(given, str):
        built_in = (of_sprint(sprint),) if given == BURN_ALARM else ()
        return Single(Selection(given, (*common, *built_in))), faults
    names = ("of", "to") if isinstance(given, QuotientFields) else (_part_of(given), "total")
    sides = []
    for side in names:
        stated = getattr(given, side)
        own, more = _matchers(stated.where, ("indicator", side, "where")) if not isinstance(stated, str) else ((), [])
        faults += more
        stated_labels = {matcher.label for matcher in own}
        kept = tuple(matcher for matcher in common if matcher.label not in stated_labels)
        sides.append(Selection(stated if isinstance(stated, str) else stated.indicator, (*kept, *own)))
    if isinstance(given, QuotientFields):
        return Quotient(sides[0], sides[1]), faults
    return RatioPair(sides[0], sides[1], _part_of(given)), faults


def _part_of(pair: PairFields) -> str:
    return "good" if pair.good is not None else "bad"


def _matchers(where: Mapping[str, str], path: KeyPath) -> tuple[tuple[Matcher, ...], list[tuple[KeyPath, str]]]:
    found, faults = [], []
    for label, text in where.items():
        if text.startswith(("!~", "~!")):
            faults.append(((*path, label), f"{text!r}: a negated regex is not supported; write !value or ~regex"))
        elif text.startswith("~"):
            fault = _regex_fault(text[1:])
            if fault is not None:
                faults.append(((*path, label), fault))
            found.append(Matcher(label, MatchOp.REGEX, text[1:]))
        elif text.startswith("!"):
            found.append(Matcher(label, MatchOp.NOT_EQUAL, text[1:]))
        else:
            found.append(Matcher(label, MatchOp.EQUAL, text))
    return tuple(found), faults


def _regex_fault(pattern: str) -> str | None:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return f"~{pattern} is not a regular expression: {error}"
    return None


def unknown_indicator(named: Named, indicators: Mapping[str, IndicatorSpec]) -> str | None:
    """Return what to write instead when no collector produces an indicator, else None."""
    if named.name in indicators:
        return None
    return f"no collector produces {named.name!r}{nearest(named.name, indicators)}"


def implied_indicators(drafts: Iterable[Draft]) -> tuple[dict[str, IndicatorSpec], list[tuple[Draft, KeyPath, str]]]:
    """Return what the rules themselves say of their indicators, for use without a config, and contradictions."""
    uses: dict[str, list[tuple[Draft, KeyPath]]] = {}
    watched: dict[str, None] = {}
    for draft in drafts:
        for named in names_of(draft.fields):
            uses.setdefault(named.name, []).append((draft, named.path))
        other = draft.fields.cross_check
        if other is not None:
            name = other if isinstance(other, str) else other.indicator
            uses.setdefault(name, []).append((draft, ("cross_check",)))
        for expected in (draft.fields.expect or {}).values():
            if not isinstance(expected, list):
                watched[expected.labels_of] = None
    found: dict[str, IndicatorSpec] = {}
    faults: list[tuple[Draft, KeyPath, str]] = []
    for name, places in uses.items():
        found[name] = IndicatorSpec(name, _agreed_type(name, places, faults), _agreed_unit(name, places, faults))
    for name in watched:
        found.setdefault(name, IndicatorSpec(name, IndicatorType.GAUGE))
    return found, faults


def stated_unit(draft: Draft) -> str | None:
    """Return the base unit that a KPI states, None where it states none or a wrong one."""
    try:
        unit, factor = source_unit(draft.fields.unit) if draft.fields.unit is not None else (None, 1.0)
    except UnitError:
        return None
    return unit if factor == 1.0 else None


def _agreed_type(
    name: str, places: list[tuple[Draft, KeyPath]], faults: list[tuple[Draft, KeyPath, str]]
) -> IndicatorType:
    stated = [(draft, IndicatorType(draft.fields.type)) for draft, _ in places if draft.fields.type is not None]
    for draft, kind in stated[1:]:
        if kind is not stated[0][1]:
            first = f"{stated[0][0].id} ({stated[0][0].located.file})"
            faults.append((draft, ("type",), f"{name} is a {stated[0][1].value} by {first}; state one type"))
    if stated:
        return stated[0][1]
    wanted = [(draft, path, *_wanted(draft)) for draft, path in places]
    common = frozenset.intersection(*(allowed for _, _, _, allowed in wanted))
    for _, _, implied, _ in wanted:
        if implied in common:
            return implied
    if common:
        return min(common, key=list(IndicatorType).index)
    first_implied = wanted[0][2]
    for draft, path, implied, allowed in wanted[1:]:
        if first_implied not in allowed:
            first = f"{places[0][0].id} ({places[0][0].located.file})"
            message = f"{name} is a {first_implied.value} by {first}, here a {implied.value}; state type: in both"
            faults.append((draft, path, message))
    return first_implied


def _wanted(draft: Draft) -> tuple[IndicatorType, frozenset[IndicatorType]]:
    """Return the type that a KPI's measure implies, and all types that it can be taken of."""
    fields = draft.fields
    if isinstance(fields.indicator, PairFields):
        return COUNTER, frozenset({COUNTER, IndicatorType.EVENT})
    try:
        measure = parse_measure(fields.measure or "last")
    except ValueError:
        return IndicatorType.GAUGE, frozenset(IndicatorType)
    by_is = fields.objective is not None and fields.objective.is_ is not None
    allowed, reducer = allowed_types(measure), measure.reducer
    if isinstance(fields.indicator, QuotientFields):
        allowed -= {BOOL}
    if reducer in (Reducer.LAST, Reducer.MIN, Reducer.MAX) and fields.objective is not None:
        allowed = frozenset({BOOL}) if by_is else allowed - {BOOL}
    return implied_type(measure, judged_by_is=by_is), allowed


def _agreed_unit(
    name: str, places: list[tuple[Draft, KeyPath]], faults: list[tuple[Draft, KeyPath, str]]
) -> str | None:
    units = [(draft, unit) for draft, _ in places if (unit := stated_unit(draft)) is not None]
    for draft, unit in units[1:]:
        if unit != units[0][1]:
            message = f"{name} is in {units[0][1] or 'plain numbers'} by {units[0][0].id}; state one unit"
            faults.append((draft, ("unit",), message))
    return units[0][1] if units else None


def default_measure(fields: KpiFields) -> str:
    """Return the measure as written, ``last`` where none is."""
    return fields.measure if fields.measure is not None else Reducer.LAST.value


def measures_fit_source(measure: Measure, source: Source) -> str | None:
    """Return what to write instead when a pair is not measured by ``ratio``, or a single indicator is."""
    if isinstance(source, RatioPair) and measure.reducer is not Reducer.RATIO:
        over = measure.text.partition(" ")[2] or "over sprint"
        return f"a pair of indicators is measured by its ratio; write measure: ratio {over}"
    if measure.reducer is Reducer.RATIO and not isinstance(source, RatioPair):
        return "'ratio' needs two indicators; write indicator: {good: A, total: B} or {bad: A, total: B}"
    if measure.reducer is Reducer.SPREAD_ABS and not isinstance(source, Quotient):
        return "'spread_abs' compares two indicators; write indicator: {of: A, to: B}"
    if isinstance(source, Quotient) and measure.reducer in (Reducer.TOTAL, Reducer.DELTA):
        over = measure.text.partition(" ")[2]
        return f"{measure.reducer.value!r} is not taken of a quotient; write last, mean {over} or increase {over}"
    return None
