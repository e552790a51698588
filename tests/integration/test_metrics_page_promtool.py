"""Prometheus's own linter reads the page that slo_guard serves."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import requests

from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.expose.own_metrics import OwnMetrics
from tests.support.builders import a_kpi, an_objective
from tests.support.pictures import NAN, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving

pytestmark = pytest.mark.peer


def test_promtool_finds_nothing_to_say():
    """`promtool check metrics` is the contract with everybody who scrapes the page."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    kpi = a_kpi("p95", by=("system",), objective=an_objective("between", 0, 1), warn=an_objective("at_most", 0.5))
    awkward = {(("system", 'back\\slash "quoted"\nline'),): 1e-9, (("system", "µ ☃"),): NAN, (("system", ""),): 1e300}
    frame = verdict_frame(kpi, awkward, [Verdict.MISSED, Verdict.NO_DATA, Verdict.MET], coverage=[0.5, 1.0, NAN])
    own = OwnMetrics()
    own.expect(["prometheus"], ["slack"])
    own.collected("prometheus", 0.1, True, 1_783_500_000.0)
    own.evaluated(0.01)
    own.notified("slack", DeliveryOutcome.DELIVERED)
    own.reloaded(True)
    own.job_error("evaluate")
    with serving(a_snapshot([frame], [an_alert(kpi, state=AlertState.PENDING)]), own=own) as base:
        page = requests.get(f"{base}/metrics", timeout=5).content

    ran = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
