"""The log of a real daemon: one line a cycle, a line for what begins or ends, and JSON that parses to the last line."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from slo_guard.app import Daemon
from tests.support.daemon import eventually, slo_guard, taken_port
from tests.support.http_sources import Reply
from tests.support.mission_sources import MissionSources
from tests.support.said import logging_put_back
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn


def test_a_day_in_the_life_reads_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Counts and durations of each cycle, a source that fails and recovers, a message: and nothing said twice."""
    text = ""

    def lines() -> list[dict[str, Any]]:
        nonlocal text
        text += capsys.readouterr().err
        return [json.loads(line) for line in text.splitlines()]

    def count(event: str) -> int:
        return sum(line["event"] == event for line in lines())

    with ExitStack() as stack:
        stack.enter_context(logging_put_back())
        sources = stack.enter_context(MissionSources(page={"load": "load"}))
        hook = stack.enter_context(WebhookStandIn())
        sources.past("load", 0.5)
        write_rules(tmp_path, [gauge_kpi("load"), gauge_kpi("other", indicator="load", objective={"at_most": 9})])
        page = scrape("page", sources.url("page"), "load", http={"retries": 0})
        config = write_config(tmp_path, [page], [webhook(hook.url)], log={"format": "json"})
        daemon = Daemon(config)
        stack.callback(daemon.stop)
        daemon.start()
        eventually(lambda: count("evaluated") >= 2)
        sources.set("load", 7.0)
        eventually(lambda: count("notification_delivered") == 1)
        sources.break_door("page", lambda _request: Reply(status=500))
        eventually(lambda: count("collection_failed") == 1)
        failing_since = count("evaluated")
        eventually(lambda: count("evaluated") >= failing_since + 3)
        sources.mend_door("page")
        eventually(lambda: count("collection_recovered") == 1)
        daemon.stop()

    found = lines()
    cycles = [line for line in found if line["event"] == "evaluated"]
    assert len({line["at"] for line in cycles}) == len(cycles)
    told = next(line for line in cycles if line["messages"])
    assert told["verdicts"] == {"missed": 1, "met": 1}
    assert (told["judged"], told["firing"], told["transitions"], told["messages"], told["pending"]) == (3, 1, 1, 1, 1)
    assert {"evaluate_ms", "store_ms", "plan_ms", "render_ms"} < set(told)
    assert told["total_ms"] >= told["evaluate_ms"]
    others = Counter(line["event"] for line in found if line["event"] != "evaluated")
    assert max(others.values()) <= 2, others
    assert {line["level"] for line in found} <= {"info", "warning", "error"}


def test_a_start_that_fails_is_a_json_line_too(tmp_path: Path):
    """Whoever collects the log must find why there is nothing more in it."""
    write_rules(tmp_path, [gauge_kpi("load")])
    with taken_port() as port:
        page, server = scrape("page", "http://127.0.0.1:1", "load"), {"port": port}
        config = write_config(tmp_path, [page], log={"format": "json"}, server=server)
        ended = slo_guard("run", "--config", str(config), cwd=tmp_path)

    [line] = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert (line["level"], line["event"]) == ("error", "not_started")
    assert str(port) in line["error"]
