"""What Mission Control writes: the same rows whatever the steps, in files that rotate and databases that grow."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slo_guard.collect.sign_offs import read_evidence
from slo_guard.demo.mission_control import MissionControl
from slo_guard.demo.mission_files import MissionFiles
from slo_guard.demo.world.ga_ops import DRILL_UNSIGNED
from slo_guard.demo.world.story import Story
from tests.support.demo_world import T0, mission


def write(folder: Path, control: MissionControl, *instants: float) -> Path:
    folder.mkdir()
    files = MissionFiles(folder, control)
    for instant in instants:
        files.advance(instant)
    files.close()
    return folder


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def usage(folder: Path) -> list[dict[str, str]]:
    files = [*sorted((folder / "exports").glob("xai-usage-*.csv")), folder / "exports" / "xai-usage.csv"]
    return [row for file in files for row in csv.DictReader(file.read_text().splitlines())]


def contents(folder: Path) -> dict[str, object]:
    return {
        "usage": {file.name: file.read_text() for file in (folder / "exports").glob("xai-usage*.csv")},
        "tickets": {file.name: file.read_text() for file in (folder / "exports").glob("partner-tickets*.jsonl")},
        "calendar": (folder / "exports" / "ceremonies.csv").read_text(),
        "snapshots": rows(folder / "billing.db", "SELECT * FROM usage_snapshots"),
        "exports": rows(folder / "billing.db", "SELECT * FROM month_open_exports"),
        "census": rows(folder / "onboarding.db", "SELECT * FROM census"),
        "factory": rows(folder / "onboarding.db", "SELECT * FROM factory"),
        "signed": read_evidence(folder / "sign-offs.yaml"),
    }


@pytest.mark.parametrize(
    "control",
    [mission(), MissionControl(Story(T0, T0, stretch=5760.0, tick_seconds=7200.0))],
    ids=["live", "slow"],
)
def test_files_and_databases_do_not_depend_on_the_steps(tmp_path: Path, control: MissionControl) -> None:
    """Live they are written each half second, at speed in leaps: what they hold must be the same."""
    end = control.story.instant(150.3)

    at_once = contents(write(tmp_path / "once", control, end))
    in_steps = contents(
        write(
            tmp_path / "steps",
            control,
            *(control.story.instant(position) for position in np.arange(0.0, 150.3, 0.7)),
            end,
        )
    )

    assert in_steps == at_once


def test_databases_hold_what_the_world_measures(tmp_path: Path) -> None:
    """The daemon reads the past from them, and the present."""
    control, now = mission(), T0 + 130.5
    folder = write(tmp_path / "files", control, now)

    snapshots = rows(
        folder / "billing.db",
        "SELECT id, taken_at, tenant, metered_units, billed_units FROM usage_snapshots ORDER BY id",
    )
    census = rows(folder / "onboarding.db", "SELECT counted_at, tenants_live, go_live_blocks FROM census ORDER BY id")

    assert [row[0] for row in snapshots] == list(range(1, len(snapshots) + 1))
    assert snapshots[0][1] <= control.story.history_from + 300
    latest = {row[2]: row[3:] for row in snapshots if row[1] == snapshots[-1][1]}
    metered, billed = (control.now(f"metering_{kind}_units", snapshots[-1][1]) for kind in ("metered", "billed"))
    assert latest == {dict(labels)["tenant"]: (units, billed[labels]) for labels, units in metered.items()}
    assert census[0][1:] == (7, 0)
    assert census[-1] == (T0 + 130, 8, 1)
    assert rows(folder / "billing.db", "SELECT tenant FROM month_open_exports WHERE NOT on_schedule") == [("globex",)]
    assert rows(folder / "onboarding.db", "SELECT * FROM factory") == [
        ("aurora", 5, "bundle.zip"),
        ("borealis", 4, None),
    ]
    assert rows(folder / "billing.db", "PRAGMA journal_mode") == [("wal",)]


def test_exports_rotate_each_minute_and_keep_three_old_files(tmp_path: Path) -> None:
    """Rotation is what a collector of files must survive; a folder that grows for ever is not free of set-up."""
    control = mission()

    folder = write(tmp_path / "files", control, T0 + 59, T0 + 125, T0 + 310)

    names = sorted(file.name for file in (folder / "exports").glob("xai-usage*"))
    assert names == ["xai-usage-0003.csv", "xai-usage-0004.csv", "xai-usage-0005.csv", "xai-usage.csv"]
    tickets = sorted(file.name for file in (folder / "exports").glob("partner-tickets*"))
    assert tickets == ["partner-tickets-0001.jsonl", "partner-tickets-0004.jsonl", "partner-tickets.jsonl"]
    kept = usage(folder)
    assert kept[0]["time"] == "2026-07-09T23:04:03.400Z"
    assert [row["cohort"] for row in kept[:2]] == ["internal", "external"]
    assert int(kept[-2]["sessions"]) == int(control.now("xai_sessions_total", T0 + 310)[(("cohort", "internal"),)])


def test_a_ticket_is_a_json_line(tmp_path: Path) -> None:
    """The desk's export: times with a zone, hours as numbers."""
    folder = write(tmp_path / "files", mission(), T0 + 90)

    lines = [json.loads(line) for line in (folder / "exports" / "partner-tickets.jsonl").read_text().splitlines()]

    slow = [line for line in lines if line["resolution_hours"] > 24]
    assert {line["partner"] for line in slow} == {"northwind"}
    assert lines[-1].keys() == {"ticket", "partner", "kind", "resolved_at", "resolution_hours"}
    assert lines[-1]["resolved_at"].startswith("2026-07-09T23:03:1")


def test_sign_offs_stand_in_the_evidence_file_when_their_time_has_come(tmp_path: Path) -> None:
    """The file is what the evidence collector reads; the simulation must write it as people would."""
    early = read_evidence(write(tmp_path / "early", mission(), T0) / "sign-offs.yaml")
    later = read_evidence(write(tmp_path / "later", mission(), T0, T0 + DRILL_UNSIGNED.ends) / "sign-offs.yaml")

    new = {entry.indicator for entry in later.entries} - {entry.indicator for entry in early.entries}
    assert (early.wrong, later.wrong) == ((), ())
    assert {entry.indicator for entry in early.entries} >= {"kickoff_held", "fsv2_decision_signed", "fsv2_decision_go"}
    assert new == {"ga_rollback_drill_logged", "xai_m1_approved", "security_evidence_complete"}
    steps = {entry.sign_off.labels for entry in later.entries if entry.indicator == "onboarding_factory_steps"}
    assert steps == {(("step", "packs"),), (("step", "policy-simulator"),)}
