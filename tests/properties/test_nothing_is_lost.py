"""Whatever happens, and however the planner's runs fall: every transition is told or recorded as not told, once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given, note, settings
from hypothesis import strategies as st

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Decision, Notification, NotToldReason, Route
from slo_guard.domain.series import LabelSet
from slo_guard.domain.silences import Silence
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify import plan_notifications
from slo_guard.notify.groups import Group, GroupKey
from tests.support.notices import NOON, a_transition, an_alert

INACTIVE, PENDING, FIRING = AlertState.INACTIVE, AlertState.PENDING, AlertState.FIRING
ROUTES = (
    Route("all", repeat_interval_seconds=40.0),
    Route("pages", (Severity.PAGE,), repeat_interval_seconds=None),
    Route("tickets", (Severity.TICKET,)),
    Route("breaches_only", send_resolved=False),
)
KEYS = (
    *(AlertKey("", COLLECTOR_UP, (("collector", name),)) for name in ("one", "two")),
    *(
        AlertKey("sprint-40", kpi, (("system", system),), kind)
        for kpi in ("latency", "complaints")
        for system in ("fs", "xai2")
        for kind in AlertKind
    ),
)
END_REASONS = (Reason.RECOVERED, Reason.SERIES_GONE, Reason.RULE_REMOVED, Reason.NO_DATA_IS_OK)
STEPS = {INACTIVE: (PENDING, FIRING), PENDING: (INACTIVE, FIRING), FIRING: (INACTIVE, INACTIVE)}


@dataclass(frozen=True)
class Instant:
    """One evaluation: its transitions, and the alerts that it left."""

    at: float
    transitions: tuple[Transition, ...]
    alerts: dict[AlertKey, Alert]


@st.composite
def histories(draw: st.DrawFn, *, outages: bool = True) -> list[Instant]:
    """Draw a history in which each alert obeys the states, and severities change with reloads now and then."""
    alerts: dict[AlertKey, Alert] = {}
    instants: list[Instant] = []
    seq = 0
    for number in range(draw(st.integers(1, 8))):
        at = NOON + 30.0 * number
        told: list[Transition] = []
        for key in draw(st.lists(st.sampled_from(KEYS), max_size=4, unique=True)):
            seq += 1
            was = alerts[key].state if key in alerts else INACTIVE
            told.append(_drawn(draw, seq, at, key, was, outages=outages))
            alerts.pop(key, None)
            if told[-1].to_state is not INACTIVE:
                alerts[key] = an_alert(told[-1])
        for key, alert in list(alerts.items()):
            if outages and alert.state is FIRING and draw(st.booleans()):
                verdict = draw(st.sampled_from((Verdict.MISSED, Verdict.NO_DATA)))
                clear_since = draw(st.sampled_from((None, at)))
                alerts[key] = replace(alert, verdict=verdict, clear_since=clear_since)
        instants.append(Instant(at, tuple(told), dict(alerts)))
    return instants


def _drawn(draw: st.DrawFn, seq: int, at: float, key: AlertKey, was: AlertState, *, outages: bool) -> Transition:
    to = draw(st.sampled_from(STEPS[was]))
    silent = outages and to is FIRING and key.kpi != COLLECTOR_UP and draw(st.booleans())
    return a_transition(
        seq,
        to,
        key=key,
        at=at,
        from_state=was,
        verdict=Verdict.NO_DATA if silent else Verdict.MISSED,
        reason=draw(st.sampled_from(END_REASONS)) if to is INACTIVE else Reason.OBJECTIVE_MISSED,
        severity=draw(st.sampled_from((Severity.PAGE, Severity.PAGE, Severity.TICKET, Severity.NONE))),
        collectors=draw(st.sampled_from((("one",), ("two",), ("one", "two"), ()))),
        active_at=at,
        annotations={},
    )


class Told:
    """What the receivers heard and what was recorded, over all runs of one history."""

    def __init__(self) -> None:
        self.standing: dict[AlertKey, Transition] = {}
        self.groups: dict[str, str] = {}
        self.cursor = 0
        self.notifications: list[Notification] = []
        self.decisions: list[Decision] = []

    def run(
        self,
        transitions: Sequence[Transition],
        alerts: dict[AlertKey, Alert],
        now: float,
        routes: Sequence[Route] = ROUTES,
        severities: dict[AlertKey, Severity] | None = None,
        silences: Sequence[Silence] = (),
    ) -> None:
        """Plan; with ``severities``, those that the rules have after a reload, as the first run after it does."""
        for each in transitions:
            self.standing.pop(each.key, None)
            if each.to_state is FIRING:
                self.standing[each.key] = each
        standing = [
            replace(each, severity=(severities or {}).get(key, each.severity)) for key, each in self.standing.items()
        ]
        looked_at = standing if severities is not None else []
        record, again = (
            plan_notifications(
                transitions, self.groups, alerts, routes, now, self.cursor, standing=looked_at, silences=silences
            )
            for _ in range(2)
        )
        assert record == again
        self.groups.update({name: text for name, text in record.groups.items() if text is not None})
        for name in [name for name, text in record.groups.items() if text is None]:
            del self.groups[name]
        self.cursor = record.transition_cursor
        self.notifications += record.notifications
        self.decisions += record.decisions


def planned(history: Sequence[Instant], run_after: Sequence[bool], cut_within: Sequence[bool]) -> Told:
    """Plan ``history``: a run after the instants that ``run_after`` names, and after the last; some cut in two."""
    told = Told()
    waiting: list[Transition] = []
    for position, instant in enumerate(history):
        waiting += instant.transitions
        if position + 1 < len(history) and not run_after[position % len(run_after)]:
            continue
        middle = len(waiting) // 2
        if cut_within[position % len(cut_within)]:
            told.run(waiting[:middle], instant.alerts, instant.at)
            waiting = waiting[middle:]
        told.run(waiting, instant.alerts, instant.at)
        waiting = []
    return told


def assert_each_transition_has_one_decision(history: Sequence[Instant], told: Told) -> None:
    numbers = [each.seq for instant in history for each in instant.transitions]
    expected = Counter((number, route.receiver) for number in numbers for route in ROUTES)
    assert Counter((each.transition, each.receiver) for each in told.decisions) == expected
    named = {each.key: each for each in told.notifications}
    assert len(named) == len(told.notifications)
    for decision in told.decisions:
        assert (decision.told_by is None) != (decision.not_told is None)
        if decision.told_by is not None:
            assert decision.transition in named[decision.told_by].transitions
            assert named[decision.told_by].receiver == decision.receiver


def assert_firing_and_ended_alternate(history: Sequence[Instant], told: Told) -> None:
    """Per receiver and series: no second firing without an end, no end without a firing; reminders only in between."""
    silent_ends = {NotToldReason.SUPERSEDED_BY_BREACH, NotToldReason.RESOLVED_NOT_WANTED}
    by_number = {each.seq: each for instant in history for each in instant.transitions}
    ended_in_silence = defaultdict(set)
    for decision in told.decisions:
        if decision.not_told in silent_ends:
            ended_in_silence[decision.receiver].add(decision.transition)
    firing: dict[tuple[str, AlertKey], bool] = defaultdict(bool)
    for message in told.notifications:
        news = {by_number[number].key: by_number[number] for number in message.transitions}
        for line in message.series:
            key = AlertKey(message.sprint, message.kpi, line.labels, message.kind)
            series = (message.receiver, key)
            if key not in news:
                assert line.firing
                assert firing[series]
                continue
            assert line.firing is (news[key].to_state is FIRING)
            quiet = any(
                by_number[number].key == key and number < news[key].seq for number in ended_in_silence[message.receiver]
            )
            assert firing[series] is not line.firing or quiet
            firing[series] = line.firing


def assert_nothing_firing_is_forgotten(told: Told, alerts: dict[AlertKey, Alert]) -> None:
    """In the end the planner remembers, as told or held back, only series that fire."""
    firing: set[tuple[str, LabelSet]] = {
        (key.kpi, key.labels) for key, alert in alerts.items() if alert.state is FIRING
    }
    last: dict[tuple[str, int], Decision] = {(each.receiver, each.transition): each for each in told.decisions}
    assert last
    if not firing:
        assert told.groups == {}


@settings(max_examples=150, deadline=None, print_blob=True)
@given(histories(), st.lists(st.booleans(), min_size=1, max_size=5), st.lists(st.booleans(), min_size=1, max_size=5))
def test_every_transition_is_told_or_recorded_however_the_runs_fall(
    history: list[Instant], run_after: list[bool], cut_within: list[bool]
) -> None:
    """The planner may be quick, late, or killed in between; "nothing lost" must not depend on it."""
    for told in (planned(history, [True], [False]), planned(history, run_after, cut_within)):
        note(f"{len(told.notifications)} messages, {len(told.decisions)} decisions")
        assert_each_transition_has_one_decision(history, told)
        assert_firing_and_ended_alternate(history, told)
        if told.decisions:
            assert_nothing_firing_is_forgotten(told, history[-1].alerts)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(histories(outages=False))
def test_a_late_run_decides_as_prompt_runs_do(history: list[Instant]) -> None:
    """A planner that was down for a while hands over the same news, each with the decision of a prompt one."""
    prompt, late = planned(history, [True], [False]), planned(history, [False], [False])

    assert sorted(_decided(late)) == sorted(_decided(prompt))


@settings(max_examples=150, deadline=None, print_blob=True)
@given(
    histories(),
    st.lists(st.lists(st.sampled_from(ROUTES), unique=True), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(Severity)),
)
def test_whoever_wants_what_fires_knows_of_it_whatever_reloads_change(
    history: list[Instant], reloads: list[list[Route]], severities: dict[AlertKey, Severity]
) -> None:
    """Receivers that come and go and rules that grow louder must leave nothing that fires untold, or told twice."""
    told = Told()
    for position, instant in enumerate(history):
        routes = reloads[position % len(reloads)]
        told.run(instant.transitions, instant.alerts, instant.at, routes, severities)
        before = len(told.notifications)
        told.run((), instant.alerts, instant.at, routes, severities)
        assert len(told.notifications) == before

        for route in routes:
            for key, fired in told.standing.items():
                if severities.get(key, fired.severity) in route.severities:
                    text = told.groups.get(GroupKey.of(route.receiver, key).text)
                    assert text is not None
                    group = Group.from_text(text)
                    assert (key.labels in group.told) is not (key.labels in group.held)
    assert len({each.key for each in told.notifications}) == len(told.notifications)


def _decided(told: Told) -> list[tuple[int, str, str]]:
    return [(each.transition, each.receiver, each.not_told or "told") for each in told.decisions]
