"""One day of the shipped lanes, with the real process: every objective is breached at its source, everybody is told, and told again.

The rules, the config and the objectives are the shipped ones; only times are shortened, the sprint is moved to today and the
sources are on loopback and in a folder. ``mission_day`` lives through it once; the tests below look at the record.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slo_guard.domain.alerts import AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP, SPRINT_CLOSE
from slo_guard.domain.verdicts import AlertState, Reason
from tests.support.daemon import described, stored
from tests.support.mission_cases import CASES
from tests.support.mission_cases.pilots import TICKETS_OF_GLOBEX
from tests.support.mission_day import CONDITIONAL, FORGOTTEN_TENANT, NOT_APPLICABLE, RETRY_AFTER, Day, live
from tests.support.shipped_mission import judged_kpis, kpis_with, shipped_kpis
from tests.support.slack_stand_in import SlackStandIn
from tests.support.told import hook_bodies, slack_headed, slack_messages
from tests.support.webhook_stand_in import WebhookStandIn

pytestmark = pytest.mark.xdist_group("every-kpi")

JUDGED = tuple(name for name in judged_kpis() if name in CASES)
BREACHED = tuple(name for name in JUDGED if CASES[name].kind == "breach")
AT_RISK = tuple(name for name in JUDGED if CASES[name].risk is not None)
FOR_GOOD = tuple(name for name in JUDGED if not CASES[name].can_recover)
TRACKED_IN_THE_END = {"sprint_points_remaining": "25", "scope_change_points": "4"}
"""Numbers over all pages and collections: five tickets, and three changes of scope that are shown again and again."""

BURNING = tuple(name for name in JUDGED if CASES[name].burns)
"""Those with an error budget, whose burn alerts are told beside the breach."""

SIGNED_BY_COMMAND = tuple(name for name in JUDGED if CASES[name].by_command)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Live through the day once."""
    with SlackStandIn() as slack, WebhookStandIn() as hook:
        yield live(tmp_path_factory.mktemp("mission"), slack, hook)


def test_every_judged_kpi_of_the_shipped_rules_has_a_case_here() -> None:
    """A KPI that is added to the lanes must be breached here too, or nobody knows that it would be told."""
    judged = judged_kpis()

    assert len(judged) >= 50
    assert set(judged) == set(CASES)


@pytest.mark.parametrize("kpi", JUDGED)
def test_a_breach_is_seen_and_told_to_slack_and_the_webhook(day: Day, kpi: str) -> None:
    """It is what the daemon is for: what crosses its objective is missed, with the reason, and both receivers say so."""
    case, owner = CASES[kpi], shipped_kpis()[kpi]["owner"]

    assert day.calm.get(kpi) == case.calm
    assert day.breached.get(kpi) == case.breached
    (text,) = slack_messages(day.slack.accepted, kpi, case.headline)
    assert case.says in text
    for part in ("*Objective*", "*Lane*", owner, "open the runbook", "since"):
        assert part in text
    body = hook_bodies(day.hook.accepted, kpi, case.kind, "firing")[0]
    (alert,) = [each for each in body["alerts"] if each["labels"].items() >= case.labels.items()]
    assert alert["status"] == "firing"
    assert alert["labels"].items() >= {"kpi": kpi, "owner": owner}.items()
    assert alert["annotations"]["reason"] == case.breached[1]
    assert alert["annotations"]["runbook_url"].startswith("https://runbooks.example/")


@pytest.mark.parametrize("kpi", [name for name in JUDGED if CASES[name].can_recover])
def test_a_recovery_is_seen_and_told_to_slack_and_the_webhook(day: Day, kpi: str) -> None:
    """Who was woken by a breach must hear of its end, by the same way, or looks for a fault that is gone."""
    case = CASES[kpi]

    assert day.mended.get(kpi) == case.recovered
    assert slack_messages(day.slack.accepted, kpi, "Recovered")
    (body,) = hook_bodies(day.hook.accepted, kpi, case.kind, "resolved")
    (alert,) = body["alerts"]
    assert alert["labels"].items() >= case.labels.items()
    assert alert["annotations"]["reason"] == "recovered"
    assert alert["endsAt"] > alert["startsAt"]


@pytest.mark.parametrize("kpi", FOR_GOOD)
def test_what_cannot_recover_within_the_sprint_stays_missed_until_it_closes(day: Day, kpi: str) -> None:
    """The Sev-1 has been, and the ten minutes are used up: a message of recovery would be a lie."""
    ends = [each for each in _ends(day, AlertKind.BREACH) if each.key.kpi == kpi]

    assert day.mended.get(kpi) == CASES[kpi].breached
    assert not slack_messages(day.slack.accepted, kpi, "Recovered")
    assert not slack_messages(day.slack.accepted, kpi, "Alert ended")
    assert not hook_bodies(day.hook.accepted, kpi, "breach", "resolved")
    assert [each.reason for each in ends] == [Reason.SPRINT_CLOSED]


@pytest.mark.parametrize("kpi", AT_RISK)
def test_what_is_at_risk_is_told_as_a_risk_before_it_is_breached(day: Day, kpi: str) -> None:
    """Half of a limit used, a checkpoint passed, behind the line, drifting: a ticket in time spares a page."""
    risk = CASES[kpi].risk
    assert risk is not None
    labels, reason = risk

    (text, *_) = slack_messages(day.slack.accepted, kpi, "At risk")
    body = hook_bodies(day.hook.accepted, kpi, "risk", "firing")[0]
    (alert,) = body["alerts"]
    bodies = [each.document for each in day.hook.accepted if each.document["groupLabels"]["kpi"] == kpi]

    assert "*Severity*\nticket" in text
    assert alert["labels"].items() >= {**labels, "severity": "ticket"}.items()
    assert alert["annotations"]["reason"] == reason
    assert [each["groupLabels"]["kind"] for each in bodies][:2] == ["risk", "breach"]


def test_every_error_budget_of_the_shipped_rules_burns_here() -> None:
    """A budget that is added to the lanes must burn here too, or nobody knows that it would be told."""
    assert set(BURNING) == set(kpis_with("error_budget"))


@pytest.mark.parametrize("kpi", BURNING)
def test_a_budget_that_burns_is_told_and_so_is_that_it_does_no_longer(day: Day, kpi: str) -> None:
    """It comes before the promise is broken, or beside it; its pace reads as one, and its end is told as well."""
    case = CASES[kpi]
    tier = {"kind": "burn", "tier": case.burns}

    texts = slack_messages(day.slack.accepted, kpi, "Burning its error budget")
    (text,) = [each for each in texts if f"over {' and '.join(case.burns.split('/'))}" in each]
    assert "times the allowed rate over" in text
    assert "of the sprint error budget goes in" in text
    fired, ended = (
        [
            body
            for body in hook_bodies(day.hook.accepted, kpi, "burn", status)
            if body["groupLabels"].items() >= tier.items()
        ]
        for status in ("firing", "resolved")
    )
    (alert,) = fired[0]["alerts"]
    assert alert["labels"].items() >= {**case.labels, **tier}.items()
    assert alert["annotations"]["reason"] == "burning"
    (over,) = ended[0]["alerts"]
    assert over["annotations"]["reason"] == "recovered"


def test_the_burn_alarms_are_held_against_what_mission_control_counted(day: Day) -> None:
    """Two counts of one thing that differ are a question; side by side it can be asked."""
    (text,) = slack_messages(day.slack.accepted, "burn_alarm_minutes", "Breached")

    assert "by slo_guard_burn_alarm_seconds" in text


def test_all_other_series_stay_as_they_were(day: Day) -> None:
    """One system's, partner's or tenant's breach must not page for the others."""
    for name, verdicts in day.others.items():
        assert verdicts <= CASES[name].others, name
    with_others = {name for name, verdicts in day.others.items() if verdicts}
    assert with_others == {name for name, case in CASES.items() if case.labels}


def test_a_second_sev1_is_told_as_worse(day: Day) -> None:
    """Who knows of the first one still has to hear of the second, although nothing fires anew."""
    (text,) = slack_messages(day.slack.accepted, "sev1_incidents", "Worse")
    bodies = hook_bodies(day.hook.accepted, "sev1_incidents", "breach", "firing")

    assert "*2*" in text
    assert "was 1" in text
    assert [body["notification_reason"] for body in bodies] == ["first_notification", "escalated"]
    assert [body["alerts"][0]["annotations"]["value"] for body in bodies] == ["1", "2"]


def test_what_depends_on_a_decision_that_was_taken_back_is_nobodys_business(day: Day) -> None:
    """A pilot that is called off owes nothing: who would be told of it could only ignore it."""
    later = [each.document for each in day.hook.accepted[day.told_before_called_off :]]

    assert len(CONDITIONAL) >= 15
    assert day.called_off == dict.fromkeys(CONDITIONAL, NOT_APPLICABLE)
    assert [body["groupLabels"] for body in later if body["groupLabels"]["kpi"] in CONDITIONAL] == []


def test_a_tenant_whose_export_nobody_planned_is_told(day: Day) -> None:
    """Who is forgotten has no row to be late in: only the list of tenants knows of it."""
    (text,) = slack_messages(day.slack.accepted, "metering_exports_on_schedule", "No data")
    body = hook_bodies(day.hook.accepted, "metering_exports_on_schedule", "breach", "firing")[-1]
    (alert,) = body["alerts"]

    assert f"the month-open export of {FORGOTTEN_TENANT} is not on schedule" in text
    assert alert["labels"]["tenant"] == FORGOTTEN_TENANT
    assert alert["annotations"]["reason"] == "never_seen"


def test_every_row_of_a_file_counts_once(day: Day) -> None:
    """Rows in halves, a rotation and a row that comes twice are an ordinary day of an export."""
    assert day.samples == {"mpd_partner_sla_median": TICKETS_OF_GLOBEX}


def test_the_close_is_told_in_one_message_that_lists_every_kpi(day: Day) -> None:
    """What ends with the sprint ends in one summary, not in a storm of messages about what nobody can change."""
    (text,) = slack_headed(day.slack.accepted, "Sprint closed")
    (body,) = hook_bodies(day.hook.accepted, SPRINT_CLOSE, "breach", "resolved")
    after = [each.document["groupLabels"]["kpi"] for each in day.hook.accepted[day.told_before_close :]]
    values = {alert["labels"]["exported_kpi"]: alert["annotations"]["value"] for alert in body["alerts"]}

    assert after == [SPRINT_CLOSE]
    assert set(values) == set(shipped_kpis())
    assert values.items() >= TRACKED_IN_THE_END.items()
    for kpi in shipped_kpis().values():
        assert f"*{kpi['title'].replace('&', '&amp;')}*" in text
    for name in FOR_GOOD:
        assert f"missed: *{shipped_kpis()[name]['title']}*" in text


def test_slack_is_asked_again_no_sooner_than_it_wishes(day: Day) -> None:
    """A receiver that says when to come again and is not obeyed takes the next message no more."""
    statuses = [each.status for each in day.busy]
    after = next(each.at for each in day.slack.received if each.at > day.busy[0].at)

    assert statuses == [429, 500, 500]
    assert after - day.busy[0].at >= RETRY_AFTER - 0.05
    assert len({each.key for each in day.busy}) == 1, "order is kept: the same message is tried until it is taken"


def test_all_messages_keep_what_the_receivers_document(day: Day) -> None:
    """Slack refuses what is beyond its limits, and what takes Alertmanager's body must take ours."""
    assert day.slack.problems == []
    assert day.hook.problems == []


def test_people_sign_by_the_command(day: Day) -> None:
    """It is how a deadline is met, and it says what it did."""
    for kpi in SIGNED_BY_COMMAND:
        assert f"{kpi} signed by SRE Lead" in day.signed
    assert "fsv2_decision_go taken back by SRE Lead" in day.signed


def test_nothing_is_lost(day: Day) -> None:
    """Each transition is told to each receiver by a message that it took, or there is a recorded reason why not."""
    transitions, decisions = stored(day.store)
    taken = {"slack": {each.key for each in day.slack.accepted}, "oncall": {each.key for each in day.hook.accepted}}

    assert [each.seq for each in transitions] == list(range(1, len(transitions) + 1))
    made = sorted((each.transition, each.receiver) for each in decisions)
    assert made == sorted((each.seq, receiver) for each in transitions for receiver in taken)
    for decision in decisions:
        assert (decision.told_by in taken[decision.receiver]) != (decision.not_told is not None), decision
    told = {(each.transition, each.receiver) for each in decisions if each.told_by is not None}
    fired = [each for each in transitions if each.to_state is AlertState.FIRING]
    breached = {each.key.kpi for each in fired if each.key.kind is AlertKind.BREACH}
    assert breached - {COLLECTOR_UP} == set(BREACHED)
    untold = [described(each) for each in fired if {(each.seq, "slack"), (each.seq, "oncall")} - told]
    assert untold == []
    closed = [each for each in transitions if each.reason is Reason.SPRINT_CLOSED]
    assert {(each.seq, receiver) for each in closed for receiver in taken} <= told


def test_the_log_has_no_traceback(day: Day) -> None:
    """A day of faults at the sources is an ordinary day for the daemon."""
    assert "Traceback" not in day.log
    assert "job_failed" not in day.log, day.log
    assert "collection_failed" not in day.log, day.log
    rejected = [line for line in day.log.splitlines() if "samples_rejected" in line]
    assert len(rejected) == 1
    assert "comes again" in rejected[0], "a ticket that is written twice"


def _ends(day: Day, kind: AlertKind) -> list[Transition]:
    """Return the transitions by which firing alerts of a kind ended."""
    transitions, _ = stored(day.store)
    return [
        each
        for each in transitions
        if each.key.kind is kind and AlertState.FIRING is each.from_state is not each.to_state
    ]
