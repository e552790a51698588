"""``send-test`` and ``deliveries`` beside a real daemon and without one: real store, real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from slo_guard.app import Daemon
from slo_guard.cli.deliveries import deliveries
from slo_guard.cli.send_test import send_test
from slo_guard.cli.silence import silence
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.notifications import DeliveryOutcome, RowState
from slo_guard.domain.ports import PlanRecord, Store
from slo_guard.store import open_store
from tests.support.daemon import eventually
from tests.support.mission_sources import MissionSources
from tests.support.notices import a_notification
from tests.support.said import logging_put_back
from tests.support.slack_stand_in import SlackStandIn
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn


class Desk:
    """A config with two receivers, and whoever types commands at it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.hook = stack.enter_context(WebhookStandIn())
        self.slack = stack.enter_context(SlackStandIn())
        sources = stack.enter_context(MissionSources(page={"load": "load"}))
        sources.past("load", 0.5)
        self.sources = sources
        write_rules(folder, [gauge_kpi("load")])
        slack = {"name": "slack", "type": "slack", "url": self.slack.url, "min_interval": "0s"}
        page = scrape("page", sources.url("page"), "load")
        self.config = write_config(folder, [page], [webhook(self.hook.url), slack], log={"level": "error"})
        self.path = folder / "slo-guard.db"

    def run(self, command: Any, *arguments: object) -> Result:
        return CliRunner().invoke(command, [*map(str, arguments), "--config", str(self.config)])

    def daemon(self) -> Daemon:
        made = Daemon(self.config)
        self._stack.callback(made.stop)
        made.start()
        eventually(lambda: requests.get(f"{made.url}/-/ready", timeout=5).status_code == 200)
        return made

    def store(self) -> Store:
        return self._stack.enter_context(closing(open_store(self.path)))

    def given_up(self, key: str, receiver: str = "oncall", **about: Any) -> int:
        store = self.store()
        note = a_notification(key=key, receiver=receiver, **about)
        store.save_plan(PlanRecord(0, {}, (note,)))
        row = store.lease(receiver, note.created_at, 30.0)
        assert row is not None
        store.record_attempt(row, DeliveryOutcome.DEAD, to_unix(utcnow()), error="http_400: answered 400")
        return row.id


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        stack.enter_context(logging_put_back())
        yield Desk(tmp_path, stack)


class TestSendTest:
    """Whether a receiver can be reached is known before the night in which it matters."""

    def test_slack_gets_a_message_that_nobody_takes_for_an_alert(self, desk: Desk):
        """Before the daemon ever ran: the store is made."""
        result = desk.run(send_test, "slack")

        assert result.exit_code == 0, result.output
        assert "delivered to slack" in result.stdout
        assert "by this command" in result.stdout
        [message] = desk.slack.accepted
        assert message.document["text"] == "🧪 Test message: nothing is wrong"
        text = message.body.decode()
        assert "send-test" in text
        assert not any(word in text for word in ("Breached", "firing", "🔴", "Objective"))
        assert desk.slack.problems == []

    def test_what_reads_alertmanagers_format_finds_an_alert_called_a_test(self, desk: Desk):
        """Its routing can match it by alertname or label, and it does not fire for ever."""
        result = desk.run(send_test, "oncall")

        assert result.exit_code == 0, result.output
        body = desk.hook.accepted[0].document
        [alert] = body["alerts"]
        assert (alert["labels"]["alertname"], alert["labels"]["test"]) == ("slo_guard_test", "true")
        assert (alert["status"], body["notification_reason"]) == ("firing", "test")
        assert alert["startsAt"] < alert["endsAt"]
        assert alert["annotations"]["summary"] == "Test message: nothing is wrong"
        assert desk.hook.problems == []

    def test_beside_a_daemon_it_is_sent_once_by_the_daemon_and_is_no_alert(self, desk: Desk):
        """The daemon keeps the rate limit; page, API and metrics know of no alert."""
        daemon = desk.daemon()

        result = desk.run(send_test, "oncall")

        assert result.exit_code == 0, result.output
        assert "by the daemon" in result.stdout
        assert len(desk.hook.received) == 1
        assert requests.get(f"{daemon.url}/api/v1/alerts", timeout=5).json()["alerts"] == []

    def test_a_webhook_that_is_gone_is_named_with_what_to_do(self, desk: Desk):
        """The commonest trouble, and nobody reads a log for it."""
        desk.slack.answer(404, b"no_service", times=None)

        result = desk.run(send_test, "slack")

        assert result.exit_code == 1
        assert "http_404_no_service" in result.stderr
        assert "what to do: check the URL; of Slack: make a new incoming webhook" in result.stderr
        assert "taken back" in result.stderr
        assert "Traceback" not in result.output
        assert desk.store().outbox_pending() == {}

    def test_a_receiver_that_is_not_there_is_named_with_the_nearest(self, desk: Desk):
        """A typo costs a second."""
        result = desk.run(send_test, "slak")

        assert result.exit_code == 2
        assert "no receiver 'slak'; did you mean 'slack'?" in result.stderr

    def test_messages_that_wait_before_it_are_named(self, desk: Desk):
        """Without a daemon nothing moves, and the test does not overtake."""
        desk.store().save_plan(PlanRecord(0, {}, (a_notification(key="a", receiver="oncall"),)))

        result = desk.run(send_test, "oncall")

        assert result.exit_code == 1
        assert (
            "1 message waits before it, the oldest since 2026-07-07T11:00:00Z; is the daemon running?" in result.stderr
        )
        assert desk.hook.received == []


class TestDeliveries:
    """Who was told what; and what a receiver refused is sent after all."""

    def test_the_list_says_what_became_of_each_message(self, desk: Desk):
        """For people as a table, for scripts as JSON."""
        number = desk.given_up("k1", series=())
        desk.store().save_plan(PlanRecord(0, {}, (a_notification(key="k2", receiver="slack", kpi="other"),)))

        shown = desk.run(deliveries, "list")
        dead = json.loads(desk.run(deliveries, "list", "--state", "dead", "--format", "json").stdout)["deliveries"]
        others = json.loads(desk.run(deliveries, "list", "--kpi", "other", "--format", "json").stdout)["deliveries"]
        nothing = desk.run(deliveries, "list", "--receiver", "nobody")

        assert shown.exit_code == 0
        assert "given up at" in shown.stdout
        assert "http_400: answered 400" in shown.stdout
        assert [(each["id"], each["receiver"], each["last_error"]) for each in dead] == [
            (number, "oncall", "http_400: answered 400")
        ]
        assert [(each["key"], each["state"], each["kpi"]) for each in others] == [("k2", "pending", "other")]
        assert (nothing.exit_code, nothing.stderr) == (0, "no message is like that\n")

    def test_what_was_not_told_of_a_kpi_stands_there_with_the_reason(self, desk: Desk):
        """Who asks why no message came finds an answer, not an empty list."""
        with closing(open_store(desk.path)):
            pass
        desk.run(silence, "add", "kpi=load", "--for", "1h", "--by", "Ana", "--why", "a load test")
        desk.sources.past("load", 2)
        daemon = desk.daemon()
        eventually(lambda: "silenced" in desk.run(deliveries, "list", "--kpi", "load").stdout)
        daemon.stop()

        result = desk.run(deliveries, "list", "--kpi", "load", "--receiver", "oncall")

        assert result.stderr == "no message is like that\n"
        assert re.search(r"oncall +breach +inactive -> firing +silenced by silence 1", result.stdout), result.stdout

    def test_a_dead_letter_is_sent_by_the_running_daemon_within_seconds(self, desk: Desk):
        """The address is mended; what was lost meanwhile must arrive, under its own key, without a restart."""
        daemon = desk.daemon()
        number = desk.given_up("k1")
        eventually(
            lambda: 'dead_letters{receiver="oncall"} 1.0' in requests.get(f"{daemon.url}/metrics", timeout=5).text
        )

        result = desk.run(deliveries, "retry", number)

        assert result.exit_code == 0, result.output
        assert result.stdout == "due again: 1 to oncall; the daemon sends them within seconds\n"
        assert [each.key for each in desk.hook.wait_for(bool, timeout=5)] == ["k1"]
        eventually(
            lambda: 'dead_letters{receiver="oncall"} 0.0' in requests.get(f"{daemon.url}/metrics", timeout=5).text
        )
        eventually(lambda: [each.id for each in daemon.deliveries(state=RowState.DELIVERED)] == [number])

    def test_all_of_one_receiver_or_of_all_are_sent_again(self, desk: Desk):
        """After an outage nobody copies forty numbers."""
        for key, receiver in (("a", "oncall"), ("b", "oncall"), ("c", "slack")):
            desk.given_up(key, receiver)

        one = desk.run(deliveries, "retry", "--receiver", "slack")
        rest = desk.run(deliveries, "retry", "--all")
        none = desk.run(deliveries, "retry", "--all")

        assert one.stdout == "due again: 1 to slack; no daemon seems to run: they are sent once one does\n"
        assert rest.stdout.startswith("due again: 2 to oncall;")
        assert (none.exit_code, none.stderr) == (1, "nothing to send again\n")

    def test_what_cannot_be_sent_again_is_named(self, desk: Desk):
        """A number from another list, one that was delivered, one to a receiver that is gone."""
        gone = desk.given_up("a", "former")
        desk.store().save_plan(PlanRecord(0, {}, (a_notification(key="b", receiver="slack"),)))
        waits = desk.store().deliveries(receiver="slack")[0].id

        named = desk.run(deliveries, "retry", gone, waits, 999)
        unknown = desk.run(deliveries, "retry", "--receiver", "onkall")
        neither = desk.run(deliveries, "retry")
        beyond = desk.run(deliveries, "retry", 10**30)

        assert named.exit_code == 1
        assert f"{waits}: is pending, not dead" in named.stderr
        assert "999: there is no such message" in named.stderr
        assert "1 to former stay as they are: the config has no such receiver" in named.stderr
        assert desk.store().dead_letters() == {"former": 1}
        assert (unknown.exit_code, neither.exit_code, beyond.exit_code) == (2, 2, 2)
        assert "did you mean 'oncall'?" in unknown.stderr
        assert "write --all or --receiver NAME" in neither.stderr
