"""Whatever is silenced, and whenever: nothing silenced is told, nothing is lost, and what still fires is told in the end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import MatchOp
from slo_guard.domain.notifications import NotToldReason
from slo_guard.domain.silences import Matcher, Silence, alert_labels
from slo_guard.domain.verdicts import AlertState
from slo_guard.notify.groups import Group, GroupKey
from tests.properties.test_nothing_is_lost import (
    ROUTES,
    Instant,
    Told,
    assert_each_transition_has_one_decision,
    histories,
)
from tests.support.notices import NOON

LONG_AFTER = NOON + 10_000.0
matchers = st.sampled_from(
    (
        Matcher("system", "fs"),
        Matcher("system", "fs", MatchOp.NOT_EQUAL),
        Matcher("kpi", "lat.*", MatchOp.REGEX),
        Matcher("kind", "breach"),
        Matcher("severity", "page"),
        Matcher("sprint", "sprint-40"),
        Matcher("collector", "one"),
    )
)


@st.composite
def silence_lists(draw: st.DrawFn) -> list[Silence]:
    """Draw silences over parts of the time in which a history happens, some ended by hand."""
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        starts = draw(st.integers(-1, 7)) * 30.0
        ends = starts + draw(st.integers(1, 6)) * 30.0
        silence = Silence(
            id=number,
            matchers=tuple(draw(st.lists(matchers, min_size=1, max_size=2))),
            starts_at=NOON + starts,
            ends_at=NOON + ends,
            by="Ada",
            why="deploy",
            created_at=NOON,
            expired_at=draw(st.none() | st.just(NOON + starts + 30.0)),
        )
        found.append(silence)
    return found


def silenced_by(silences: list[Silence], each, at: float) -> set[int]:
    labels = alert_labels(each.key, lane=each.lane, severity=each.severity.value)
    return {silence.id for silence in silences if silence.is_active(at) and silence.silences(labels)}


def planned(history: list[Instant], silences: list[Silence]) -> Told:
    told = Told()
    for instant in history:
        told.run(instant.transitions, instant.alerts, instant.at, silences=silences)
    return told


@settings(max_examples=120, deadline=None, print_blob=True)
@given(histories(), silence_lists())
def test_what_is_silenced_is_decided_once_and_not_told(history: list[Instant], silences: list[Silence]) -> None:
    """Every transition has its one decision, which names a silence that did hold; no firing is told against one."""
    told = planned(history, silences)

    assert_each_transition_has_one_decision(history, told)
    by_number = {each.seq: each for instant in history for each in instant.transitions}
    for decision in told.decisions:
        fired = by_number[decision.transition]
        holding = silenced_by(silences, fired, fired.at)
        if decision.not_told is NotToldReason.SILENCED:
            assert decision.silence in holding
        elif decision.told_by is not None and fired.to_state is AlertState.FIRING:
            assert not holding
    for message in told.notifications:
        for number in message.transitions:
            if by_number[number].to_state is AlertState.FIRING:
                # By the severity that a reload has given the rule since the series fired, which the message has too.
                as_told = replace(by_number[number], severity=message.severity)
                assert not silenced_by(silences, as_told, message.created_at)


@settings(max_examples=120, deadline=None, print_blob=True)
@given(histories(outages=False), silence_lists())
def test_what_fires_when_all_silences_are_over_has_been_told(history: list[Instant], silences: list[Silence]) -> None:
    """An alert is never lost: not to a silence either."""
    told = planned(history, silences)
    last = history[-1]

    told.run((), last.alerts, LONG_AFTER, silences=silences)
    number = len(told.notifications)
    told.run((), last.alerts, LONG_AFTER, silences=silences)

    assert len(told.notifications) == number
    assert len({each.key for each in told.notifications}) == number
    for route in ROUTES:
        for key, fired in told.standing.items():
            if fired.severity not in route.severities:
                continue
            group = Group.from_text(told.groups[GroupKey.of(route.receiver, key).text])
            breach = told.groups.get(GroupKey.of(route.receiver, key)._replace(kind=AlertKind.BREACH).text)
            beside_its_breach = key.kind is AlertKind.RISK and breach and key.labels in Group.from_text(breach).told
            assert key.labels in group.told or (beside_its_breach and key.labels in group.silenced)
            assert beside_its_breach or key.labels not in group.silenced
