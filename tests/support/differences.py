"""What the evaluator says otherwise than the plain oracle, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import zip_longest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKind, FinalVerdict, Transition
from slo_guard.domain.kpi import Plan
from slo_guard.domain.readings import Observation
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, SeriesOutlook, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import numbered
from tests.support.oracle import Oracle, Outcome, Row
from tests.support.oracle_alerts import ExpectedFinal, ExpectedTransition, name_of

RULED = {Reason.BEFORE_SPRINT, Reason.CONDITION_NOT_MET, Reason.CONDITION_UNKNOWN}
"""Reasons by which the measured value does not matter."""


def differences_from_oracle(
    plan_of_all: Plan, observations: Sequence[Observation], evaluations: Sequence[float], zero: float
) -> Iterator[str]:
    """Evaluate both ways; yield what differs at the first instant at which anything does, told as seconds after ``zero``.

    KPIs are due on the grid of their interval that begins at ``zero``.
    """
    state, oracle = EvaluationState.fresh(), Oracle()
    stored, given_until, last_seq, found = numbered(observations), 0, 0, []
    for now in evaluations:
        new = [item for item in stored if item.id > given_until and item.observation.seen_at <= now]
        given_until = new[-1].id if new else given_until
        plan = plan_of_all.due_at(now, zero)

        expected = oracle.evaluate(plan, [item.observation for item in new], now)
        result = evaluate(plan, new, state, from_unix(now))

        state = result.state
        found = [
            *_rows_apart(expected, result.verdicts, oracle, zero),
            *_changes_apart(expected, result.transitions, last_seq, zero),
        ]
        last_seq += len(result.transitions)
        if found:
            yield from (f"+{now - zero:g} {difference}" for difference in found)
            return


def _rows_apart(expected: Outcome, frames: tuple[VerdictFrame, ...], oracle: Oracle, zero: float) -> Iterator[str]:
    # What restates a closed KPI is shown as it comes, due or not.
    due = (frame for frame in frames if not frame.final or name_of(frame.kpi) in expected.rows)
    judged = {name_of(frame.kpi): frame for frame in due}
    if not expected.rows:
        return
    if judged.keys() != expected.rows.keys():
        yield f"judged {sorted(judged)}, expected {sorted(expected.rows)}"
        return
    for kpi, rows in expected.rows.items():
        got = {_plain(row.labels): row for row in map(judged[kpi].row, range(len(judged[kpi].index)))}
        if got.keys() != rows.keys():
            yield f"{kpi} rows: expected {list(rows)}, got {list(got)}"
            continue
        for labels, row in rows.items():
            alert = oracle.alerts.alerts.get((kpi, labels, AlertKind.BREACH))
            state = alert.state if alert else AlertState.INACTIVE
            if apart := [*_fields_apart(row, got[labels], zero), *_pair("alert_state", state, got[labels].alert_state)]:
                yield f"{kpi}{dict(labels)}: {'; '.join(apart)}"


def _fields_apart(row: Row, got: SeriesVerdict, zero: float) -> Iterator[str]:
    yield from _pair("verdict", row.verdict.label, got.verdict.label)
    if got.reason not in row.reasons:
        yield f"reason: expected {' or '.join(row.reasons)}, got {got.reason}"
    yield from _pair("since", row.since - zero, got.since - zero)
    if row.reasons == (Reason.EXCLUDED,) and row.value is None:
        return  # what is shown beside "excluded" where there are no data is nobody's concern
    yield from _pair("value", row.value, got.value)
    if row.verdict is not Verdict.NO_DATA and not RULED.intersection(row.reasons):
        yield from _pair("samples", row.samples, got.samples)
        yield from _pair("coverage", row.coverage, got.coverage)
        yield from _pair("total", row.total, got.total)
        if row.outlook is not None:
            shown = got.outlook or SeriesOutlook()
            for each in fields(SeriesOutlook):
                yield from _pair(f"outlook.{each.name}", getattr(row.outlook, each.name), getattr(shown, each.name))


def _changes_apart(expected: Outcome, transitions: tuple[Transition, ...], last_seq: int, zero: float) -> Iterator[str]:
    numbers = [change.seq for change in transitions]
    yield from _pair("numbers of the transitions", list(range(last_seq + 1, last_seq + 1 + len(numbers))), numbers)
    wanted: dict[str, list[ExpectedTransition]] = {}
    for change in expected.transitions:
        wanted.setdefault(_name(change.kpi, change.labels, change.kind), []).append(change)
    got: dict[str, list[Transition]] = {}
    for found in transitions:
        key = found.key
        got.setdefault(_name(f"{key.sprint}/{key.kpi}", _plain(key.labels), key.kind), []).append(found)
    yield from _pair("number of transitions", len(expected.transitions), len(transitions))
    for name in sorted(wanted.keys() | got.keys()):
        for one, other in zip_longest(wanted.get(name, ()), got.get(name, ())):
            if other is None:
                yield f"{name}: no transition, expected {_move(one)} for {one.reasons}"
            elif one is None:
                yield f"{name}: unexpected transition {_move(other)} for {other.reason}"
            elif apart := list(_transition_apart(one, other, zero)):
                yield f"{name} transition {_move(one)}: {'; '.join(apart)}"


def _transition_apart(wanted: ExpectedTransition, got: Transition, zero: float) -> Iterator[str]:
    yield from _pair("move", _move(wanted), _move(got))
    if got.reason not in wanted.reasons:
        yield f"reason: expected {' or '.join(wanted.reasons)}, got {got.reason}"
    yield from _pair("at", wanted.at - zero, got.at - zero)
    yield from _finals_apart(wanted.finals, got.finals)
    if (wanted.from_state, wanted.to_state) != (AlertState.PENDING, AlertState.INACTIVE):  # nobody is told of those
        yield from _pair("active_at", wanted.active_at - zero, got.active_at - zero)
    yield from _pair("severity", wanted.severity, got.severity)
    if wanted.verdict is not None:
        yield from _pair("verdict", wanted.verdict.label, got.verdict.label)
        if wanted.verdict is not Verdict.NOT_APPLICABLE or wanted.value is not None:
            yield from _pair("value", wanted.value, got.value)


def _finals_apart(wanted: tuple[ExpectedFinal, ...], got: tuple[FinalVerdict, ...]) -> Iterator[str]:
    yield from _pair("finals", [final.kpi for final in wanted], [final.kpi for final in got])
    for one, other in zip(wanted, got, strict=False):
        yield from _pair(f"final verdict of {one.kpi}", one.verdict.label, other.verdict.label)
        yield from _pair(f"final series of {one.kpi}", one.series, other.series)
        if all(list(_pair("", value, other.value)) for value in one.values):
            yield f"final value of {one.kpi}: expected one of {one.values}, got {other.value}"


def _name(kpi: str, labels: LabelSet, kind: AlertKind) -> str:
    return f"{kpi}{dict(labels)} {kind.value}"


def _move(change: ExpectedTransition | Transition) -> str:
    return f"{change.from_state.label} -> {change.to_state.label}"


def _pair(name: str, wanted: object, got: object) -> Iterator[str]:
    if isinstance(wanted, float) and isinstance(got, float):
        if math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-12):
            return
    elif wanted == got:
        return
    yield f"{name}: expected {wanted}, got {got}"


def _plain(labels: LabelSet) -> LabelSet:
    return tuple((name, value) for name, value in labels if value)
