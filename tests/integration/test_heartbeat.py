"""The dead man's switch over real HTTP: it beats while all is alive, and when it goes quiet the log says why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from structlog.testing import capture_logs

from slo_guard.app import Daemon
from slo_guard.clock import monotonic
from slo_guard.config.heartbeat import HeartbeatSettings
from slo_guard.expose.own_metrics import HeartbeatOutcome, OwnMetrics
from slo_guard.heartbeat import Heartbeat
from slo_guard.vitals import Part, Vitals
from tests.support.daemon import eventually
from tests.support.http_sources import HttpSource, Reply, always, hangs, http_source, refusing_url
from tests.support.mission_sources import MissionSources
from tests.support.said import events, logging_put_back
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn

SECRET_PATH = "/ping/8f14e45f-ceea-467f-a0e6-hidden"
SENT, FAILED, WITHHELD = HeartbeatOutcome.SENT, HeartbeatOutcome.FAILED, HeartbeatOutcome.WITHHELD


class Heart:
    """A heartbeat over a clock that the test moves, and what it asks for."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        self.vitals = Vitals(lambda: self.now)
        self.vitals.expect(30.0, {})
        self.own = OwnMetrics()
        self.heartbeat = Heartbeat(self.vitals, self.own, lambda: self.now, _fail, lambda: self.now)
        self.heartbeat.follow(HeartbeatSettings.model_validate(settings))
        self.live()

    def live(self) -> None:
        self.vitals.alive(Part.EVALUATION, Part.STORE, Part.PLANNING, Part.COLLECTION)

    def beat(self) -> HeartbeatOutcome | None:
        self.now += 60.0
        return self.heartbeat.beat_if_due()

    def metrics(self) -> str:
        return self.own.render().decode()


def _fail(_job: str, error: BaseException) -> None:
    raise AssertionError(error)


@pytest.fixture
def peer() -> Iterator[HttpSource]:
    with http_source(always(Reply(b"OK"))) as source:
        yield source


def test_it_beats_once_an_interval_and_shows_when(peer: HttpSource):
    """Too often, and a service with a quota closes the account."""
    heart = Heart(url=f"{peer.url}{SECRET_PATH}", interval="1m")

    at_once = heart.heartbeat.beat_if_due()
    first = heart.beat()
    again = heart.heartbeat.beat_if_due()
    second = heart.beat()

    assert (at_once, first, again, second) == (None, SENT, None, SENT)
    assert [(each.method, each.path) for each in peer.requests] == [("GET", SECRET_PATH)] * 2
    assert "slo_guard_heartbeat_last_success_timestamp_seconds 1120.0" in heart.metrics()
    assert 'slo_guard_heartbeats_total{outcome="sent"} 2.0' in heart.metrics()


def test_it_may_be_a_post_with_a_header_of_its_own(peer: HttpSource):
    """Some services take nothing else."""
    heart = Heart(url=f"{peer.url}/beat", method="POST", http={"headers": {"X-Team": "sre"}})

    outcome = heart.beat()

    assert outcome is SENT
    assert [(each.method, each.headers["X-Team"]) for each in peer.requests] == [("POST", "sre")]


def test_it_is_quiet_while_something_stalls_and_says_what_once(peer: HttpSource):
    """Whoever is woken by the silence finds the reason in the log, and no line a minute in front of it."""
    heart = Heart(url=f"{peer.url}/beat", stalled_after="90s")

    with capture_logs() as entries:
        outcomes = [heart.beat() for _ in range(4)]
        heart.live()
        outcomes.append(heart.beat())

    assert outcomes == [SENT, WITHHELD, WITHHELD, WITHHELD, SENT]
    assert len(peer.requests) == 2
    withheld, goes_on = entries
    assert (withheld["event"], goes_on["event"]) == ("heartbeat_withheld", "heartbeat_goes_on")
    assert withheld["error"] == "collection_stalled, evaluation_stalled, planning_stalled, store_stalled"
    assert "evaluation_stalled for 120s" in withheld["stalls"]


def test_a_peer_that_is_down_is_told_once_without_its_url():
    """The URL is a secret: whoever knows it can keep the switch from going off."""
    with refusing_url() as url, capture_logs() as entries:
        heart = Heart(url=f"{url}{SECRET_PATH}", http={"retries": 0})
        outcomes = [heart.beat(), heart.beat()]
        with http_source(always(Reply(status=404))) as peer:
            heart.heartbeat.follow(HeartbeatSettings.model_validate({"url": f"{peer.url}{SECRET_PATH}"}))
            heart.live()
            outcomes.append(heart.beat())

    assert outcomes == [FAILED] * 3
    assert events(entries) == ["heartbeat_failed", "heartbeat_failed"]
    assert "connect_failed" in entries[0]["error"]
    assert entries[1]["error"] == "http_404: answered 404"
    assert "hidden" not in str(entries)
    assert "heartbeat_last_success" not in heart.metrics()
    assert 'slo_guard_heartbeats_total{outcome="failed"} 3.0' in heart.metrics()


def test_a_secret_that_is_missing_is_a_failure_that_names_its_place(monkeypatch: pytest.MonkeyPatch, peer: HttpSource):
    """It is read at each beat, so that it can be set and rotated while the daemon runs."""
    monkeypatch.delenv("BEAT_URL", raising=False)
    heart = Heart(url={"env": "BEAT_URL"})

    with capture_logs() as entries:
        missing = heart.beat()
        monkeypatch.setenv("BEAT_URL", "not a url, hidden")
        wrong = heart.beat()
        monkeypatch.setenv("BEAT_URL", f"{peer.url}{SECRET_PATH}")
        heart.live()
        right = heart.beat()

    assert (missing, wrong, right) == (FAILED, FAILED, SENT)
    assert "BEAT_URL" in entries[0]["error"]
    assert "hidden" not in str(entries)


def test_a_heartbeat_that_a_reload_takes_away_beats_no_more(peer: HttpSource):
    """Its metrics go with it: a timestamp that stands still would raise an alert for ever."""
    heart = Heart(url=f"{peer.url}/beat")
    heart.beat()

    heart.heartbeat.follow(None)

    assert heart.beat() is None
    assert len(peer.requests) == 1
    assert "slo_guard_heartbeat" not in heart.metrics()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "https://hc-ping.com/abc"}, "keep it elsewhere"),
        ({"url": "nowhere"}, "not a usable URL"),
        ({"url": "http://127.0.0.1/", "interval": "0s"}, "greater than or equal to 1"),
        ({"url": "http://127.0.0.1/", "method": "PUT"}, "'GET' or 'POST'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], message: str):
    """A plain URL in a config ends up in a repository."""
    with pytest.raises(ValueError, match=message):
        HeartbeatSettings.model_validate(settings)


class TestDaemon:
    """All of it together: only the time is moved, so that nobody waits for minutes."""

    @pytest.fixture
    def stack(self) -> Iterator[ExitStack]:
        with ExitStack() as stack:
            stack.enter_context(logging_put_back())
            yield stack

    def started(self, stack: ExitStack, folder: Path, url: str) -> Daemon:
        sources = stack.enter_context(MissionSources(page={"load": "load"}))
        hook = stack.enter_context(WebhookStandIn())
        sources.past("load", 0.5)
        write_rules(folder, [gauge_kpi("load")])
        page = scrape("page", sources.url("page"), "load")
        heartbeat = {"url": url, "interval": "1s", "stalled_after": "20s"}
        config = write_config(folder, [page], [webhook(hook.url)], log={"level": "error"}, heartbeat=heartbeat)
        self.skipped = 0.0
        daemon = Daemon(config, stopwatch=lambda: monotonic() + self.skipped)
        stack.callback(daemon.stop)
        daemon.start()
        return daemon

    def test_evaluation_that_stands_still_is_heard_as_silence_until_it_goes_on(self, stack: ExitStack, tmp_path: Path):
        """The point of it: nobody is told by a daemon that hangs, so somebody else must notice."""
        peer = stack.enter_context(http_source(always(Reply(b"OK"))))
        daemon = self.started(stack, tmp_path, f"{peer.url}{SECRET_PATH}")
        eventually(lambda: len(peer.requests) >= 2, what="it beats")

        assert daemon._cycle is not None
        with capture_logs() as entries, daemon._cycle.lock:
            self.skipped += 25.0
            eventually(lambda: events(entries, "heartbeat_withheld"), what="it says why it is quiet")
            beaten = len(peer.requests)
            eventually(
                lambda: 'outcome="withheld"} 2.0' in metrics(daemon) or 'outcome="withheld"} 3.0' in metrics(daemon)
            )
            quiet = len(peer.requests)
        eventually(lambda: len(peer.requests) > quiet, what="it beats again")

        withheld = next(each for each in entries if each["event"] == "heartbeat_withheld")
        assert "evaluation_stalled" in withheld["error"]
        assert quiet == beaten

    def test_a_peer_that_never_answers_delays_nothing(self, stack: ExitStack, tmp_path: Path):
        """The switch must not become what makes the daemon stall."""
        peer = stack.enter_context(http_source(always(hangs)))
        daemon = self.started(stack, tmp_path, f"{peer.url}/beat")
        eventually(lambda: len(peer.requests) == 1)

        evaluated = metric(daemon, "slo_guard_evaluation_duration_seconds_count")
        eventually(lambda: metric(daemon, "slo_guard_evaluation_duration_seconds_count") >= evaluated + 2)
        before = monotonic()
        daemon.stop()

        assert monotonic() - before < 5.0
        assert len(peer.requests) == 1


def metrics(daemon: Daemon) -> str:
    return requests.get(f"{daemon.url}/metrics", timeout=5).text


def metric(daemon: Daemon, name: str) -> float:
    return next(float(line.split()[-1]) for line in metrics(daemon).splitlines() if line.startswith(name))
