"""The planner: who is told what, and why not where nobody is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Notification, NotificationReason, NotToldReason, Route
from slo_guard.domain.ports import PlanRecord
from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.errors import StoreError
from slo_guard.notify import plan_notifications
from slo_guard.notify.compose import MAX_LINES
from tests.support.notices import NOON, a_transition, alerts_after, an_alert, an_alert_key, ended, firing, labelled

FS, PREDICTIVE, XAI = (an_alert_key(system=name) for name in ("fs", "predictive", "xai2"))
COLLECTOR = AlertKey("", COLLECTOR_UP, labelled(collector="mc"))
SRE = Route("sre")


class Planner:
    """Plans run after run, as the job does: what a record says of groups and cursor is there for the next."""

    def __init__(self, *routes: Route) -> None:
        self.routes = routes or (SRE,)
        self.groups: dict[str, str] = {}
        self.cursor = 0
        self.alerts: dict[AlertKey, Alert] = {}
        self.records: list[PlanRecord] = []
        self.silences: list[Silence] = []
        self.acknowledgements: list[Acknowledgement] = []

    def run(
        self,
        *transitions: Transition,
        now: float | None = None,
        judged_at: Mapping[tuple[str, str], float] | None = None,
        alerts: Mapping[AlertKey, Alert] | None = None,
        standing: Sequence[Transition] = (),
    ) -> list[Notification]:
        for transition in transitions:
            self.alerts.pop(transition.key, None)
            self.alerts.update(alerts_after(transition))
        if alerts is not None:
            self.alerts = dict(alerts)
        at = now if now is not None else (transitions[-1].at if transitions else NOON)
        record = plan_notifications(
            transitions,
            self.groups,
            self.alerts,
            self.routes,
            at,
            self.cursor,
            judged_at=judged_at,
            standing=standing,
            silences=self.silences,
            acknowledgements=self.acknowledgements,
        )
        for name, text in record.groups.items():
            if text is None:
                del self.groups[name]
            else:
                self.groups[name] = text
        self.cursor = record.transition_cursor
        self.records.append(record)
        return list(record.notifications)

    @property
    def not_told(self) -> list[tuple[int, NotToldReason | None]]:
        return [(each.transition, each.not_told) for record in self.records for each in record.decisions]


def shown(notification: Notification) -> list[tuple[str, bool]]:
    return [(dict(line.labels).get("system", ""), line.firing) for line in notification.series]


def reasons(notifications: Sequence[Notification]) -> list[NotificationReason]:
    return [notification.reason for notification in notifications]


def test_a_first_firing_is_told_with_all_that_a_reader_needs() -> None:
    """The message must stand alone: whoever is woken by it has nothing else at hand."""
    [told] = Planner().run(firing(1, key=FS, note="7 of 9 samples"))

    [line] = told.series
    assert told.reason is NotificationReason.FIRST_NOTIFICATION
    assert (told.receiver, told.sprint, told.kpi, told.title) == ("sre", "sprint-40", "ga_e2e_p95", "GA end-to-end p95")
    assert (told.lane, told.owner, told.severity) == ("ga-ops", "SRE Lead", Severity.PAGE)
    assert (told.objective, told.unit) == ("at_most 1.16s", "seconds")
    assert (line.value, line.reason, line.note, line.active_at) == (1.31, "objective_missed", "7 of 9 samples", NOON)
    assert line.annotations == {"summary": "fs p95 is 1.31s"}
    assert told.transitions == (1,)


def test_series_that_fire_at_one_evaluation_are_one_message() -> None:
    """Three systems behind one broken gateway are one event, not three pages."""
    told = Planner().run(*(firing(number, key=key, at=NOON) for number, key in enumerate((FS, PREDICTIVE, XAI), 1)))

    assert [shown(each) for each in told] == [[("fs", True), ("predictive", True), ("xai2", True)]]
    assert told[0].transitions == (1, 2, 3)


def test_a_series_that_joins_is_told_with_those_that_still_fire() -> None:
    """The latest message alone says how things stand."""
    planner = Planner()
    planner.run(firing(1, key=FS))

    [told] = planner.run(firing(2, key=PREDICTIVE))

    assert told.reason is NotificationReason.SERIES_ADDED
    assert shown(told) == [("predictive", True), ("fs", True)]
    assert told.transitions == (2,)


def test_an_end_is_told_by_the_objective_that_ended_it() -> None:
    """A limit that a reload moved: "recovered, 1.2s, at most 1.16s" would contradict itself."""
    planner = Planner()
    planner.run(firing(1, key=FS))

    [told] = planner.run(ended(2, key=FS, value=1.2, objective="at_most 1.3s", severity=Severity.TICKET))

    assert (told.reason, told.objective) == (NotificationReason.RECOVERED, "at_most 1.3s")
    assert told.severity is Severity.PAGE, "whoever was paged is told of the end as such"


def test_a_series_that_still_fires_is_shown_as_it_stands_now() -> None:
    """A stale value beside a fresh one would mislead."""
    planner = Planner()
    fired = firing(1, key=FS)
    planner.run(fired)
    joined = firing(2, key=PREDICTIVE)
    alerts = alerts_after(fired, joined) | {
        FS: an_alert(fired, value=2.5, verdict=Verdict.NO_DATA, reason=Reason.STALE)
    }

    [told] = planner.run(joined, alerts=alerts)

    assert [(line.value, line.verdict, line.reason) for line in told.series][1] == (2.5, "no_data", "stale")


def test_a_recovery_is_told_with_its_period_and_what_still_fires() -> None:
    """People stop working on what has recovered, so they must see what has not."""
    planner = Planner()
    planner.run(firing(1, key=FS, at=NOON + 5), firing(2, key=PREDICTIVE, at=NOON + 5))

    [told] = planner.run(ended(3, key=FS, at=NOON + 60))

    assert told.reason is NotificationReason.RECOVERED
    assert shown(told) == [("fs", False), ("predictive", True)]
    assert (told.series[0].active_at, told.series[0].ended_at) == (NOON, NOON + 60)
    assert told.firing


def test_the_last_recovery_leaves_nothing_to_remember() -> None:
    """State that is never dropped grows for ever."""
    planner = Planner()
    planner.run(firing(1))

    [told] = planner.run(ended(2))

    assert not told.firing
    assert planner.groups == {}


@pytest.mark.parametrize(
    "reason",
    [
        Reason.SERIES_GONE,
        Reason.SERIES_APPEARED,
        Reason.NO_LONGER_JUDGED,
        Reason.NO_DATA_IS_OK,
        Reason.RULE_REMOVED,
    ],
)
def test_an_end_that_is_no_recovery_is_told_as_an_end(reason: Reason) -> None:
    """Silence is never green, in messages either."""
    planner = Planner()
    planner.run(firing(1))

    [told] = planner.run(ended(2, reason=reason, verdict=Verdict.NO_DATA, value=None))

    assert told.reason is NotificationReason.ENDED
    assert told.series[0].reason == reason.value


def test_one_recovery_among_other_ends_does_not_make_a_recovery() -> None:
    """A headline of recovery over a series that is gone would be half a lie."""
    planner = Planner()
    planner.run(firing(1, key=FS, at=NOON), firing(2, key=XAI, at=NOON))

    [told] = planner.run(ended(3, key=FS, at=NOON + 9), ended(4, key=XAI, at=NOON + 9, reason=Reason.SERIES_GONE))

    assert told.reason is NotificationReason.ENDED


def test_pending_is_not_told() -> None:
    """`for` exists so that what passes by itself wakes nobody."""
    planner = Planner()

    told = planner.run(
        a_transition(1, AlertState.PENDING),
        ended(2, from_state=AlertState.PENDING),
    )

    assert told == []
    assert planner.not_told == [(1, NotToldReason.PENDING), (2, NotToldReason.PENDING)]


def test_a_planner_that_is_behind_tells_both_the_firing_and_the_end_in_order() -> None:
    """Folding the two into nothing is how others lose alerts."""
    told = Planner().run(firing(1), ended(2), firing(3), now=NOON + 900)

    assert reasons(told) == [
        NotificationReason.FIRST_NOTIFICATION,
        NotificationReason.RECOVERED,
        NotificationReason.FIRST_NOTIFICATION,
    ]
    assert [each.transitions for each in told] == [(1,), (2,), (3,)]
    assert len({each.key for each in told}) == 3


def test_one_series_that_fires_and_ends_within_one_evaluation_gives_two_messages() -> None:
    """The order of what happened must not depend on how instants are rounded."""
    told = Planner().run(firing(1, at=NOON), ended(2, at=NOON))

    assert [each.firing for each in told] == [True, False]


def test_a_severity_that_a_receiver_does_not_take_is_recorded_as_not_routed() -> None:
    """Whoever asks why nobody was paged finds the answer in the record."""
    planner = Planner(Route("pager", (Severity.PAGE,)))

    told = planner.run(firing(1, severity=Severity.TICKET), ended(2, severity=Severity.TICKET))

    assert told == []
    assert planner.not_told == [(1, NotToldReason.NOT_ROUTED), (2, NotToldReason.NOT_ROUTED)]


def test_severity_none_is_told_to_nobody() -> None:
    """A rule may raise an alert for dashboards alone."""
    planner = Planner()

    assert planner.run(firing(1, severity=Severity.NONE)) == []
    assert planner.not_told == [(1, NotToldReason.NOT_ROUTED)]


def test_who_was_told_of_the_firing_is_told_of_the_end_whatever_a_reload_changed() -> None:
    """A page that never ends keeps people looking for a fault that is mended."""
    planner = Planner(Route("pager", (Severity.PAGE,)))
    planner.run(firing(1, severity=Severity.PAGE))

    [told] = planner.run(ended(2, severity=Severity.TICKET))

    assert told.reason is NotificationReason.RECOVERED


def test_each_receiver_is_decided_for_itself() -> None:
    """One that wants less does not take anything from another."""
    planner = Planner(SRE, Route("quiet", send_resolved=False), Route("tickets", (Severity.TICKET,)))

    told = planner.run(firing(1), ended(2))

    assert [(each.receiver, each.firing) for each in told] == [("sre", True), ("sre", False), ("quiet", True)]
    decisions = {(each.transition, each.receiver): each.not_told for each in planner.records[0].decisions}
    assert decisions == {
        (1, "sre"): None,
        (2, "sre"): None,
        (1, "quiet"): None,
        (2, "quiet"): NotToldReason.RESOLVED_NOT_WANTED,
        (1, "tickets"): NotToldReason.NOT_ROUTED,
        (2, "tickets"): NotToldReason.NOT_ROUTED,
    }


def test_an_end_whose_firing_nobody_was_told_of_is_not_told() -> None:
    """A recovery from what one never heard of is noise."""
    planner = Planner()

    assert planner.run(ended(1)) == []
    assert planner.not_told == [(1, NotToldReason.NEVER_TOLD_FIRING)]


def test_a_firing_that_comes_twice_is_told_once() -> None:
    """A store that was put back from a copy may hand over a firing again."""
    planner = Planner()
    planner.run(firing(1))

    assert planner.run(firing(2)) == []
    assert planner.not_told[-1] == (2, NotToldReason.ALREADY_TOLD)


def test_transitions_up_to_the_cursor_are_not_planned_again() -> None:
    """The cursor is what makes a repeated run harmless."""
    planner = Planner()
    planner.run(firing(1))

    assert planner.run(firing(1)) == []
    assert len(planner.not_told) == 1


def test_equal_inputs_give_an_equal_record() -> None:
    """A kill between planning and storing leads to the very same messages, keys included."""
    transitions = [firing(1, key=FS, at=NOON), firing(2, key=XAI, at=NOON), ended(3, key=FS)]
    alerts = alerts_after(*transitions)

    first, second = (plan_notifications(transitions, {}, alerts, [SRE], NOON + 9, 0) for _ in range(2))

    assert first == second


def test_keys_of_another_store_are_others() -> None:
    """A store that begins anew numbers from 1 again: its first page must not look like one of last spring."""
    spring, summer = (
        [
            *Planner().run(firing(1, key=FS, at=at), now=NOON),
            *Planner().run(firing(1, key=FS, at=NOON), ended(2, key=FS, at=at + 60), now=NOON)[1:],
        ]
        for at in (NOON, NOON + 1e7)
    )

    assert reasons(spring) == reasons(summer)
    assert {each.key for each in spring}.isdisjoint(each.key for each in summer)


def test_a_run_without_news_changes_nothing() -> None:
    """The planner runs every few seconds; it must not write every few seconds."""
    planner = Planner()
    planner.run(firing(1))

    planner.run(now=NOON + 60)

    assert planner.records[-1] == PlanRecord(transition_cursor=1)


def test_what_still_fires_is_told_again_when_the_interval_has_passed() -> None:
    """An alert that nobody took must not be forgotten."""
    planner = Planner(Route("sre", repeat_interval_seconds=3600.0))
    planner.run(firing(1), now=NOON)

    early = planner.run(now=NOON + 3599)
    [told] = planner.run(now=NOON + 3600)
    again = planner.run(now=NOON + 3601)
    [later] = planner.run(now=NOON + 7200)

    assert (early, again) == ([], [])
    assert told.reason is later.reason is NotificationReason.REPEAT_INTERVAL_ELAPSED
    assert told.transitions == ()
    assert told.key != later.key


def test_a_receiver_may_want_no_reminders() -> None:
    """`repeat_interval: 0s` is never."""
    planner = Planner(Route("sre", repeat_interval_seconds=None))
    planner.run(firing(1))

    assert planner.run(now=NOON + 1e9) == []


def test_no_reminder_says_that_an_alert_fires_which_has_just_ended() -> None:
    """The alert may have ended while its transition is not planned yet."""
    planner = Planner()
    planner.run(firing(1))

    assert planner.run(now=NOON + 1e6, alerts={}) == []


def test_a_reminder_of_a_risk_is_spared_while_its_breach_is_told() -> None:
    """Two reminders of one fault are one too many."""
    planner = Planner()
    risk = an_alert_key(kind=AlertKind.RISK, system="fs")
    planner.run(firing(1, key=risk, verdict=Verdict.AT_RISK, severity=Severity.TICKET), firing(2, key=FS))

    told = planner.run(now=NOON + 1e6)

    assert [each.kind for each in told] == [AlertKind.BREACH]


def test_a_risk_that_a_breach_took_over_ends_without_a_word() -> None:
    """An end of the risk beside the breach would read like good news."""
    planner = Planner()
    risk = an_alert_key(kind=AlertKind.RISK, system="fs")
    planner.run(firing(1, key=risk, verdict=Verdict.AT_RISK))

    told = planner.run(ended(2, key=risk, at=NOON + 9, verdict=Verdict.MISSED), firing(3, key=FS, at=NOON + 9))

    assert [(each.kind, each.firing) for each in told] == [(AlertKind.BREACH, True)]
    assert (2, NotToldReason.SUPERSEDED_BY_BREACH) in planner.not_told


def test_a_receiver_that_does_not_hear_of_the_breach_hears_of_the_end_of_the_risk() -> None:
    """Superseded is only what has been replaced by something told."""
    planner = Planner(Route("tickets", (Severity.TICKET,)))
    risk = an_alert_key(kind=AlertKind.RISK, system="fs")
    planner.run(firing(1, key=risk, verdict=Verdict.AT_RISK, severity=Severity.TICKET))

    [told] = planner.run(
        ended(2, key=risk, at=NOON + 9, severity=Severity.TICKET, reason=Reason.NO_LONGER_JUDGED),
        firing(3, key=FS, at=NOON + 9),
    )

    assert (told.kind, told.firing) == (AlertKind.RISK, False)


def test_a_large_kpi_is_listed_in_part_and_counted_in_full() -> None:
    """A message of a hundred thousand lines cannot be sent, and one that hides how many lies."""
    planner = Planner()
    keys = [an_alert_key(tenant=f"t{number:05}") for number in range(1000)]

    [told] = planner.run(*(firing(number, key=key, at=NOON) for number, key in enumerate(keys, 1)))
    [less] = planner.run(*(ended(1000 + number, key=key, at=NOON + 9) for number, key in enumerate(keys[:300], 1)))

    assert (len(told.series), told.unlisted_firing, len(told.transitions)) == (MAX_LINES, 1000 - MAX_LINES, 1000)
    assert (len(less.series), less.unlisted_firing, less.unlisted_ended) == (MAX_LINES, 700, 300 - MAX_LINES)
    assert less.firing


def test_a_receiver_that_left_the_config_is_forgotten() -> None:
    """If it comes back under the same name it must not remember alerts of long ago."""
    planner = Planner(SRE, Route("old"))
    planner.run(firing(1))
    planner.routes = (SRE,)

    planner.run(now=NOON + 1)

    assert list(planner.groups) == ["sre/sprint-40/ga_e2e_p95/breach"]


def test_a_message_about_a_removed_rule_carries_what_the_rule_said() -> None:
    """The rule is gone from the plan when its alert ends."""
    planner = Planner()
    planner.run(firing(1))

    [told] = planner.run(ended(2, reason=Reason.RULE_REMOVED, verdict=Verdict.MISSED, title="", owner=""))

    assert (told.title, told.owner) == ("GA end-to-end p95", "SRE Lead")


def test_state_that_cannot_be_read_is_an_error_and_not_an_empty_memory() -> None:
    """Taken for empty, it would turn told alerts into untold ones without a trace."""
    with pytest.raises(StoreError):
        plan_notifications([], {"sre/x": '[99,["sre","x","y","breach"],null,false]'}, {}, [SRE], NOON, 0)


class Outage:
    """A collector that fails from ``NOON``, and one series that has no data because of it."""

    def __init__(self, **changes: Any) -> None:
        self.down = firing(1, key=COLLECTOR, at=NOON, title="Collector answers", annotations={})
        self.silent = firing(2, key=FS, at=NOON + 60, verdict=Verdict.NO_DATA, reason=Reason.SOURCE_FAILED, **changes)
        self.back = ended(3, key=COLLECTOR, at=NOON + 600)


def test_no_data_behind_a_failing_source_is_held_back() -> None:
    """One message about the source, not one about every KPI that reads it."""
    outage, planner = Outage(), Planner()

    told = planner.run(outage.down, outage.silent)

    assert [each.kpi for each in told] == [COLLECTOR_UP]
    assert planner.not_told == [(1, None), (2, NotToldReason.SOURCE_DOWN)]


def test_a_miss_is_told_although_its_source_fails() -> None:
    """Only what the source causes is held back."""
    outage, planner = Outage(), Planner()

    told = planner.run(outage.down, firing(2, key=FS))

    assert [each.kpi for each in told] == [COLLECTOR_UP, "ga_e2e_p95"]


def test_another_collectors_failure_holds_nothing_back() -> None:
    """The KPI that does not read the failing source has a fault of its own."""
    outage, planner = Outage(collectors=("other",)), Planner()

    told = planner.run(outage.down, outage.silent)

    assert len(told) == 2


def test_nothing_is_held_back_from_a_receiver_that_does_not_hear_of_the_source() -> None:
    """A pager that takes pages alone, beside a collector whose alert is a ticket, would hear nothing at all."""
    outage, planner = Outage(), Planner(Route("pager", (Severity.PAGE,)))
    down = firing(1, key=COLLECTOR, at=NOON, severity=Severity.TICKET)

    [told] = planner.run(down, outage.silent)

    assert told.kpi == "ga_e2e_p95"


def test_a_source_that_fails_at_the_same_evaluation_holds_back_as_well() -> None:
    """Which of the two has the lower number is chance."""
    planner = Planner()
    silent = firing(1, key=FS, at=NOON, verdict=Verdict.NO_DATA, reason=Reason.SOURCE_FAILED)

    [told] = planner.run(silent, firing(2, key=COLLECTOR, at=NOON))

    assert told.kpi == COLLECTOR_UP


def test_what_clears_when_the_source_is_back_is_never_told() -> None:
    """That is what holding back is for."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)

    told = planner.run(outage.back, ended(4, key=FS, at=NOON + 600))

    assert [each.kpi for each in told] == [COLLECTOR_UP]
    assert planner.not_told[-1] == (4, NotToldReason.NEVER_TOLD_FIRING)
    assert planner.groups == {}


def test_what_fires_on_although_the_source_is_back_is_told() -> None:
    """The source answers and still has no such series: that is a fault of its own."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)

    told = planner.run(outage.back)

    assert [(each.kpi, each.reason) for each in told] == [
        (COLLECTOR_UP, NotificationReason.RECOVERED),
        ("ga_e2e_p95", NotificationReason.HELD_BACK_AND_STILL_FIRING),
    ]
    assert told[1].transitions == (2,)


def test_what_is_held_back_waits_until_it_was_judged_with_its_source_back() -> None:
    """A KPI on a slower grid would otherwise page for the very data that have just come back."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)
    kpi = ("sprint-40", "ga_e2e_p95")

    waiting = planner.run(outage.back, judged_at={kpi: NOON + 590})
    still_waiting = planner.run(now=NOON + 610, judged_at={kpi: NOON + 590})
    unchanged = planner.records[-1]
    told = planner.run(now=NOON + 620, judged_at={kpi: NOON + 620})

    assert [each.kpi for each in waiting] == [COLLECTOR_UP]
    assert (still_waiting, unchanged) == ([], PlanRecord(transition_cursor=3))
    assert reasons(told) == [NotificationReason.HELD_BACK_AND_STILL_FIRING]


def test_what_is_about_to_clear_is_not_told_when_the_source_is_back() -> None:
    """`keep_firing_for` keeps the alert alive a while after its data are fine again."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)

    told = planner.run(outage.back, alerts={FS: an_alert(outage.silent, clear_since=NOON + 600)})

    assert [each.kpi for each in told] == [COLLECTOR_UP]


def test_a_held_back_alert_that_turns_into_a_miss_is_told_at_once() -> None:
    """Its objective is missed: the source's trouble is no excuse any more."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)
    missed = an_alert(outage.silent, verdict=Verdict.MISSED, reason=Reason.OBJECTIVE_MISSED, value=1.9)

    [told] = planner.run(now=NOON + 90, alerts={**planner.alerts, FS: missed})

    assert told.reason is NotificationReason.HELD_BACK_AND_STILL_FIRING
    assert (told.series[0].value, told.series[0].reason) == (1.9, "objective_missed")


def test_who_was_told_late_is_told_of_the_end() -> None:
    """From then on the held back series is one like any other."""
    outage, planner = Outage(), Planner()
    planner.run(outage.down, outage.silent)
    planner.run(outage.back)

    [told] = planner.run(ended(4, key=FS, at=NOON + 700))

    assert told.reason is NotificationReason.RECOVERED


def test_a_planner_that_is_behind_holds_back_by_the_source_of_that_time() -> None:
    """Whether the planner was quick or late must not change what people hear."""
    outage, planner = Outage(), Planner()

    told = planner.run(outage.down, outage.silent, outage.back, ended(4, key=FS, at=NOON + 600))

    assert [each.kpi for each in told] == [COLLECTOR_UP, COLLECTOR_UP]
    assert (2, NotToldReason.SOURCE_DOWN) in planner.not_told
