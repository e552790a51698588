"""Silences and acknowledgements as those feel them who are told: what is kept back, until when, and what comes after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKey, AlertKind, FinalVerdict
from slo_guard.domain.builtin import COLLECTOR_UP, SPRINT_CLOSE
from slo_guard.domain.kpi import MatchOp, Severity
from slo_guard.domain.notifications import Decision, NotificationReason, NotToldReason, Route
from slo_guard.domain.ports import EvaluationRecord
from slo_guard.domain.silences import Acknowledgement, Matcher, NewAcknowledgement, NewSilence, Silence
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.errors import StoreError
from slo_guard.jobs import plan_once
from slo_guard.notify.groups import Group
from slo_guard.notify.slack_blocks import plain_message, slack_message
from slo_guard.notify.webhook import webhook_body
from tests.support.fake_store import FakeStore
from tests.support.notices import NOON, alerts_after, an_alert_key, ended, firing, labelled
from tests.support.slack_stand_in import all_texts
from tests.unit.notify.test_plan import Planner, reasons, shown

FS, PREDICTIVE = (an_alert_key(system=name) for name in ("fs", "predictive"))
RISK = an_alert_key(kind=AlertKind.RISK, system="fs")
COLLECTOR = AlertKey("", COLLECTOR_UP, labelled(collector="mc"))
NEVER = Route("sre", repeat_interval_seconds=None)
HOURLY = Route("sre", repeat_interval_seconds=3600.0)
FIRST, STILL, REMINDER = (
    NotificationReason.FIRST_NOTIFICATION,
    NotificationReason.SILENCE_ENDED,
    NotificationReason.REPEAT_INTERVAL_ELAPSED,
)
SILENCED, NEVER_TOLD = NotToldReason.SILENCED, NotToldReason.NEVER_TOLD_FIRING


def silence(*matchers: Matcher, until: float = NOON + 600, number: int = 7, **changes: Any) -> Silence:
    """Return a silence of the KPI's system fs until ten minutes after noon."""
    what = matchers or (Matcher("system", "fs"),)
    made = Silence(id=number, matchers=what, starts_at=NOON - 5, ends_at=until, by="Ada", why="deploy", created_at=NOON)
    return replace(made, **changes)


def acknowledgement(**changes: Any) -> Acknowledgement:
    """Return one of all of the KPI's series that fired up to a minute after noon, for two hours."""
    made = Acknowledgement(
        id=3,
        sprint="sprint-40",
        kpi="ga_e2e_p95",
        labels=None,
        until=NOON + 7200,
        by="Ada",
        why="rolling back",
        created_at=NOON + 60,
    )
    return replace(made, **changes)


def quiet(*matchers: Matcher, route: Route = HOURLY, **changes: Any) -> Planner:
    planner = Planner(route)
    planner.silences = [silence(*matchers, **changes)]
    return planner


class TestWhatFiresWithinASilence:
    """Nobody is woken by what somebody has announced, and nothing of it is lost."""

    def test_it_is_kept_back_and_told_when_the_silence_is_over(self) -> None:
        """A silence that outlives its reason must not hide what is really wrong."""
        planner = quiet()

        within = [planner.run(firing(1, key=FS)), planner.run(now=NOON + 599)]
        [told] = planner.run(now=NOON + 600)

        assert within == [[], []]
        assert planner.records[0].decisions == (Decision(1, "sre", None, SILENCED, silence=7),)
        assert (told.reason, shown(told), told.transitions) == (STILL, [("fs", True)], (1,))
        assert planner.run(now=NOON + 700) == []

    def test_what_ends_within_it_is_told_neither_firing_nor_ended(self) -> None:
        """The recovery from what one never heard of is noise; the record says what became of both."""
        planner = quiet()

        told = [planner.run(firing(1, key=FS)), planner.run(ended(2, key=FS)), planner.run(now=NOON + 700)]

        assert told == [[], [], []]
        assert planner.not_told == [(1, SILENCED), (2, NEVER_TOLD)]
        assert planner.groups == {}

    def test_a_silence_ended_by_hand_gives_way_at_once(self) -> None:
        """Whoever expires it wants to know how things stand."""
        planner = quiet()
        planner.run(firing(1, key=FS))
        planner.silences = [replace(planner.silences[0], expired_at=NOON + 60)]

        [told] = planner.run(now=NOON + 60)

        assert told.reason is STILL

    def test_it_is_told_as_it_stands_then(self) -> None:
        """A value of hours ago would start people on the wrong foot."""
        planner = quiet()
        planner.run(firing(1, key=FS, value=1.31))
        alerts = {key: replace(alert, value=2.5) for key, alert in planner.alerts.items()}

        [told] = planner.run(now=NOON + 600, alerts=alerts)

        assert told.series[0].value == 2.5

    def test_two_silences_hold_as_long_as_the_longer_one(self) -> None:
        """Or the end of one would tell what the other keeps back."""
        planner = quiet()
        planner.silences.append(silence(Matcher("kpi", "ga_e2e_p95"), until=NOON + 900, number=8))
        planner.run(firing(1, key=FS))

        assert planner.run(now=NOON + 600) == []
        assert reasons(planner.run(now=NOON + 900)) == [STILL]
        assert planner.records[0].decisions[0].silence == 8

    def test_each_of_two_silences_in_a_row_is_followed_by_a_message_of_its_own(self) -> None:
        """An idempotency key that is used twice would have the receiver drop the second."""
        planner = quiet()
        planner.run(firing(1, key=FS))
        [first] = planner.run(now=NOON + 600)
        planner.silences = [silence(starts_at=NOON + 700, until=NOON + 800)]
        planner.run(now=NOON + 700)

        [second] = planner.run(now=NOON + 800)

        assert (first.reason, second.reason) == (STILL, STILL)
        assert first.key != second.key

    def test_a_pending_silence_keeps_nothing_back_yet(self) -> None:
        """Maintenance begins at ten, not when it was written down."""
        planner = quiet(starts_at=NOON + 100)

        assert reasons(planner.run(firing(1, key=FS))) == [FIRST]

    def test_what_is_clear_already_waits_for_its_end(self) -> None:
        """An alert that only keeps firing would be told and taken back within minutes."""
        planner = quiet()
        planner.run(firing(1, key=FS))
        clear = {key: replace(alert, clear_since=NOON + 590) for key, alert in planner.alerts.items()}

        assert planner.run(now=NOON + 600, alerts=clear) == []
        assert planner.run(ended(2, key=FS, at=NOON + 660), now=NOON + 660) == []

    def test_other_series_of_the_kpi_are_told(self) -> None:
        """A silence is as wide as it was written, no wider."""
        planner = quiet()

        [told] = planner.run(firing(1, key=FS, at=NOON), firing(2, key=PREDICTIVE, at=NOON))

        assert shown(told) == [("predictive", True)]
        assert planner.not_told == [(1, SILENCED), (2, None)]

    def test_a_receiver_that_is_added_meanwhile_hears_of_it_afterwards(self) -> None:
        """A reload within a silence is no way round it."""
        planner = quiet()
        fired = firing(1, key=FS)
        planner.run(fired)
        planner.routes = (HOURLY, Route("new"))

        assert planner.run(now=NOON + 60, standing=[fired]) == []
        assert [(each.receiver, each.reason) for each in planner.run(now=NOON + 600)] == [
            ("sre", STILL),
            ("new", STILL),
        ]

    def test_a_reload_just_then_does_not_take_its_receiver_for_a_new_one(self) -> None:
        """The message must say why it comes so late."""
        planner = quiet()
        fired = firing(1, key=FS)
        planner.run(fired)

        assert reasons(planner.run(now=NOON + 600, standing=[fired])) == [STILL]

    @pytest.mark.parametrize(
        ("silenced", "told_at"),
        [
            (silence(), 600.0),
            (silence(until=NOON + 60), 60.0),
            (silence(Matcher("sprint", "sprint-40")), 60.0),
        ],
        ids=["that_lasts", "that_ends_with_the_sprint", "of_that_sprint_alone"],
    )
    @pytest.mark.parametrize("told_before", [False, True], ids=["new", "told_before"])
    def test_it_goes_over_into_the_next_sprint(self, silenced: Silence, told_at: float, *, told_before: bool) -> None:
        """The day the sprint changes is the day of big deploys, and a silence ends as one is over."""
        planner = Planner(HOURLY)
        if told_before:
            planner.run(firing(1, key=FS), now=NOON - 60)
            planner.silences = [silenced]
            planner.run(now=NOON)
        else:
            planner.silences = [silenced]
            planner.run(firing(1, key=FS))
        carried = replace(FS, sprint="sprint-41")
        moved = firing(
            2, key=carried, from_state=AlertState.FIRING, reason=Reason.CARRIED_OVER, carried_from="sprint-40"
        )
        planner.alerts = {}

        told = {60.0: planner.run(moved, now=NOON + 60)}
        told |= {after: planner.run(now=NOON + after) for after in (61.0, 600.0, 601.0)}

        [message] = told[told_at]
        assert (message.reason, message.sprint) == (STILL, "sprint-41")
        assert sum(map(len, told.values())) == 1

    def test_a_group_in_which_nothing_happens_is_not_read_while_it_is_silenced(self) -> None:
        """A hundred thousand series that fire in a silence must not cost each cycle seconds."""
        planner = quiet()
        planner.run(firing(1, key=FS))
        [name] = planner.groups
        planner.groups[name] = planner.groups[name].partition("\n")[0] + "\nnot to be read"

        assert planner.run(now=NOON + 300) == []
        with pytest.raises(StoreError, match="cannot be read"):
            planner.run(now=NOON + 600)


class TestWhatWasToldBefore:
    """A silence over an alert that fires already: quiet while it lasts, and no loose ends."""

    def test_it_is_not_repeated_within_the_silence_and_told_once_after_it(self) -> None:
        """The reminder would break the silence; silence for good would break the trust in it."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS), now=NOON)
        planner.silences = [silence(until=NOON + 7000)]

        within = [planner.run(now=NOON + after) for after in (60, 3600, 6999)]
        [told] = planner.run(now=NOON + 7000)

        assert within == [[], [], []]
        assert (told.reason, shown(told)) == (STILL, [("fs", True)])

    def test_the_reminders_count_from_that_message(self) -> None:
        """Two messages within a minute say the same thing."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS), now=NOON)
        planner.silences = [silence(until=NOON + 7000)]
        planner.run(now=NOON + 60)
        planner.run(now=NOON + 7000)

        assert planner.run(now=NOON + 10_599) == []
        assert reasons(planner.run(now=NOON + 10_600)) == [REMINDER]

    def test_its_end_is_told_at_once(self) -> None:
        """It closes the incident that the receiver holds open; it can come only once."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS))
        planner.silences = [silence()]
        planner.run(now=NOON + 60)

        [told] = planner.run(ended(2, key=FS, at=NOON + 90))
        again = [planner.run(firing(3, key=FS, at=NOON + 120)), planner.run(ended(4, key=FS, at=NOON + 150))]

        assert (told.reason, again) == (NotificationReason.RECOVERED, [[], []])
        assert planner.not_told[-2:] == [(3, SILENCED), (4, NEVER_TOLD)]
        assert planner.run(now=NOON + 900) == []

    def test_a_worsening_within_it_is_told_afterwards(self) -> None:
        """A second Sev-1 is news even to whoever knows of the first."""
        planner = Planner(NEVER)
        planner.run(firing(1, key=FS))
        planner.silences = [silence()]

        worse = firing(2, key=FS, at=NOON + 60, from_state=AlertState.FIRING, reason=Reason.ESCALATED, value=2.0)
        within = planner.run(worse)
        [told] = planner.run(now=NOON + 600)

        assert within == []
        assert planner.not_told[-1] == (2, SILENCED)
        assert (told.reason, told.transitions, told.series[0].value) == (STILL, (2,), 2.0)

    def test_a_message_about_other_series_still_lists_it(self) -> None:
        """A headline of recovery over a KPI of which one series fires in silence would be half a lie."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS, at=NOON), firing(2, key=PREDICTIVE, at=NOON))
        planner.silences = [silence()]

        [told] = planner.run(ended(3, key=PREDICTIVE, at=NOON + 60))

        assert shown(told) == [("predictive", False), ("fs", True)]


class TestWhatElseHoldsMessagesBack:
    """Silences beside failing sources and beside breaches that stand for risks."""

    def silent(self, seq: int, **changes: Any) -> Any:
        return firing(seq, key=FS, verdict=Verdict.NO_DATA, reason=Reason.STALE, value=None, **changes)

    def test_whoever_silences_an_outage_is_spared_what_it_causes(self) -> None:
        """Or the one message silenced would be replaced by fifty others."""
        planner = quiet(Matcher("kpi", COLLECTOR_UP))

        told = planner.run(firing(1, key=COLLECTOR, at=NOON), self.silent(2, at=NOON))

        assert told == []
        assert planner.not_told == [(1, SILENCED), (2, NotToldReason.SOURCE_DOWN)]

    def test_what_a_silence_kept_back_may_still_be_held_for_its_source(self) -> None:
        """The outage has been told; that the data are missing says nothing new."""
        planner = quiet()
        planner.run(firing(1, key=COLLECTOR, at=NOON), self.silent(2, at=NOON))

        assert planner.run(now=NOON + 600) == []
        back = planner.run(ended(3, key=COLLECTOR, at=NOON + 700), now=NOON + 700)
        assert reasons(back) == [NotificationReason.RECOVERED, NotificationReason.HELD_BACK_AND_STILL_FIRING]

    def test_what_was_held_for_its_source_is_then_silenced(self) -> None:
        """The source comes back in the middle of the maintenance."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=COLLECTOR, at=NOON), self.silent(2, at=NOON))
        planner.silences = [silence()]

        back = planner.run(ended(3, key=COLLECTOR, at=NOON + 60))
        after = planner.run(now=NOON + 600)

        assert reasons(back) == [NotificationReason.RECOVERED]
        assert (reasons(after), after[0].kpi) == ([STILL], FS.kpi)

    def test_a_risk_is_not_told_beside_its_breach(self) -> None:
        """One fault, one message; the risk follows when the breach is over and it is still there."""
        planner = quiet(Matcher("kpi", FS.kpi))
        risk = firing(1, key=RISK, at=NOON, verdict=Verdict.AT_RISK, severity=Severity.TICKET)
        planner.run(risk, firing(2, key=FS, at=NOON))

        [told] = planner.run(now=NOON + 600)
        after = planner.run(ended(3, key=FS, at=NOON + 700), now=NOON + 700)

        assert told.kind is AlertKind.BREACH
        assert [(each.kind, each.reason) for each in after] == [
            (AlertKind.BREACH, NotificationReason.RECOVERED),
            (AlertKind.RISK, STILL),
        ]

    def test_a_close_is_summed_up_in_spite_of_a_silence(self) -> None:
        """It is the sprint's report, given once, and no alert."""
        final = FinalVerdict(
            kpi="a", title="A", lane="l", owner="", verdict=Verdict.MET, reason=Reason.OBJECTIVE_MET, value=1.0,
            unit="", objective="at_most 2",
        )  # fmt: skip
        close = ended(1, key=AlertKey("sprint-40", SPRINT_CLOSE, ()), reason=Reason.SPRINT_CLOSED, finals=(final,))
        planner = quiet(Matcher("sprint", "sprint-40"))

        [told] = planner.run(close)

        assert told.reason is NotificationReason.SPRINT_CLOSED


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (Matcher("kpi", "ga_e2e_p95"), True),
        (Matcher("sprint", "sprint-4.", MatchOp.REGEX), True),
        (Matcher("sprint", "sprint", MatchOp.REGEX), False),
        (Matcher("lane", "ga-ops"), True),
        (Matcher("severity", "ticket"), False),
        (Matcher("kind", "breach"), True),
        (Matcher("kind", "breach", MatchOp.NOT_EQUAL), False),
        (Matcher("tier", ""), True),
        (Matcher("system", "fs|xai2", MatchOp.REGEX), True),
        (Matcher("tenant", "acme", MatchOp.NOT_EQUAL), True),
        (Matcher("tenant", "acme"), False),
    ],
)
def test_a_silence_matches_by_what_the_alert_is_and_by_its_series(matcher: Matcher, matches: bool) -> None:
    """A label that an alert lacks counts as empty, and regexes match the whole value, as in the rules."""
    planner = quiet(matcher)

    planner.run(firing(1, key=FS))

    assert planner.not_told == [(1, SILENCED if matches else None)]


def test_a_group_of_a_version_without_silences_is_read() -> None:
    """An upgrade in the middle of an incident must not forget what was told."""
    planner = Planner(HOURLY)
    planner.run(firing(1, key=FS), now=NOON)
    [(name, text)] = planner.groups.items()
    before = text.replace("false,[],[]]", "false]").replace("[],[]]", "[]]")
    assert len(before) == len(text) - len(",[]") * 3

    assert Group.from_text(before) == Group.from_text(text)
    assert name.startswith("sre/")


class TestAcknowledgements:
    """Somebody has it in hand: no reminders until then, and nothing else is kept back."""

    def acknowledged(self, **changes: Any) -> Planner:
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS, at=NOON), now=NOON)
        planner.acknowledgements = [acknowledgement(**changes)]
        return planner

    def test_reminders_stop_until_it_ends(self) -> None:
        """Who works on it needs no bell; who forgot it does."""
        planner = self.acknowledged()

        assert planner.run(now=NOON + 3600) == []
        assert reasons(planner.run(now=NOON + 7200)) == [REMINDER]

    def test_what_nobody_is_to_be_reminded_of_is_not_read_each_cycle(self) -> None:
        """A hundred thousand series that somebody knows of must not cost each cycle seconds, for hours."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS))
        planner.acknowledgements = [acknowledgement()]
        planner.run(now=NOON + 3700)
        [name] = planner.groups
        planner.groups[name] = planner.groups[name].partition("\n")[0] + "\nnot to be read"

        assert planner.run(now=NOON + 3701) == []
        with pytest.raises(StoreError, match="cannot be read"):
            planner.run(now=NOON + 7200)

    def test_what_joins_what_is_known_is_reminded_of(self) -> None:
        """That nothing was worth a reminder says nothing of what fires since."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS))
        planner.acknowledgements = [acknowledgement(until=NOON + 90_000)]
        quiet_at = planner.run(now=NOON + 3700)
        planner.run(firing(2, key=PREDICTIVE, at=NOON + 3800))

        [reminder] = planner.run(now=NOON + 7400)

        assert quiet_at == []
        assert (reminder.reason, shown(reminder)) == (REMINDER, [("predictive", True)])

    def test_the_recovery_is_told_and_says_who_had_it(self) -> None:
        """It is what everybody waits for."""
        planner = self.acknowledged()

        [told] = planner.run(ended(2, key=FS, at=NOON + 90))

        assert told.reason is NotificationReason.RECOVERED
        assert told.acknowledged == "Acknowledged by Ada until 2026-07-07T13:00:00Z: rolling back"

    def test_a_new_series_is_told_and_reminded_of(self) -> None:
        """One who knows of the first does not know of the second."""
        planner = self.acknowledged()

        [told] = planner.run(firing(2, key=PREDICTIVE, at=NOON + 90), now=NOON + 90)
        [again] = planner.run(now=NOON + 3690)

        assert told.reason is NotificationReason.SERIES_ADDED
        assert told.acknowledged == "What fired before is acknowledged by Ada until 2026-07-07T13:00:00Z: rolling back"
        assert shown(again) == [("predictive", True)]

    def test_a_louder_alert_of_the_kpi_is_told(self) -> None:
        """At risk was acknowledged; missed was not."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=RISK, at=NOON, verdict=Verdict.AT_RISK, severity=Severity.TICKET), now=NOON)
        planner.acknowledgements = [acknowledgement()]

        [told] = planner.run(firing(2, key=FS, at=NOON + 90))

        assert (told.kind, told.reason, told.acknowledged) == (AlertKind.BREACH, FIRST, "")

    def test_one_of_a_series_leaves_the_others_reminders(self) -> None:
        """It is as wide as it was said."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS, at=NOON), firing(2, key=PREDICTIVE, at=NOON), now=NOON)
        planner.acknowledgements = [acknowledgement(labels=FS.labels)]

        [told] = planner.run(now=NOON + 3600)

        assert shown(told) == [("predictive", True)]

    def test_the_message_says_which_series_is_in_hand(self) -> None:
        """A reader must not take the other one for acknowledged as well."""
        planner = Planner(HOURLY)
        planner.run(firing(1, key=FS, at=NOON), firing(2, key=PREDICTIVE, at=NOON), now=NOON)
        planner.acknowledgements = [acknowledgement(labels=FS.labels)]

        [told] = planner.run(ended(3, key=FS, at=NOON + 90), ended(4, key=PREDICTIVE, at=NOON + 90))

        assert told.acknowledged == "system=fs is acknowledged by Ada until 2026-07-07T13:00:00Z: rolling back"

    def test_the_same_alert_that_fires_again_is_not_acknowledged(self) -> None:
        """That it came back is news."""
        planner = self.acknowledged()
        planner.run(ended(2, key=FS, at=NOON + 90))
        planner.run(firing(3, key=FS, at=NOON + 120), now=NOON + 120)

        assert reasons(planner.run(now=NOON + 3720)) == [REMINDER]

    def test_slack_and_webhooks_show_it_escaped(self) -> None:
        """A name is typed by people; it must not become markup."""
        planner = self.acknowledged(by="<!channel>")

        [told] = planner.run(ended(2, key=FS, at=NOON + 90))

        words = "Acknowledged by <!channel> until 2026-07-07T13:00:00Z: rolling back"
        escaped = words.replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in all_texts(slack_message(told))
        assert escaped in plain_message(told)["text"]
        assert webhook_body(told)["alerts"][0]["annotations"]["acknowledged"] == words


class TestTheJob:
    """What the daemon does each cycle over its store, which others may write to as well."""

    def store(self) -> FakeStore:
        store = FakeStore()
        fired = firing(1, key=FS, at=NOON)
        store.save_evaluation(EvaluationRecord(NOON, 0, alerts_after(fired), (fired,)))
        return store

    def plan(self, store: FakeStore, at: float) -> list[NotificationReason]:
        return reasons(plan_once(store, store.alerts, [HOURLY], from_unix(at)).notifications)

    def test_a_silence_in_the_store_counts_from_the_next_run_to_its_end(self) -> None:
        """A command beside the daemon has written it; nothing is restarted."""
        store = self.store()
        asked = NewSilence(
            matchers=(Matcher("kpi", FS.kpi),), starts_at=NOON - 1, ends_at=NOON + 600, by="Ada", why="deploy"
        )
        store.add_silence(asked, NOON - 1)

        assert [self.plan(store, NOON + after) for after in (0, 300, 600)] == [[], [], [STILL]]
        assert store.decisions() == (Decision(1, "sre", None, SILENCED, silence=1),)

    def test_an_acknowledgement_ends_with_the_alert(self) -> None:
        """The list of who has what in hand must not keep what is over."""
        store = self.store()
        asked = NewAcknowledgement(
            sprint="sprint-40", kpi=FS.kpi, labels=None, until=NOON + 9000, by="Ada", why="rolling back"
        )
        store.acknowledge(asked, NOON + 30)

        self.plan(store, NOON + 60)
        held = store.acknowledgements(NOON + 60)
        end = ended(2, key=FS, at=NOON + 90)
        store.save_evaluation(EvaluationRecord(NOON + 90, 0, {FS: None}, (end,)))
        told = self.plan(store, NOON + 90)

        assert (len(held), told) == (1, [NotificationReason.RECOVERED])
        assert store.acknowledgements(NOON + 90) == ()
        assert [each.ended_at for each in store.acknowledgements()] == [NOON + 90]
