"""Receivers that come, go and change while an alert fires: whoever wants it knows of it, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from slo_guard.clock import from_unix
from slo_guard.cycle import EvaluationCycle
from slo_guard.domain.alerts import AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Severity
from slo_guard.domain.notifications import Decision, Notification, NotificationReason, NotToldReason, Route
from slo_guard.domain.ports import EvaluationRecord, PlanRecord, Store
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.errors import StoreError
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.snapshot import SnapshotHolder
from slo_guard.jobs import plan_once
from slo_guard.notify import plan_notifications
from slo_guard.source_board import SourceBoard
from slo_guard.store import open_store
from tests.support.builders import a_kpi, a_plan
from tests.support.fake_store import FakeStore
from tests.support.notices import NOON, alerts_after, an_alert, an_alert_key, ended, firing, labelled

FS, PREDICTIVE = (an_alert_key(system=name) for name in ("fs", "predictive"))
COLLECTOR = AlertKey("", COLLECTOR_UP, labelled(collector="mc"))
OLD, NEW = Route("slack"), Route("slack-prod")
ADDED, FIRST = NotificationReason.RECEIVER_ADDED, NotificationReason.FIRST_NOTIFICATION


def rule(severity: Severity = Severity.PAGE) -> KPI:
    return a_kpi("ga_e2e_p95", severity=severity)


class Planning:
    """One store and the runs over it: after a start or a reload with the rules, otherwise without."""

    def __init__(self, store: FakeStore | None = None) -> None:
        self.store = store or FakeStore()
        self.now = NOON

    def happen(self, *transitions: Transition) -> None:
        alerts = alerts_after(*transitions)
        self.now = max(self.now, *(each.at for each in transitions))
        changed = {each.key: alerts.get(each.key) for each in transitions}
        self.store.save_evaluation(EvaluationRecord(self.now, 0, changed, transitions))

    def run(self, *routes: Route, changed_to: Sequence[KPI] | None = None) -> list[Notification]:
        self.now += 10
        record = plan_once(self.store, self.store.alerts, routes, from_unix(self.now), changed_to=changed_to)
        return list(record.notifications)

    def decided(self) -> dict[tuple[int, str], str]:
        made = [(each.transition, each.receiver) for each in self.store.decisions()]
        assert len(set(made)) == len(made), "one decision a transition and receiver"
        return {(each.transition, each.receiver): each.not_told or "told" for each in self.store.decisions()}


def told(notifications: Sequence[Notification]) -> list[tuple[str, NotificationReason]]:
    return [(each.receiver, each.reason) for each in notifications]


def test_a_receiver_that_took_anothers_place_is_told_of_what_fires() -> None:
    """Renaming a receiver is an everyday edit; the page that fires meanwhile would be known to nobody."""
    planning = Planning()
    planning.happen(firing(1, key=FS, at=NOON), firing(2, key=PREDICTIVE, at=NOON))
    planning.run(OLD, changed_to=[rule()])

    [message] = planning.run(NEW, changed_to=[rule()])
    later = planning.run(NEW)

    assert told([message]) == [("slack-prod", ADDED)]
    assert [(dict(line.labels)["system"], line.firing) for line in message.series] == [
        ("fs", True),
        ("predictive", True),
    ]
    assert message.transitions == (1, 2)
    assert later == []
    assert planning.decided()[1, "slack-prod"] == "told"


def test_who_was_told_that_way_is_told_of_the_end() -> None:
    """From then on the receiver is one like any other."""
    planning = Planning()
    planning.happen(firing(1, key=FS))
    planning.run(OLD)
    planning.run(NEW, changed_to=[rule()])

    planning.happen(ended(2, key=FS))

    assert told(planning.run(NEW)) == [("slack-prod", NotificationReason.RECOVERED)]


def test_a_first_start_tells_once() -> None:
    """What fires at the first evaluation is both new and standing."""
    planning = Planning()
    planning.happen(firing(1, key=FS))

    assert told(planning.run(OLD, changed_to=[rule()])) == [("slack", FIRST)]
    assert planning.run(OLD, changed_to=[rule()]) == [], "a restart"


def test_a_receiver_that_takes_more_severities_is_told_of_what_fires() -> None:
    """Whoever asks to hear of tickets means the ones that are open as well."""
    planning = Planning()
    planning.happen(firing(1, key=FS, severity=Severity.TICKET))
    planning.run(Route("pager", (Severity.PAGE,)))
    before = planning.decided()

    message = planning.run(Route("pager"), changed_to=[rule(Severity.TICKET)])

    assert before == {(1, "pager"): NotToldReason.NOT_ROUTED}
    assert told(message) == [("pager", ADDED)]
    assert planning.decided() == {(1, "pager"): "told"}


def test_a_rule_made_a_page_while_it_fires_pages() -> None:
    """That is why somebody made it a page."""
    planning, pager = Planning(), Route("pager", (Severity.PAGE,))
    planning.happen(firing(1, key=FS, severity=Severity.TICKET))
    planning.run(pager, changed_to=[rule(Severity.TICKET)])

    [message] = planning.run(pager, changed_to=[rule()])

    assert told([message]) == [("pager", ADDED)]
    assert message.severity is Severity.PAGE


def test_a_rule_made_a_page_as_it_fires_is_told_once_with_one_decision() -> None:
    """The transition still speaks of the ticket: it is not routed and yet told, in one run."""
    planning, pager = Planning(), Route("pager", (Severity.PAGE,))
    planning.happen(firing(1, key=FS, severity=Severity.TICKET))

    assert told(planning.run(pager, changed_to=[rule()])) == [("pager", ADDED)]
    assert planning.decided() == {(1, "pager"): "told"}


def test_what_is_not_wanted_stays_untold() -> None:
    """A new pager must not be paged for tickets."""
    planning = Planning()
    planning.happen(firing(1, key=FS, severity=Severity.TICKET))
    planning.run(OLD)

    assert planning.run(Route("pager", (Severity.PAGE,)), changed_to=[rule(Severity.TICKET)]) == []


def test_what_is_held_back_stays_held_back_from_a_new_receiver() -> None:
    """It hears of the source that fails, not of every KPI behind it."""
    planning = Planning()
    silent = firing(2, key=FS, verdict=Verdict.NO_DATA, reason=Reason.SOURCE_FAILED)
    planning.happen(firing(1, key=COLLECTOR), silent)
    planning.run(OLD)
    rules = [rule(), a_kpi(COLLECTOR_UP, sprint="")]

    first = planning.run(OLD, NEW, changed_to=rules)
    second = planning.run(OLD, NEW, changed_to=rules)
    planning.happen(ended(3, key=COLLECTOR))
    after = planning.run(OLD, NEW)

    assert [(each.receiver, each.kpi) for each in first] == [("slack-prod", COLLECTOR_UP)]
    assert second == []
    assert planning.decided()[2, "slack-prod"] is NotToldReason.SOURCE_DOWN
    assert [each.reason for each in after if each.receiver == "slack-prod"] == [
        NotificationReason.RECOVERED,
        NotificationReason.HELD_BACK_AND_STILL_FIRING,
    ]


def test_a_new_receiver_sees_the_alert_as_it_stands() -> None:
    """The value of an hour ago beside "since an hour" would mislead."""
    planning = Planning()
    fired = firing(1, key=FS, note="7 of 9 samples")
    planning.happen(fired)
    planning.run(OLD)
    planning.store.alerts[FS] = an_alert(fired, value=2.5, reason=Reason.OVERDUE)

    [message] = planning.run(NEW, changed_to=[rule()])

    [line] = message.series
    assert (line.value, line.reason, line.note, line.active_at) == (2.5, "overdue", None, NOON)


def test_an_alert_that_is_over_or_not_stored_yet_is_not_told_as_standing() -> None:
    """Its own transition is on the way, and will be told with its own reason."""
    fired = firing(1, key=FS)

    over = plan_notifications([], {}, {}, [NEW], NOON, 1, standing=[fired])
    pending = plan_notifications([], {}, {FS: an_alert(fired, state=AlertState.PENDING)}, [NEW], NOON, 1)

    assert over.notifications == pending.notifications == ()


def test_a_risk_is_told_by_its_own_severity() -> None:
    """A rule that pages for the breach opens a ticket for the risk."""
    planning, risk = Planning(), an_alert_key(kind=AlertKind.RISK, system="fs")
    planning.happen(firing(1, key=risk, severity=Severity.TICKET, verdict=Verdict.AT_RISK))
    planning.run(OLD)

    assert planning.run(Route("pager", (Severity.PAGE,)), changed_to=[rule()]) == []
    assert told(planning.run(Route("tickets", (Severity.TICKET,)), changed_to=[rule()])) == [("tickets", ADDED)]


def test_a_kill_at_any_instant_tells_it_once() -> None:
    """Before the plan is stored nothing happened, after it all did."""

    class DyingStore(FakeStore):
        dies = False

        def save_plan(self, record: PlanRecord) -> None:
            if self.dies:
                raise StoreError("killed")
            super().save_plan(record)

        def withdraw(self, receivers: Sequence[str], now: float) -> int:
            if not self.dies:
                raise StoreError("killed")
            return super().withdraw(receivers, now)

    store = DyingStore()
    planning = Planning(store)
    planning.happen(firing(1, key=FS))
    planning.run(OLD)
    store.dies = True
    with pytest.raises(StoreError):
        planning.run(NEW, changed_to=[rule()])
    store.dies = False
    with pytest.raises(StoreError):
        planning.run(NEW, changed_to=[rule()])
    waiting = store.outbox_pending()
    store.dies = True
    planning.run(NEW, changed_to=[rule()])

    assert {receiver: count for receiver, (count, _) in waiting.items()} == {"slack": 1, "slack-prod": 1}
    assert {receiver: count for receiver, (count, _) in store.outbox_pending().items()} == {"slack-prod": 1}


def test_what_waits_for_a_receiver_that_is_gone_waits_no_longer() -> None:
    """Nobody will ever send it: counted as pending for ever, it would hide a receiver that is really down."""
    planning = Planning()
    planning.happen(firing(1, key=FS))
    planning.run(OLD)

    planning.run(NEW, changed_to=[rule()])

    assert set(planning.store.outbox_pending()) == {"slack-prod"}
    assert planning.decided() == {(1, "slack"): NotToldReason.RECEIVER_REMOVED, (1, "slack-prod"): "told"}


def test_a_receiver_that_comes_back_is_told_again_however_often() -> None:
    """Its earlier message may have left with it, unsent."""
    planning = Planning()
    planning.happen(firing(1, key=FS))
    planning.run(OLD)
    keys = []
    for _ in range(2):
        planning.run(changed_to=[rule()])
        [message] = planning.run(OLD, changed_to=[rule()])
        keys.append(message.key)

    assert len(set(keys)) == 2
    assert planning.store.outbox_pending()["slack"][0] == 1
    assert planning.decided() == {(1, "slack"): "told"}


def test_a_store_keeps_what_a_new_receiver_needs_however_long_an_alert_fires(tmp_path: Path) -> None:
    """An alert of two months ago still fires, and its rule's words are in its transition."""
    store: Store = open_store(tmp_path / "slo.db", retention_seconds=86400.0)
    fired = firing(1, key=FS, at=NOON)
    alerts = alerts_after(fired)
    store.save_evaluation(EvaluationRecord(NOON, 0, alerts, (fired,)))
    plan_once(store, alerts, [OLD], from_unix(NOON))
    late = NOON + 60 * 86400.0
    store.prune(late)

    record = plan_once(store, alerts, [NEW], from_unix(late), changed_to=[rule()])
    store.prune(late + 2 * 86400.0)

    [message] = record.notifications
    assert (message.reason, message.title) == (ADDED, "GA end-to-end p95")
    assert store.decisions() == (
        Decision(1, "slack", None, NotToldReason.RECEIVER_REMOVED),
        Decision(1, "slack-prod", message.key),
    )
    store.close()


def test_the_daemons_cycle_looks_once_after_a_start_or_a_reload() -> None:
    """Reading all that stands in every cycle would cost seconds with many series."""

    class CountingStore(FakeStore):
        looked = 0

        def firing_transitions(self) -> tuple[Transition, ...]:
            self.looked += 1
            return super().firing_transitions()

    store = CountingStore()
    fired = firing(1, key=an_alert_key(), at=NOON)
    store.save_evaluation(EvaluationRecord(NOON, 0, alerts_after(fired), (fired,)))
    plan_once(store, store.alerts, [OLD], from_unix(NOON))
    plan, now = a_plan(rule()), [NOON]
    state = EvaluationState.restored(plan, store.load_evaluation(), ())
    state.awaiting = {"a"}
    cycle = EvaluationCycle(
        store,
        SnapshotHolder(),
        OwnMetrics(),
        SourceBoard(),
        lambda: from_unix(now[0]),
        lambda: None,
        lambda _plan, _departed, _awaiting: state,
    )

    cycle.follow(plan, state, [NEW])
    for _ in range(3):
        now[0] += 30.0
        cycle.run()

    assert store.looked == 1
    assert [item.row.notification.receiver for item in store.outbox.values() if item.waits] == ["slack-prod"]
