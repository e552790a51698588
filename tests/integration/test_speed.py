"""The demo's whole sprint, stepped through: what was lived is what a backtest finds, and what a restarted sprint lives."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from slo_guard.cli.backtest import backtest
from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import COLLECTOR_UP, SPRINT_CLOSE
from slo_guard.domain.notifications import NotToldReason
from slo_guard.domain.trails import NOT_JUDGED
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.loaded import load_files
from slo_guard.replay.backtest import backtest_json, backtest_store
from slo_guard.store import open_stored
from tests.support.stepped_sprint import LivedSprint, live_through, prune, without_ports

pytestmark = pytest.mark.xdist_group("speed")

STEP_SECONDS = 3 * 3600.0
"""So coarse that two sprints take less than a minute; every fault of the story lasts for longer."""

KINDS = (
    "Breached",
    "Still breached",
    "Partly recovered",
    "Recovered",
    "Worse",
    "At risk",
    "Burning its error budget",
    "Alert ended",
    "Sprint closed",
)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> LivedSprint:
    """Return the sprint as one process lived it."""
    return live_through(tmp_path_factory.mktemp("straight"), STEP_SECONDS)


def test_a_whole_sprint_shows_every_verdict_and_every_kind_of_message(straight: LivedSprint) -> None:
    """The demo is what people learn the words by: one that never comes up stays unknown until it matters."""
    kinds = [kind for kind in KINDS if not any(kind in message for message in straight.messages)]

    assert straight.verdicts == set(Verdict)
    assert kinds == []
    assert {each.reason for each in straight.transitions} >= {
        Reason.ESCALATED,
        Reason.SPRINT_CLOSED,
        Reason.BEHIND_PACE,
    }
    assert {each.not_told for each in straight.decisions} >= {NotToldReason.SOURCE_DOWN, NotToldReason.PENDING}


def test_it_ends_with_the_close_and_then_goes_on(straight: LivedSprint) -> None:
    """At the end instant all is judged once more and frozen, one message sums it up, and latency is judged on."""
    closes = [each for each in straight.transitions if each.key.kpi == SPRINT_CLOSE]
    firing = {each.key for each in straight.transitions if each.to_state is AlertState.FIRING}
    ended = {each.key for each in straight.transitions if each.reason is Reason.SPRINT_CLOSED}

    assert [each.at for each in closes] == [straight.sprint.end_at]
    assert sum("Sprint closed" in message for message in straight.messages) == 1
    assert {final.kpi for final in closes[0].finals} == set(straight.last) - {COLLECTOR_UP}
    assert {key.kpi for key in ended & firing} >= {"sev1_incidents", "onboarding_policy_blocks", "burn_alarm_minutes"}
    assert straight.last["sev1_incidents"].final
    assert straight.last["ga_e2e_p95"].at == straight.instants[-1] > straight.sprint.end_at


def drawn(lived: LivedSprint) -> dict[str, list[list[float]]]:
    """Return what is drawn of each KPI; NaN as -1."""
    return {
        kpi: [np.nan_to_num(column, nan=-1.0).tolist() for column in (trail.at, trail.value, trail.low, trail.high)]
        + [trail.verdict.tolist()]
        for (_, kpi), trail in lived.trails.items()
    }


def test_the_course_of_each_kpi_over_the_sprint_is_kept(straight: LivedSprint) -> None:
    """What the page of a sprint that is over draws: each KPI from the first day to the last, where it was judged."""
    ended = {final.kpi for each in straight.transitions for final in each.finals}

    assert {kpi for _, kpi in straight.trails} == ended
    for trail in straight.trails.values():
        assert trail.at[-1] - trail.slot_seconds < straight.sprint.end_at <= trail.at[-1]
        assert trail.at[0] == straight.sprint.start_at + trail.slot_seconds
        judged = np.count_nonzero(trail.verdict != NOT_JUDGED)
        assert judged >= 0.9 * (straight.sprint.end_at - straight.sprint.start_at) / STEP_SECONDS
    assert straight.trails[straight.sprint.id, "sev1_incidents"].verdict[-1] == Verdict.MISSED


def test_backtest_finds_the_same_transitions_in_what_was_stored(straight: LivedSprint) -> None:
    """What was tested is what pages: one evaluator, whoever drives it; compacted readings are the same readings."""
    plan = load_files(straight.config_path).plan
    first, last = straight.instants[0], straight.instants[-1]

    with closing(open_stored(straight.store_path)) as store:
        replayed = without_ports(tuple(backtest_store(plan, store, first, last)))
    prune(straight.store_path, last + 86400.0)
    compacted = CliRunner().invoke(
        backtest,
        [
            *("--config", str(straight.config_path), "--store", str(straight.store_path)),
            *("--from", iso(first), "--to", iso(last), "--format", "json"),
        ],
    )

    assert replayed == straight.transitions
    burns = {(each.key.kpi, each.key.tier, each.reason) for each in replayed if each.key.kind is AlertKind.BURN}
    for reason in (Reason.BURNING, Reason.RECOVERED):
        assert {("ga_latency_slo", "24h/3h", reason), ("ga_audits", "3d/6h", reason)} <= burns
    assert compacted.exit_code == 0, compacted.output
    assert json.loads(compacted.stdout) == backtest_json(straight.transitions)


def test_a_sprint_restarted_ten_times_is_the_same_sprint(straight: LivedSprint, tmp_path: Path) -> None:
    """A restart loses nothing, tells nothing twice, and judges nothing otherwise; also right at the sprint's end."""
    end = straight.sprint.end_at
    around = [end - STEP_SECONDS, end]
    others = [each.at for each in straight.transitions if each.at < around[0]]
    stops = {*around, *sorted(set(others))[:: len(set(others)) // 8][:8]}

    restarted = live_through(tmp_path, STEP_SECONDS, stops)

    assert restarted.restarts == len(stops) == 10
    assert restarted.instants == straight.instants
    assert restarted.transitions == straight.transitions
    assert restarted.decisions == straight.decisions
    assert restarted.messages == straight.messages
    assert drawn(restarted) == drawn(straight)


def test_the_command_ends_with_the_close_and_the_final_verdicts(tmp_path: Path) -> None:
    """One command, and by its end everybody has seen a sprint close; nothing of it stays behind."""
    done = subprocess.run(
        [sys.executable, "-m", "slo_guard", "demo", "--speed", "max", "--step", "6h"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )

    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("Sprint closed")
    assert "day 1 of 12" in before
    assert "How it ended" in after
    assert re.search(r"\d+ evaluations of \d+ KPIs, .* in \d", after)
    assert list(tmp_path.iterdir()) == []
