"""The cycle through a sprint's end: what is shown and told of the old sprint and of the one that follows."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from slo_guard.clock import from_unix
from slo_guard.cycle import EvaluationCycle
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import Route
from slo_guard.domain.verdicts import Verdict
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder
from slo_guard.gated import gate_stored
from slo_guard.source_board import SourceBoard
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, a_sprint, an_objective, numbered
from tests.support.fake_store import FakeStore

T0 = SPRINT_START
END, NEXT = T0 + 630.0, T0 + 900.0
SEV1 = a_kpi("sev1", "increase over sprint", objective=an_objective("equals", 0), baseline=0.0, min_coverage=0.0)
P95 = a_kpi("p95", objective=an_objective("at_most", 1))


def two_sprints() -> Plan:
    """Return a plan with the same KPIs in two sprints, a gap between them."""
    sprints = (a_sprint(T0, END), a_sprint(NEXT, NEXT + 86_400, "sprint-41"))
    kpis: list[KPI] = [replace(kpi, sprint=sprint.id) for sprint in sprints for kpi in (SEV1, P95)]
    return replace(a_plan(*kpis), sprints={sprint.id: sprint for sprint in sprints})


class Daemon:
    """A cycle over a store in memory, which can be started anew."""

    def __init__(self) -> None:
        self.store, self.holder, self.now = FakeStore(), SnapshotHolder(), T0
        self.store.stored = numbered([a_frame("a", T0 + 30.0 * n, float((n > 0) + (n > 5))) for n in range(60)])
        self.plan = two_sprints()
        self.start()

    def start(self) -> None:
        """Start with what the store holds."""
        persisted = self.store.load_evaluation()
        known = self.store.observations(up_to_id=persisted.reading_cursor)
        state = EvaluationState.restored(self.plan, persisted, known)
        self.cycle = EvaluationCycle(
            self.store,
            self.holder,
            OwnMetrics(),
            SourceBoard(),
            lambda: from_unix(self.now),
            lambda: None,
            lambda _plan, _departed, _awaiting: state,
        )
        self.cycle.follow(self.plan, state, [Route("slack")])

    def run_until(self, last: float) -> Snapshot:
        """Run every cycle that is due up to ``last``; return what is shown then."""
        while (due := self.cycle.next_after(self.now)) <= last:
            self.now = due
            self.cycle.run()
        assert self.holder.current is not None
        return self.holder.current

    def told(self) -> list[tuple[str, str, str]]:
        """Return the messages: sprint, KPI, reason."""
        messages = [item.row.notification for item in self.store.outbox.values()]
        return [(each.sprint, each.kpi, each.reason.value) for each in messages]


def test_a_sprint_ends_in_one_message_and_what_fires_goes_on_in_silence():
    """Midnight brings one summary, and the next sprint's start nothing at all."""
    daemon = Daemon()

    at_end = daemon.run_until(END)
    later = daemon.run_until(NEXT + 60)

    assert at_end.at == END
    assert {key: frame.final for key, frame in at_end.frames.items() if key[0] == "sprint-40"} == {
        ("sprint-40", "sev1"): True,
        ("sprint-40", "p95"): False,
    }
    assert daemon.told() == [
        ("sprint-40", "sev1", "first_notification"),
        ("sprint-40", "sev1", "escalated"),
        ("sprint-40", "p95", "first_notification"),
        ("sprint-40", "slo_guard_sprint_close", "sprint_closed"),
    ]
    assert set(later.frames) == {("sprint-40", "sev1"), ("sprint-41", "sev1"), ("sprint-41", "p95")}
    assert [(kpi.sprint, kpi.id) for kpi in later.kpis] == list(later.frames)
    assert [key.sprint for key in later.alerts] == ["sprint-41"]
    assert b'slo_guard_kpi_value{sprint="sprint-40",lane="ga-ops",kpi="sev1"} 2' in b"".join(later.metrics.parts)


def test_a_daemon_that_is_started_anew_at_every_turn_shows_and_tells_the_same():
    """A deployment at midnight is nobody's business."""
    straight, restarted = Daemon(), Daemon()
    straight.run_until(NEXT + 60)

    for last in (T0 + 60, END - 30, END, END + 30, NEXT - 30, NEXT, NEXT + 60):
        restarted.run_until(last)
        restarted.start()
    shown = restarted.run_until(NEXT + 120)

    assert restarted.told() == straight.told()
    assert restarted.store.told == straight.store.told
    assert shown.frames["sprint-40", "sev1"].value.tolist() == [2.0]
    assert shown.frames["sprint-40", "sev1"].final


def test_the_go_no_go_is_shown_as_it_stands_and_as_the_sprint_closed():
    """Whoever looks on the weekend sees what was decided on Friday, of what goes on afterwards, too."""
    daemon = Daemon()
    daemon.plan = replace(daemon.plan, kpis=tuple(replace(kpi, gate=True) for kpi in daemon.plan.kpis))
    daemon.start()

    within, later = daemon.run_until(END - 30), daemon.run_until(NEXT + 60)

    assert [(name, gate.final, gate.outcome.label) for name, gate in within.gates.items()] == [
        ("sprint-40", False, "no-go")
    ]
    assert later.gates["sprint-40"] == gate_stored(daemon.plan, daemon.store, daemon.plan.sprints["sprint-40"], NEXT)
    assert {item.kpi.id for item in later.gates["sprint-40"].items} == {"sev1", "p95"}
    assert not later.gates["sprint-41"].final


def test_what_comes_late_is_shown_and_logged_and_told_to_nobody():
    """The weekend's late export must reach the retrospective, and wake no one."""
    daemon, quiet = Daemon(), Daemon()
    late = a_frame("a", END - 1.0, 9.0, seen_at=END + 65)
    for each in (daemon, quiet):
        each.store.stored = [item for item in each.store.stored if item.observation.seen_at != END]
    daemon.store.stored = numbered([*(item.observation for item in daemon.store.stored), late])

    with capture_logs() as logs:
        shown = daemon.run_until(NEXT + 60)
    quiet.run_until(NEXT + 60)

    frame = shown.frames["sprint-40", "sev1"]
    assert frame.restatement is not None
    assert (frame.value.tolist(), frame.restatement.value.tolist()) == ([2.0], [9.0])
    assert [(each["kpi"], each["verdict"]) for each in logs if each["event"] == "restated"] == [("sev1", "missed")]
    assert daemon.told() == quiet.told()


def test_a_rule_that_changes_in_mid_sprint_is_logged_and_stored_once():
    """The log says when it was; the store keeps it for the close."""
    daemon = Daemon()
    daemon.run_until(T0 + 120)
    kpis = [replace(kpi, objective=an_objective("at_most", 5)) if kpi.id == "sev1" else kpi for kpi in daemon.plan.kpis]
    daemon.plan = replace(daemon.plan, kpis=tuple(kpis))
    daemon.start()

    with capture_logs() as logs:
        shown = daemon.run_until(END)
        daemon.start()
        daemon.run_until(END + 60)

    told = [(each["sprint"], each["kpi"], each["before"], each["after"]) for each in logs if "before" in each]
    assert told == [("sprint-40", "sev1", "equals 0", "at_most 5")], "the next sprint has not begun"
    assert [each.at for each in daemon.store.rules.changes] == [T0 + 180]
    targets = shown.frames["sprint-40", "sev1"].targets
    assert targets is not None
    assert (shown.frames["sprint-40", "sev1"].worst, targets.verdict) == (Verdict.MET, Verdict.MISSED)
