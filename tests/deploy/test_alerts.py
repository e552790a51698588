"""The alerts that watch slo_guard itself: clean, tested by promtool, and about metrics and chapters that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.own_metrics import OwnMetrics
from tests.support.builders import a_kpi
from tests.support.pictures import a_snapshot, an_alert, verdict_frame
from tests.support.promtool import promtool_major

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"


def rules() -> list[dict[str, Any]]:
    """All alerting rules of both files."""
    read = [
        yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8")) for name in ("alerts.yml", "kpi-alerts.yml")
    ]
    return [rule for file in read for group in file["groups"] for rule in group["rules"]]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    promtool_major()
    command = ["promtool", *arguments]
    return subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=120, check=False)


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed (Debian: apt-get install prometheus-alertmanager)")
    return subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.peer
def test_promtool_finds_nothing_in_config_and_rules():
    """A Prometheus that refuses its config after a deploy watches nothing at all."""
    ran = promtool("check", "config", "--lint-fatal", "prometheus.yml")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("SUCCESS") == 4


@pytest.mark.peer
def test_each_alert_fires_when_it_should_and_not_in_a_near_miss():
    """An alert that was never seen firing is a hope."""
    ran = promtool("test", "rules", "alerts_test.yml")

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alert_has_both_tests():
    """A new alert without its two cases would pass for tested."""
    names = [test["name"] for test in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]]

    for rule in rules():
        assert f"{rule['alert']} fires" in names
        assert any(name.startswith(f"{rule['alert']} does not: ") for name in names), rule["alert"]


@pytest.mark.peer
def test_alertmanager_takes_its_config():
    """The routes are the last hop to a person."""
    ran = amtool("check-config", str(ALERTMANAGER))

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.peer
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=SloGuardDown", "severity=page"), "on-call"),
        (("alertname=SloGuardReloadFailed", "severity=ticket"), "tickets"),
        (("alertname=SloGuardKpiPage", "severity=page", "lane=ga-ops"), "on-call"),
        (("alertname=SloGuardKpiTicket", "severity=ticket", "lane=ga-ops"), "tickets"),
    ],
)
def test_alertmanager_wakes_people_for_pages_only(labels: tuple[str, ...], receiver: str):
    """A ticket at night teaches people to ignore pages."""
    ran = amtool("config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)

    assert ran.stdout.split() == [receiver], ran.stderr


def test_every_metric_that_an_alert_reads_is_served():
    """A metric that was renamed leaves an alert that can never fire, and looks like silence."""
    kpi = a_kpi("p95")
    own = OwnMetrics()
    own.expect(["prometheus"], ["slack"])
    own.collected("prometheus", 0.1, ok=True, at=1_783_500_000.0)
    own.notified("slack", DeliveryOutcome.DELIVERED)
    page = b"".join(a_snapshot([verdict_frame(kpi, {(): 1.0}, [Verdict.MISSED])], [an_alert(kpi)]).metrics.parts)
    served = set(re.findall(r"^(\w+)", (page + own.render()).decode(), re.MULTILINE)) | {"up"}

    for rule in rules():
        read = set(re.findall(r"\b(up|process_\w+|slo_guard_\w+)\b(?!\")", rule["expr"]))
        assert read, rule["alert"]
        assert read <= served, rule["alert"]


def test_each_alert_says_what_happened_and_where_to_read_on():
    """Whoever is woken reads the alert, not this repository."""
    chapters = re.findall(r"^#+ (.+)$", (DEPLOY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", chapter).strip().lower().replace(" ", "-") for chapter in chapters}

    for rule in rules():
        texts = rule["annotations"]
        assert set(texts) == {"summary", "description", "runbook_url"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert texts["runbook_url"].rpartition("#")[2] == rule["alert"].lower()
        assert rule["alert"].lower() in anchors
