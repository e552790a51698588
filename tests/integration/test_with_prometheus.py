"""slo_guard between a real Prometheus and a Slack stand-in, as an SRE sets it up: it queries Prometheus, and is scraped by it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import MetricsHandler

from slo_guard.clock import utcnow
from tests.support.daemon import Daemon, eventually
from tests.support.prometheus_server import PrometheusServer, free_port, running_prometheus
from tests.support.slack_stand_in import SlackStandIn, all_texts
from tests.support.webhook_stand_in import WebhookStandIn

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian: prometheus)"),
]

RULES = """
version: 1
sprint: now
lane: checkout
owner: SRE Lead
interval: 1s
kpis:
  - kpi: checkout_p95
    title: Checkout p95
    indicator: checkout_p95_seconds
    by: [region]
    expect: {region: [eu, us]}
    objective: {at_most: 500ms}
    no_data: {after: 10s, then: alert}
  - kpi: checkout_buckets
    title: Checkout p95 of its buckets
    indicator: checkout_seconds
    by: [region]
    measure: p95 over 10s
    objective: {at_most: 500ms}
    no_data: {after: 10s, then: alert}
    severity: ticket
  - kpi: failed_requests
    title: Failed requests
    indicator: {bad: failures_total, total: requests_total}
    measure: ratio over 10s
    objective: {below: 5%}
    min_total: 5
  - kpi: burn_alarms
    indicator: burn_alarm_active
    measure: total over sprint
    objective: {below: 1d}
    min_coverage: 0%
"""


class Service:
    """A checkout service under the test's control, which serves its own metrics page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.latency = {"eu": 0.1, "us": 0.1}
        self.failing = False
        self._latency = Histogram("checkout_seconds", "Checkout time.", ["region"], registry=self.registry)
        self._requests = Counter("requests", "Requests.", registry=self.registry)
        self._failures = Counter("failures", "Failed requests.", registry=self.registry)
        self._stop = threading.Event()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve and take requests until the block ends; yields the address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), MetricsHandler.factory(self.registry))
        threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=self._take_requests)]
        for thread in threads:
            thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            self._stop.set()
            server.shutdown()
            server.server_close()
            for thread in threads:
                thread.join()

    def _take_requests(self) -> None:
        while not self._stop.wait(0.05):
            for region, seconds in self.latency.items():
                self._latency.labels(region).observe(seconds)
            self._requests.inc()
            if self.failing:
                self._failures.inc()


def write_config(folder: Path, prometheus: str, port: int, slack: str, webhook: str) -> Path:
    """Write a sprint around today, the rules and the daemon's config, as in the README."""
    today = utcnow().date()
    sprint = {"version": 1, "sprint": "now", "title": "Now", "timezone": "UTC"}
    dates = {"start": str(today - timedelta(days=1)), "end": str(today + timedelta(days=5))}
    (folder / "rules").mkdir()
    (folder / "rules" / "sprint.yaml").write_text(yaml.safe_dump(sprint | dates))
    (folder / "rules" / "checkout.yaml").write_text(RULES)
    (folder / "slack-url").write_text(slack)
    rate = "sum by (le, region) (rate(checkout_seconds_bucket[4s]))"
    indicators = [
        {
            "name": "checkout_p95_seconds",
            "type": "percentile",
            "unit": "seconds",
            "query": f"histogram_quantile(0.95, {rate})",
        },
        {"name": "checkout_seconds", "type": "histogram", "unit": "seconds", "query": "checkout_seconds_bucket"},
        {"name": "failures_total", "type": "counter", "query": "failures_total"},
        {"name": "requests_total", "type": "counter", "query": "requests_total"},
        {
            "name": "burn_alarm_active",
            "type": "bool",
            "query": 'max(ALERTS{alertname=~".*Burn.*",alertstate="firing"}) or vector(0)',
        },
    ]
    collector = {"name": "prometheus", "type": "prometheus", "url": prometheus, "interval": "1s"}
    config = {
        "version": 1,
        "rules": ["rules"],
        "server": {"port": port},
        "collectors": [collector | {"indicators": indicators}],
        "receivers": [
            {"name": "slack", "type": "slack", "url": {"file": "slack-url"}, "min_interval": "0s"},
            {"name": "hook", "type": "webhook", "url": webhook},
        ],
    }
    (folder / "slo-guard.yaml").write_text(yaml.safe_dump(config))
    return folder / "slo-guard.yaml"


def told(slack: SlackStandIn, title: str, *words: str) -> bool:
    """Whether a message that Slack accepted names a KPI's title and all ``words``."""
    texts = [all_texts(each.document) for each in slack.accepted]
    return any(title in text and all(word in text for word in words) for text in texts)


def test_fault_is_told_and_its_end_and_prometheus_sees_both(tmp_path):
    """The whole way that a number takes: service, Prometheus, slo_guard, Slack and webhook, and back to Prometheus."""
    service, port = Service(), free_port()
    burn = {"alert": "ErrorBudgetBurn", "expr": "increase(failures_total[5s]) > 0"}
    with (
        service.serving() as address,
        SlackStandIn() as slack,
        WebhookStandIn() as hook,
        running_prometheus(
            tmp_path / "prometheus", {"service": address, "slo_guard": f"127.0.0.1:{port}"}, alerts=[burn]
        ) as prometheus,
        Daemon(write_config(tmp_path, prometheus.url, port, slack.url, hook.url)) as daemon,
    ):
        eventually(lambda: prometheus.query("rate(requests_total[4s])"), 30, what="Prometheus has scraped the service")
        daemon.start().wait_ready()
        eventually(lambda: daemon.kpi("checkout_p95")["verdict"] == "met", 30, what="the latency is fine")
        eventually(lambda: daemon.kpi("failed_requests")["verdict"] == "met", 30, what="no request fails")
        eventually(lambda: daemon.kpi("checkout_buckets")["verdict"] == "met", 30, what="so are the buckets")
        assert_same_quantile(prometheus, 'region="eu"')

        service.latency["us"], service.failing = 2.0, True

        eventually(lambda: told(slack, "Checkout p95", "Breached", "us"), 30, what="Slack hears of the slow region")
        eventually(lambda: told(slack, "Failed requests", "Breached"), 30, what="Slack hears of the failures")
        eventually(lambda: daemon.kpi("checkout_buckets")["verdict"] == "missed", 30, what="the buckets say it, too")
        breached = 'slo_guard_kpi_breached{kpi="checkout_p95",region="us"} == 1'
        eventually(lambda: prometheus.query(breached), 30, what="Prometheus sees the breach")
        firing = 'slo_guard_alerts{kpi="checkout_p95",severity="page",alertstate="firing"} == 1'
        eventually(lambda: prometheus.query(firing), 30, what="Prometheus counts the alert")

        service.latency["us"], service.failing = 0.1, False

        eventually(lambda: told(slack, "Checkout p95", "Recovered", "us"), 60, what="Slack hears that it is fast again")
        eventually(lambda: told(slack, "Failed requests", "Recovered"), 60, what="Slack hears that nothing fails")
        eventually(lambda: {"firing", "resolved"} <= {each.document["status"] for each in hook.accepted}, 30)
        assert slack.problems == []
        assert hook.problems == []
        assert daemon.series("burn_alarms")["value"] > 0
        assert_contract(daemon, prometheus)


def assert_same_quantile(prometheus: PrometheusServer, region: str) -> None:
    """Compare the p95 of a region whose requests all take as long: it is the same whenever it is asked for."""
    ours = f'slo_guard_kpi_value{{kpi="checkout_buckets",{region}}}'
    theirs = f"histogram_quantile(0.95, sum by (le) (rate(checkout_seconds_bucket{{{region}}}[4s])))"
    (value,) = eventually(lambda: prometheus.query(ours), 30, what="Prometheus has scraped the value")
    assert value[1] == pytest.approx(prometheus.query(theirs)[0][1], rel=1e-9)


def assert_contract(daemon: Daemon, prometheus: PrometheusServer) -> None:
    """Prometheus reads every metric that dashboards depend on, and its own checker finds nothing to mend."""
    page = daemon.get("/metrics").text
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    for name in (
        "slo_guard_kpi_value",
        'slo_guard_kpi_target{bound="at_most"}',
        "slo_guard_kpi_breached",
        "slo_guard_kpi_coverage_ratio",
        'slo_guard_kpi_verdict{verdict="met"}',
        "slo_guard_alerts",
        "slo_guard_collector_up",
        "slo_guard_collection_duration_seconds_count",
        "slo_guard_collection_last_success_timestamp_seconds",
        "slo_guard_evaluation_duration_seconds_count",
        "slo_guard_evaluations_missed_total",
        'slo_guard_notifications_total{outcome="delivered"}',
        "slo_guard_outbox_pending",
        "slo_guard_outbox_oldest_seconds",
        "slo_guard_config_last_reload_successful",
        "slo_guard_build_info",
    ):
        assert prometheus.query(name), name
