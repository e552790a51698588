"""`slo-guard sign`, run as a process: one line for what was written, one clear line for what was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from slo_guard.collect.sign_offs import read_evidence

CONFIG = """
version: 1
rules: [rules]
store: {path: slo-guard.db}
collectors:
  - {name: signed, type: evidence, file: signed/evidence.yaml, indicators: [drill_logged, memo_signed]}
  - name: page
    type: scrape
    url: http://127.0.0.1:9/metrics
    indicators: [{name: paused, type: bool, metric: paused}]
receivers: []
"""
SPRINT = """
version: 1
sprint: sprint-40
title: "Sprint 40"
timezone: America/Denver
start: 2026-07-06
end: 2026-07-17
"""
LANE = """
version: 1
sprint: sprint-40
lane: ga-ops
owner: SRE Lead
interval: 30s
kpis:
  - {kpi: drill, title: Drill, indicator: drill_logged, measure: last, objective: {is: true}, due: sprint_end}
  - kpi: memo_acme
    title: Memo
    indicator: memo_signed
    where: {tenant: acme}
    by: [author]
    measure: last
    objective: {is: true}
  - {kpi: paused, title: Paused, indicator: paused, measure: last, objective: {is: false}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "slo-guard.yaml").write_text(CONFIG)
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "ga-ops.yaml").write_text(LANE)
    return tmp_path


def sign(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from slo_guard.cli import main; main()", "sign", *arguments]
    config = [] if "--config" in arguments else ["--config", str(folder / "slo-guard.yaml")]
    return subprocess.run([*command, *config], capture_output=True, text=True, timeout=60, check=False)


def entries(folder: Path):
    return read_evidence(folder / "signed" / "evidence.yaml").entries


def test_signing_writes_the_entry_and_says_so(folder):
    """The one line tells what was written and where, and the collector reads it."""
    done = sign(folder, "drill", "--by", "Ana", "--link", "https://wiki/drill", "--when", "2026-07-16T12:00:00+02:00")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"drill signed by Ana as of 2026-07-16T10:00:00Z, in {folder}/signed/evidence.yaml"
    ]
    [entry] = entries(folder)
    assert entry.indicator == "drill_logged"
    assert (entry.sign_off.by, entry.sign_off.value, entry.sign_off.link) == ("Ana", True, "https://wiki/drill")
    assert entry.sign_off.when == 1_784_196_000.0
    assert entry.sign_off.entered_at > 0


def test_a_word_can_be_taken_back_and_both_stay_on_record(folder):
    """What was said when must remain visible."""
    sign(folder, "drill", "--by", "Ana")
    done = sign(folder, "drill", "--by", "Bo", "--value", "false")

    assert "drill taken back by Bo" in done.stdout
    assert [(each.sign_off.by, each.sign_off.value) for each in entries(folder)] == [("Ana", True), ("Bo", False)]


def test_labels_without_which_the_kpi_would_not_see_it_are_added(folder):
    """A sign-off that no rule looks at would be lost in silence."""
    done = sign(folder, "memo_acme", "--by", "Ana", "--label", "author=bo")

    assert done.returncode == 0
    assert entries(folder)[0].sign_off.labels == (("author", "bo"), ("tenant", "acme"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["dril", "--by", "Ana"], 1, "did you mean 'drill'?"),
        (["paused", "--by", "Ana"], 1, "paused is not judged by evidence"),
        (["memo_acme", "--by", "Ana"], 1, "write --label author="),
        (["memo_acme", "--by", "Ana", "--label", "author=a", "--label", "tenant=other"], 1, "tenant=acme only"),
        (["drill", "--by", " "], 2, "write who signs"),
        (["drill"], 2, "--by"),
        (["drill", "--by", "Ana", "--when", "yesterday"], 2, "2026-07-16T10:00:00Z"),
        (["drill", "--by", "Ana", "--when", "2026-07-16T10:00:00"], 2, "time zone"),
        (["drill", "--by", "Ana", "--label", "author"], 2, "NAME=VALUE"),
        (["drill", "--by", "Ana", "--label", "a=1", "--label", "a=2"], 2, "given twice"),
        (["drill", "--by", "Ana", "--value", "maybe"], 2, "maybe"),
        (["drill", "--by", "Ana", "--config", "/nowhere/slo-guard.yaml"], 2, "/nowhere/slo-guard.yaml"),
    ],
)  # fmt: skip
def test_what_cannot_be_signed_is_said_in_one_clear_line(folder, arguments, code, said):
    """No traceback, no entry, and what to do instead."""
    done = sign(folder, *arguments)

    assert done.returncode == code
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (folder / "signed").exists()


def test_wrong_rules_are_told_as_check_tells_them(folder):
    """Without rules nobody knows what is signed."""
    (folder / "rules" / "ga-ops.yaml").write_text(LANE.replace("measure: last", "mesure: last", 1))

    done = sign(folder, "drill", "--by", "Ana")

    assert done.returncode == 1
    assert "ga-ops.yaml:8:57:" in done.stderr


def test_a_file_that_cannot_be_added_to_is_said(folder):
    """What stands there is not overwritten."""
    (folder / "signed").mkdir()
    (folder / "signed" / "evidence.yaml").write_text("a: b\n")

    done = sign(folder, "drill", "--by", "Ana")

    assert done.returncode == 1
    assert "not a list of sign-offs" in done.stderr
    assert (folder / "signed" / "evidence.yaml").read_text() == "a: b\n"
