"""The demo's stand-ins over real HTTP: they answer as Prometheus, a metrics page and Slack do."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from slo_guard.demo.loopback import LoopbackServer
from slo_guard.demo.mission_control import MissionControl
from slo_guard.demo.prometheus_stand_in import QUERIES
from slo_guard.demo.slack_stand_in import PATH, Received, SlackStandIn, faults
from slo_guard.demo.sources import source_server
from slo_guard.demo.world.ga_ops import PAGE_DOWN
from slo_guard.demo.world.story import Story

T0 = 1783612800.0
MISSION = MissionControl(Story(T0, T0 - 86400))


class Clock:
    """A clock that stands where the test puts it."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sources(clock: Clock) -> Iterator[LoopbackServer]:
    with source_server(MISSION, clock) as server:
        yield server


def ask(server: LoopbackServer, path: str, **parameters: str) -> tuple[int, dict[str, object]]:
    answer = requests.get(server.url + path, params=parameters, timeout=5)
    return answer.status_code, answer.json()


def test_an_instant_query_gives_a_vector_as_of_now(sources: LoopbackServer) -> None:
    """The collector must not be able to tell it from a Prometheus."""
    status, document = ask(sources, "/api/v1/query", query="sum by (system) (ga_audits_total)")

    assert status == 200
    assert document == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"system": "fs"}, "value": [T0, "145"]},
                {"metric": {"system": "predictive"}, "value": [T0, "187"]},
                {"metric": {"system": "xai2"}, "value": [T0, "114"]},
            ],
        },
    }


def test_a_query_may_be_posted_spaced_otherwise_and_dated(sources: LoopbackServer) -> None:
    """Long queries are posted; white space means nothing in PromQL."""
    form = {"query": "sum by(system)(ga_audits_total )", "time": "2026-07-09T04:00:00Z"}

    answer = requests.post(sources.url + "/api/v1/query", data=form, timeout=5).json()

    assert answer["data"]["result"][0]["value"] == [1783569600.0, "75"]


def test_a_range_query_gives_a_matrix_that_ends_now(sources: LoopbackServer) -> None:
    """A backfill must never see the future, which the simulation knows."""
    status, document = ask(
        sources,
        "/api/v1/query_range",
        query="sum(sev1_incidents_total)",
        start=str(T0 - 120),
        end=str(T0 + 120),
        step="60s",
    )

    assert status == 200
    assert document["data"] == {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[T0 - 120, "0"], [T0 - 60, "0"], [T0, "0"]]}],
    }


@pytest.mark.parametrize(
    ("path", "parameters", "says"),
    [
        ("query", {"query": "up"}, "the stand-in only knows"),
        ("query", {}, "no expression found"),
        ("query", {"query": next(iter(QUERIES)), "time": "noon"}, 'cannot parse "noon" to a valid timestamp'),
        ("query_range", {"query": next(iter(QUERIES)), "start": "1", "end": "0", "step": "1"}, "before start time"),
        ("query_range", {"query": next(iter(QUERIES)), "start": "0", "end": "1", "step": "0"}, "zero or negative"),
        ("query_range", {"query": next(iter(QUERIES)), "start": "0", "end": "1", "step": "x"}, "valid duration"),
        (
            "query_range",
            {"query": next(iter(QUERIES)), "start": "0", "end": "110001", "step": "10"},
            "exceeded maximum resolution of 11,000 points per timeseries",
        ),
    ],
)
def test_what_prometheus_refuses_is_refused_in_its_own_form(
    sources: LoopbackServer, path: str, parameters: dict[str, str], says: str
) -> None:
    """The collector shows the error's text to people; it must find it where Prometheus puts it."""
    status, document = ask(sources, f"/api/v1/{path}", **parameters)

    assert status == 400
    assert (document["status"], document["errorType"]) == ("error", "bad_data")
    assert says in str(document["error"])


def test_the_metrics_page_fails_while_its_fault_lasts(sources: LoopbackServer, clock: Clock) -> None:
    """A source that is down is one of the faults to be seen."""
    before = requests.get(sources.url + "/metrics", timeout=5)
    clock.now = T0 + PAGE_DOWN.starts
    during = requests.get(sources.url + "/metrics", timeout=5)
    clock.now = T0 + PAGE_DOWN.ends
    after = requests.get(sources.url + "/metrics", timeout=5)

    assert [answer.status_code for answer in (before, during, after)] == [200, 500, 200]
    assert "# TYPE ga_e2e_p95_seconds gauge\n" in before.text
    assert 'ga_e2e_p95_seconds{system="fs"} 0.8' in before.text


def test_slack_accepts_a_message_and_hands_it_on(clock: Clock) -> None:
    """What arrives is what the demo shows."""
    got: list[Received] = []
    with SlackStandIn(got.append, clock).server() as server:
        answer = requests.post(server.url + PATH, json={"text": "hello"}, timeout=5)

    assert (answer.status_code, answer.text) == (200, "ok")
    assert [(each.message, each.accepted) for each in got] == [({"text": "hello"}, True)]


def test_slack_is_busy_once_and_says_for_how_long(clock: Clock) -> None:
    """A 429 with Retry-After is what Slack really does; the message has to come again."""
    got: list[Received] = []
    with SlackStandIn(got.append, clock, busy_on=2, retry_after_seconds=3).server() as server:
        answers = [requests.post(server.url + PATH, json={"text": "hello"}, timeout=5) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1].headers["Retry-After"] == "3"
    assert [each.accepted for each in got] == [True, False, True]


def test_slack_refuses_what_is_not_json_or_not_its_hook(clock: Clock) -> None:
    """The stand-in must not be kinder than Slack."""
    got: list[Received] = []
    with SlackStandIn(got.append, clock).server() as server:
        broken = requests.post(server.url + PATH, data=b"{", timeout=5)
        elsewhere = requests.post(server.url + "/services/other", json={"text": "hello"}, timeout=5)

    assert (broken.status_code, broken.text) == (400, "invalid_payload")
    assert (elsewhere.status_code, elsewhere.text) == (404, "no_service")


def section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": [section("x")] * 51}, "invalid_blocks"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "poem"}]}, "invalid_blocks"),
    ],
)
def test_a_message_beyond_slack_s_limits_is_refused(message: dict[str, object], code: str) -> None:
    """A message that only the demo accepts would be lost at work."""
    found = list(faults(json.loads(json.dumps(message))))

    assert found
    assert found[0].startswith(code)
