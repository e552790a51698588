"""One day of the shipped lanes, with the real process: every objective is breached at its source, everybody is told, and told again.

The rules, the queries and the objectives are the shipped ones; only times are shortened and the sprint is moved to today.
All breaches happen at once while Slack is busy, then all that can recover does. The tests below look at the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.verdicts import AlertState
from tests.support.daemon import Daemon, described, eventually, slo_guard, stored
from tests.support.mission_sources import MissionSources
from tests.support.shipped_mission import DRILL, SYSTEMS, calm_past, judged_kpis, shipped_sources, write_mission
from tests.support.slack_stand_in import SlackStandIn, all_texts
from tests.support.webhook_stand_in import Received, WebhookStandIn

pytestmark = pytest.mark.xdist_group("every-kpi")

RETRY_AFTER = 3.0
DUE_IN = 10.0
PAST_READ_WITHIN = 180.0
"""The first start reads a day of seven indicators back; on a busy machine that takes its time."""
TOLD_WITHIN = 60.0


@dataclass(frozen=True)
class Case:
    """How one KPI is breached and mended at its source, and what is then to be seen and read."""

    breach: Callable[[MissionSources], None] = lambda _sources: None
    recover: Callable[[MissionSources], None] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    calm: tuple[str, str] = ("met", "objective_met")
    breached: tuple[str, str] = ("missed", "objective_missed")
    recovered: tuple[str, str] = ("met", "objective_met")
    says: str = ""
    """A text that the message to Slack must hold: the value, as people read it."""

    @property
    def can_recover(self) -> bool:
        return self.recover is not None


def _audits_late(sources: MissionSources) -> None:
    sources.add("ga_audits_total", 25, system="fs")


def _audits_passed(sources: MissionSources) -> None:
    sources.add("ga_audits_passed_total", 25, system="fs")


def _complaints(sources: MissionSources) -> None:
    sources.add("ga_requests_total", 20, system="xai2")
    sources.add("ga_complaints_total", 19, system="xai2")


def _diluted(sources: MissionSources) -> None:
    sources.add("ga_requests_total", 8980, system="xai2")


def _nothing(_sources: MissionSources) -> None:
    """Do nothing: the rollback drill is breached by its due time, and recovers by ``slo-guard sign``."""


CASES = {
    "sev1_incidents": Case(lambda sources: sources.add("sev1_incidents_total", 1), says="*1*"),
    "burn_alarm_minutes": Case(
        lambda sources: sources.set("burn_alarm_active", 1.0), calm=("at_risk", "past_warn"), says="10m"
    ),
    "query_p95_4hop_100k": Case(
        lambda sources: sources.set("query_p95_4hop_100k_seconds", 0.97),
        lambda sources: sources.set("query_p95_4hop_100k_seconds", 0.74),
        says="970ms",
    ),
    "ga_e2e_p95": Case(
        lambda sources: sources.set("ga_e2e_p95_seconds", 1.31, system="predictive"),
        lambda sources: sources.set("ga_e2e_p95_seconds", 1.02, system="predictive"),
        labels={"system": "predictive"},
        says="1.31s",
    ),
    "ga_complaint_rate": Case(_complaints, _diluted, labels={"system": "xai2"}, says="1.96"),
    "ga_audits": Case(_audits_late, _audits_passed, labels={"system": "fs"}, says="80%"),
    DRILL: Case(
        _nothing,
        _nothing,
        calm=("not_due", "not_due_yet"),
        breached=("missed", "overdue"),
        recovered=("met", "met_late"),
        says="rollback drill",
    ),
}


@dataclass
class Day:
    """What was to be seen and what arrived; verdicts by KPI, for the series that its case is about."""

    slack: SlackStandIn
    hook: WebhookStandIn
    calm: dict[str, tuple[str, str]]
    breached: dict[str, tuple[str, str]]
    mended: dict[str, tuple[str, str]]
    others: dict[str, set[str]]
    signed: str
    store: Path
    log: str
    busy: list[Received]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Live through the day once."""
    folder = tmp_path_factory.mktemp("mission") / "mission"
    with shipped_sources() as sources, SlackStandIn() as slack, WebhookStandIn() as hook:
        now = time.time()  # noqa: TID251 - the process under test reads the same clock
        calm_past(sources, now, burned_seconds=588)
        config = write_mission(
            folder, sources, now, slack_url=slack.url, webhook_url=hook.url, drill_due_at=now + DUE_IN
        )
        with Daemon(config) as daemon:
            yield _live(daemon.start().wait_ready(), sources, slack, hook)


def _live(daemon: Daemon, sources: MissionSources, slack: SlackStandIn, hook: WebhookStandIn) -> Day:
    seen: dict[str, dict[str, tuple[str, str]]] = {"calm": {}, "breached": {}, "mended": {}}

    def watch(stage: str, wanted: Callable[[Case], tuple[str, str] | None], timeout: float) -> None:
        """Note each case's verdict once it is the wanted one; the last one seen where that takes too long."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for name, case in CASES.items():
                if wanted(case) is not None and seen[stage].get(name) != wanted(case):
                    with suppress(LookupError):  # a series that has not been collected yet
                        seen[stage][name] = daemon.verdict(name, **case.labels)
            if all(seen[stage].get(name) == wanted(case) for name, case in CASES.items() if wanted(case) is not None):
                return
            time.sleep(0.1)

    watch("calm", lambda case: case.calm, PAST_READ_WITHIN)
    slack.wait_for(lambda got: len(got) >= 1)
    hook.wait_for(lambda got: len(got) >= 1)

    slack.answer(429, retry_after=RETRY_AFTER)
    slack.answer(500, b"internal_error", times=2)
    before_busy = len(slack.received)
    for case in CASES.values():
        case.breach(sources)
    watch("breached", lambda case: case.breached, TOLD_WITHIN)
    for name in CASES:
        slack.wait_for(lambda got, name=name: slack_tells(got, name, firing=True), TOLD_WITHIN)
        hook.wait_for(lambda got, name=name: hook_tells(got, name, "firing"), TOLD_WITHIN)
    busy = [each for each in slack.received[before_busy:] if each.status != 200]
    others = {
        name: {each["verdict"] for each in daemon.kpi(name)["series"] if each["labels"] != case.labels}
        for name, case in CASES.items()
    }

    for case in CASES.values():
        if case.recover is not None:
            case.recover(sources)
    sources.set("burn_alarm_active", 0.0)
    signed = slo_guard(
        "sign", DRILL, "--by", "SRE Lead", "--link", "https://runbooks.example/drill", "--config", str(daemon.config),
        cwd=daemon.config.parent,
    )  # fmt: skip
    watch("mended", lambda case: case.recovered if case.can_recover else case.breached, TOLD_WITHIN)
    for name, case in CASES.items():
        if case.can_recover:
            slack.wait_for(lambda got, name=name: slack_tells(got, name, firing=False), TOLD_WITHIN)
            hook.wait_for(lambda got, name=name: hook_tells(got, name, "resolved"), TOLD_WITHIN)
    eventually(daemon.outbox_is_empty, what="all messages are delivered")
    assert daemon.stop() == 0, daemon.stderr
    return Day(
        slack=slack,
        hook=hook,
        calm=seen["calm"],
        breached=seen["breached"],
        mended=seen["mended"],
        others=others,
        signed=signed.stdout + signed.stderr,
        store=daemon.config.parent / "slo-guard.db",
        log=daemon.stderr,
        busy=busy,
    )


def slack_messages(received: list[Received], kpi: str, *, firing: bool) -> list[str]:
    """Return what readers in Slack see of a KPI: of its breach, or of its recovery."""
    word = ("Breached", "No data") if firing else ("Recovered",)
    texts = [all_texts(each.document) for each in received]
    return [text for text in texts if f"*KPI*\n{kpi}\n" in text + "\n" and any(each in text for each in word)]


def slack_tells(received: list[Received], kpi: str, *, firing: bool) -> bool:
    return bool(slack_messages(received, kpi, firing=firing))


def hook_bodies(received: list[Received], kpi: str, status: str) -> list[Any]:
    """Return the webhook's bodies about a KPI's breach with that status."""
    about = [each.document for each in received]
    return [
        body
        for body in about
        if body["groupLabels"]["kpi"] == kpi and body["groupLabels"]["kind"] == "breach" and body["status"] == status
    ]


def hook_tells(received: list[Received], kpi: str, status: str) -> bool:
    return bool(hook_bodies(received, kpi, status))


def test_every_judged_kpi_of_the_shipped_rules_has_a_case_here() -> None:
    """A KPI that is added to the lanes must be breached here too, or nobody knows that it would be told."""
    judged = judged_kpis()

    assert len(judged) >= 7
    assert set(judged) == set(CASES)


@pytest.mark.parametrize("kpi", judged_kpis())
def test_a_breach_is_seen_and_told_to_slack_and_the_webhook(day: Day, kpi: str) -> None:
    """It is what the daemon is for: what crosses its objective is missed, with the reason, and both receivers say so."""
    case = CASES[kpi]

    assert day.calm[kpi] == case.calm
    assert day.breached[kpi] == case.breached
    (text,) = slack_messages(day.slack.accepted, kpi, firing=True)
    assert case.says in text
    for part in ("*Objective*", "*Lane*", "SRE Lead", "open the runbook", "since"):
        assert part in text
    (body,) = hook_bodies(day.hook.accepted, kpi, "firing")
    (alert,) = body["alerts"]
    assert alert["status"] == "firing"
    assert alert["labels"].items() >= {**case.labels, "kpi": kpi, "owner": "SRE Lead"}.items()
    assert alert["annotations"]["reason"] == case.breached[1]
    assert alert["annotations"]["runbook_url"].startswith("https://runbooks.example/")


@pytest.mark.parametrize("kpi", [name for name in judged_kpis() if name in CASES and CASES[name].can_recover])
def test_a_recovery_is_seen_and_told_to_slack_and_the_webhook(day: Day, kpi: str) -> None:
    """Who was woken by a breach must hear of its end, by the same way, or looks for a fault that is gone."""
    case = CASES[kpi]

    assert day.mended[kpi] == case.recovered
    assert len(slack_messages(day.slack.accepted, kpi, firing=False)) == 1
    (body,) = hook_bodies(day.hook.accepted, kpi, "resolved")
    (alert,) = body["alerts"]
    assert alert["labels"].items() >= case.labels.items()
    assert alert["annotations"]["reason"] == "recovered"
    assert alert["endsAt"] > alert["startsAt"]


@pytest.mark.parametrize("kpi", [name for name in judged_kpis() if name in CASES and not CASES[name].can_recover])
def test_what_cannot_recover_within_the_sprint_stays_missed(day: Day, kpi: str) -> None:
    """The Sev-1 has been, and the ten minutes are used up: a message of recovery would be a lie."""
    assert day.mended[kpi] == CASES[kpi].breached

    assert not slack_messages(day.slack.accepted, kpi, firing=False)
    assert not hook_bodies(day.hook.accepted, kpi, "resolved")


def test_the_other_systems_stay_met(day: Day) -> None:
    """One system's breach must not page for the others."""
    assert {name: verdicts for name, verdicts in day.others.items() if verdicts} == {
        "ga_e2e_p95": {"met"},
        "ga_complaint_rate": {"met"},
        "ga_audits": {"met"},
    }
    assert len(SYSTEMS) == 3


def test_past_its_warning_bound_a_kpi_is_told_as_a_risk_before_it_is_breached(day: Day) -> None:
    """Five of ten minutes used up is a ticket, not a page, and comes first."""
    bodies = [each.document for each in day.hook.accepted]
    kinds = [body["groupLabels"]["kind"] for body in bodies if body["groupLabels"]["kpi"] == "burn_alarm_minutes"]

    assert kinds[:2] == ["risk", "breach"]


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


def test_the_drill_was_signed_by_the_command(day: Day) -> None:
    """People sign by the command line, and it says what it did."""
    assert DRILL in day.signed
    assert "SRE Lead" in day.signed


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
    fired = [each for each in transitions if each.to_state is AlertState.FIRING and each.key.kind is AlertKind.BREACH]
    assert {each.key.kpi for each in fired} == set(judged_kpis())
    untold = [described(each) for each in fired if {(each.seq, "slack"), (each.seq, "oncall")} - told]
    assert untold == []


def test_the_log_has_no_traceback(day: Day) -> None:
    """A day of faults at the sources is an ordinary day for the daemon."""
    assert "Traceback" not in day.log
    assert "job_failed" not in day.log, day.log
