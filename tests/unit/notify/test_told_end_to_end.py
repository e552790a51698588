"""Plan, store, courier and Slack together, with a Slack that is busy, broken and gone for a while."""

from __future__ import annotations

from pathlib import Path

from slo_guard.domain.verdicts import AlertState
from slo_guard.notify import RECEIVERS, Courier, DeliveryStep, plan_notifications, policy_of, route_of
from slo_guard.store import open_store
from tests.support.notices import NOON, a_transition, alerts_after, an_alert_key, ended, firing
from tests.support.slack_stand_in import SlackStandIn


def test_every_transition_reaches_slack_once_and_in_order_or_has_its_reason(tmp_path: Path) -> None:
    """This is the promise of the whole room: an alert is never lost, whatever Slack answers meanwhile."""
    keys = [an_alert_key(system=name) for name in ("fs", "predictive")]
    history = [
        a_transition(1, AlertState.PENDING, key=keys[0]),
        firing(2, key=keys[0], from_state=AlertState.PENDING),
        firing(3, key=keys[1]),
        ended(4, key=keys[0]),
        ended(5, key=keys[1]),
    ]
    with SlackStandIn() as slack:
        options = RECEIVERS["slack"].options.model_validate({"name": "sre", "type": "slack", "url": slack.url})
        store, receiver = open_store(tmp_path / "slo_guard.db"), RECEIVERS["slack"].build(options)
        for answer in ((429, b"rate_limited", "30"), (500, b"rollup_error", None), (404, b"no_service", None)):
            slack.answer(answer[0], answer[1], retry_after=answer[2])
        for count in range(1, len(history) + 1):
            cursor = store.transition_cursor()
            alerts = alerts_after(*history[:count])
            groups = store.planner_groups()
            store.save_plan(
                plan_notifications(history[:count], groups, alerts, [route_of(options)], NOON + count, cursor)
            )
        carrier, now, steps = Courier(store, receiver, policy_of(options)), NOON + 10, []

        while store.outbox_pending():
            outcome = carrier.deliver_next(now)
            steps.append(outcome.step)
            now = outcome.due_at or now + 1

        decisions, accepted = store.decisions(), slack.accepted
        receiver.close()
        store.close()
    assert slack.problems == []
    assert steps.count(DeliveryStep.RETRY) == 3
    assert now >= NOON + 10 + 30 + 300
    assert [each.document["text"].split(":")[0] for each in accepted] == [
        "🔴 Breached",
        "🔴 Breached",
        "🔴 Partly recovered",
        "🟢 Recovered",
    ]
    delivered = {each.key for each in accepted}
    assert {each.transition for each in decisions if each.told_by in delivered} == {2, 3, 4, 5}
    assert [each.transition for each in decisions if each.not_told is not None] == [1]
