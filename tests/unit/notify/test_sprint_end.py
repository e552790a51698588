"""What is told when a KPI gets worse for good, when a sprint closes, and when an alert goes on in the next sprint."""

from __future__ import annotations

from dataclasses import replace

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKey, FinalVerdict, Transition
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import NotificationReason, NotToldReason, Route
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify.slack_blocks import plain_message, slack_message
from slo_guard.notify.webhook import webhook_body
from slo_guard.store.documents import transition_from, transition_text
from tests.support.notices import NOON, an_alert_key, ended, firing
from tests.support.slack_stand_in import message_problems
from tests.unit.notify.test_plan import Planner

SEV1 = an_alert_key("sev1_incidents")
P95 = an_alert_key("ga_e2e_p95", system="fs")


def final(
    kpi: str, verdict: Verdict, value: float | None, unit: str | None = "", objective: str = "equals 0"
) -> FinalVerdict:
    return FinalVerdict(
        kpi=kpi, title=f"The {kpi}", lane="reliability", owner="SRE Lead", verdict=verdict,
        reason=Reason.OBJECTIVE_MISSED, value=value, unit=unit, objective=objective,
    )  # fmt: skip


def a_close(seq: int, *finals: FinalVerdict, at: float = NOON + 100) -> Transition:
    return ended(
        seq,
        at=at,
        key=AlertKey("sprint-40", SPRINT_CLOSE, ()),
        from_state=AlertState.INACTIVE,
        reason=Reason.SPRINT_CLOSED,
        title="Sprint 40",
        annotations={},
        finals=finals,
    )


def test_an_escalation_is_told_as_worse_with_the_new_value():
    """A second Sev-1 must be heard although the first one's alert still fires."""
    planner = Planner()
    planner.run(firing(1, key=SEV1, value=1.0))

    [message] = planner.run(
        firing(2, key=SEV1, value=2.0, from_state=AlertState.FIRING, reason=Reason.ESCALATED, note="was 1")
    )

    assert message.reason is NotificationReason.ESCALATED
    assert [line.value for line in message.series] == [2.0]
    assert planner.records[-1].decisions[0].told_by == message.key
    assert "Worse" in slack_message(message)["text"]
    assert message_problems(slack_message(message)) == []


def test_an_escalation_of_what_is_held_back_or_not_wanted_is_not_told():
    """It adds nothing for who does not hear of the alert."""
    planner = Planner(Route("sre", severities=(Severity.TICKET,)))
    escalation = firing(2, key=SEV1, from_state=AlertState.FIRING, reason=Reason.ESCALATED)

    assert planner.run(firing(1, key=SEV1)) == []
    assert planner.run(escalation) == []
    assert planner.records[-1].decisions[0].not_told is NotToldReason.NOT_ROUTED


def test_the_close_of_a_sprint_is_one_message_with_how_every_kpi_ended():
    """Thirty messages at midnight would hide the one that matters."""
    planner = Planner()
    planner.run(firing(1, key=SEV1, value=1.0), firing(2, key=P95))
    finals = (
        final("ga_e2e_p95", Verdict.MET, 0.92, "seconds", "at_most 1.16s"),
        final("sev1_incidents", Verdict.MISSED, 1.0),
    )
    end = ended(3, key=SEV1, at=NOON + 100, reason=Reason.SPRINT_CLOSED, verdict=Verdict.MISSED)

    [message] = planner.run(end, a_close(4, *finals))

    assert message.reason is NotificationReason.SPRINT_CLOSED
    assert [dict(line.labels)["kpi"] for line in message.series] == ["sev1_incidents", "ga_e2e_p95"]
    assert message.transitions == (3, 4)
    assert {each.told_by for each in planner.records[-1].decisions} == {message.key}
    assert planner.run(now=NOON + 1e6)[0].kpi == "ga_e2e_p95", "what ended is not reminded of"


def test_a_kpi_that_fires_at_the_end_instant_is_told_before_the_summary():
    """What was due at the sprint's end is breached at it, and that is news of its own."""
    planner = Planner()
    fired = firing(1, key=SEV1, at=NOON + 100)
    end = ended(2, key=SEV1, at=NOON + 100, reason=Reason.SPRINT_CLOSED, verdict=Verdict.MISSED)

    messages = planner.run(fired, end, a_close(3, final("sev1_incidents", Verdict.MISSED, 1.0)))

    assert [message.reason for message in messages] == [
        NotificationReason.FIRST_NOTIFICATION,
        NotificationReason.SPRINT_CLOSED,
    ]


def test_the_summary_goes_to_every_receiver_whatever_it_hears_of():
    """Who hears of tickets only wants to know how the sprint ended, too."""
    planner = Planner(Route("pages", (Severity.PAGE,)), Route("tickets", (Severity.TICKET,), send_resolved=False))

    messages = planner.run(a_close(1, final("sev1_incidents", Verdict.MET, 0.0)))

    assert [message.receiver for message in messages] == ["pages", "tickets"]
    assert len({message.key for message in messages}) == 2


def test_the_summary_keeps_slacks_limits_however_many_kpis_there_are():
    """A large sprint's summary must not be refused."""
    finals = [final(f"kpi_{number}_" + "x" * 80, Verdict.MISSED, 1.0) for number in range(400)]

    [message] = Planner().run(a_close(1, *finals))

    assert message_problems(slack_message(message)) == []
    assert message_problems(plain_message(message)) == []
    text = str(slack_message(message))
    assert "Sprint closed: Sprint 40" in text
    assert "and 200 more" in text
    assert webhook_body(message)["status"] == "resolved"


def moved(**fields: object) -> FinalVerdict:
    """Return a KPI that is met by a target that was moved in mid-sprint."""
    change = RuleChange("sprint-40", "ga_e2e_p95", NOON, "objective", "at_most 1.16s", "at_most 1.3s")
    met = final("ga_e2e_p95", Verdict.MET, 1.2, "seconds", "at_most 1.3s")
    return replace(met, changes=(change,), by_original=Verdict.MISSED, **fields)


def test_the_summary_says_that_a_target_changed_and_what_it_would_be_by_the_first():
    """A sprint that ends all green because its targets moved has to be told so in the same message."""
    [message] = Planner().run(a_close(1, moved()))

    told = f"target changed {iso(NOON)}: at most 1.16s -> at most 1.3s; by the original: missed"
    assert message.series[0].annotations["target_changed"] == told
    assert told.replace(">", "&gt;") in str(slack_message(message)["blocks"])
    assert webhook_body(message)["alerts"][0]["annotations"]["target_changed"] == told
    assert message_problems(slack_message(message)) == []


def test_of_many_changes_of_a_rule_the_last_are_told():
    """A line of the summary is a line."""
    one = moved().changes[0]

    [message] = Planner().run(a_close(1, replace(moved(), changes=(one,) * 5, by_original=None)))

    assert message.series[0].annotations["target_changed"].startswith("3 earlier changes; target changed ")
    assert message.series[0].annotations["target_changed"].count("->") == 2


def test_a_webhook_gets_the_digests_of_what_was_frozen():
    """Whoever files the sprint's report has the proof with it; what goes on after the sprint has none."""
    sealed = replace(final("sev1_incidents", Verdict.MISSED, 1.0), inputs_digest="ab" * 32, rule_digest="cd" * 32)

    [message] = Planner().run(a_close(1, sealed, final("ga_e2e_p95", Verdict.MET, 0.92)))

    first, second = (alert["annotations"] for alert in webhook_body(message)["alerts"])
    assert (first["inputs_digest"], first["rule_digest"]) == ("ab" * 32, "cd" * 32)
    assert second.keys().isdisjoint({"inputs_digest", "rule_digest", "target_changed"})


def test_an_alert_that_goes_on_in_the_next_sprint_is_not_told_again_and_its_end_is():
    """Midnight is no news to whoever works on the breach; its recovery is."""
    planner = Planner()
    planner.run(firing(1, key=P95))
    there = replace(P95, sprint="sprint-41")
    carried = firing(2, key=there, from_state=AlertState.FIRING, reason=Reason.CARRIED_OVER, carried_from="sprint-40")

    assert planner.run(carried) == []
    assert planner.records[-1].decisions[0].not_told is NotToldReason.CARRIED_OVER
    planner.alerts.pop(P95, None)
    [message] = planner.run(ended(3, key=there))

    assert (message.reason, message.sprint) == (NotificationReason.RECOVERED, "sprint-41")
    assert planner.groups == {}


def test_the_new_fields_of_a_transition_come_back_from_the_store():
    """A summary that is planned after a restart is the same."""
    close = a_close(1, final("ga_e2e_p95", Verdict.NO_DATA, None, "seconds", "at_most 1.16s"))
    carried = firing(2, key=P95, reason=Reason.CARRIED_OVER, carried_from="sprint-39")

    assert transition_from(transition_text(close)) == close
    assert transition_from(transition_text(carried)) == carried
