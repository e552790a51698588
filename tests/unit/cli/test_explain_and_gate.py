"""``slo-guard explain`` and ``slo-guard gate`` over a real store: pages for people, JSON and exit codes for scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from freezegun import freeze_time

from slo_guard.cli.explain import explain
from slo_guard.cli.gate import gate
from slo_guard.clock import from_unix, iso
from slo_guard.demo.stepper import JobStepper, SimulatedClock
from slo_guard.domain.readings import Collection, Evidence, GaugeFrame, IndicatorSpec, IndicatorType, Reading, SignOff
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.loaded import load_files
from slo_guard.store import open_store

START = 1783353600.0
"""2026-07-06 16:00 UTC."""
END_AT = 1784332800.0
FS, XAI = label_set({"system": "fs"}), label_set({"system": "xai"})
SPRINT = "version: 1\nsprint: s\ntitle: Sprint S\ntimezone: UTC\nstart: 2026-07-06\nend: 2026-07-17\n"
LANE = """\
version: 1
sprint: s
lane: ga-ops
owner: SRE Lead
interval: 1m
kpis:
  - kpi: ga_e2e_p95
    title: GA p95
    indicator: p95_seconds
    by: [system]
    measure: last
    objective: {at_most: 1.16s}
    for: 2m
    gate: true
  - kpi: drill
    title: Drill logged
    indicator: drill_logged
    measure: last
    objective: {is: true}
    due: sprint_end
    gate: true
  - kpi: loose
    indicator: p95_seconds
    by: [system]
    measure: max over 5m
    objective: {at_most: 9s}
"""
CONFIG = """\
version: 1
rules: [rules]
collectors:
  - name: gateway
    type: scrape
    url: http://127.0.0.1:1/metrics
    indicators: [{name: p95_seconds, type: percentile, unit: seconds, metric: x}]
  - {name: signed, type: evidence, file: evidence.yaml, indicators: [drill_logged]}
receivers: []
"""


class Sources:
    """A collector of both indicators that brings what the test says."""

    name = "gateway"
    indicators = (
        IndicatorSpec("p95_seconds", IndicatorType.PERCENTILE, "seconds", "gateway"),
        IndicatorSpec("drill_logged", IndicatorType.BOOL, "", "gateway"),
    )

    def __init__(self) -> None:
        self.values = {FS: 0.9, XAI: 0.8}
        self.sign_offs: tuple[SignOff, ...] = ()

    def collect(self, now: float, _cursor: str | None) -> Collection:
        frame = GaugeFrame(SeriesIndex.of(self.values), np.array(list(self.values.values())), now)
        readings = (
            Reading("p95_seconds", self.name, now, frame),
            Reading("drill_logged", self.name, now, Evidence(self.sign_offs, now)),
        )
        return Collection(self.name, now, readings)

    def close(self) -> None:
        """Nothing to release."""


def lived(folder: Path, *times: float, at: Callable[[Sources, float], None] = lambda _sources, _at: None) -> Path:
    """Have a daemon live through ``times`` in ``folder``; ``at`` changes the sources before each. Returns the config."""
    (folder / "rules").mkdir()
    (folder / "rules" / "sprint.yaml").write_text(SPRINT)
    (folder / "rules" / "ga-ops.yaml").write_text(LANE)
    (folder / "slo-guard.yaml").write_text(CONFIG)
    sources, clock = Sources(), SimulatedClock(times[0])
    with closing(open_store(folder / "slo-guard.db")) as store:
        stepper = JobStepper(load_files(folder / "slo-guard.yaml").plan, store, [sources], [], clock)
        for time in times:
            at(sources, time)
            stepper.step(time)
    return folder / "slo-guard.yaml"


def minutes(count: int) -> list[float]:
    return [START + 60 * minute for minute in range(count)]


def slow_from_minute_two(sources: Sources, at: float) -> None:
    sources.values[FS] = 1.3 if at >= START + 120 else 0.9


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the config of a daemon that lived for eight minutes, with ``fs`` slow from minute 2 on."""
    return lived(tmp_path_factory.mktemp("slow"), *minutes(8), at=slow_from_minute_two)


def run(command, *arguments: object, at: float = START + 420) -> Result:
    with freeze_time(from_unix(at)):
        return CliRunner(env={"COLUMNS": "80"}).invoke(command, [str(each) for each in arguments])


class TestExplain:
    """A new teammate asks why, and understands the answer."""

    def test_the_page_says_all_of_it_in_80_columns_without_colour(self, slow: Path) -> None:
        """It is pasted into tickets."""
        result = run(explain, "ga_e2e_p95", "--config", slow, at=START + 500)

        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= max(80, len(str(slow)) + 40)
        for line in (
            "GA p95: missed",
            "ga_e2e_p95, s, lane ga-ops, owner SRE Lead",
            f"Rule: {slow.parent}/rules/ga-ops.yaml:7",
            "As of Mon 6 Jul 2026 16:07 UTC, 1m 20s ago",
            "  The newest value of p95_seconds.",
            "  missed  1.3s  system=fs  since Mon 6 Jul 2026 16:02 UTC",
            "    1.3s is not at most 1.16s: 140ms above",
            "    alert firing since Mon 6 Jul 2026 16:02 UTC",
            "  met  800ms  system=xai  since Mon 6 Jul 2026 16:00 UTC",
            "    1.3s  system=fs  Mon 6 Jul 2026 16:07 UTC, 0s old",
        ):
            assert line in result.stdout.splitlines(), line

    def test_the_history_is_what_the_daemon_lived(self, slow: Path) -> None:
        """From the store, not guessed anew."""
        found = json.loads(run(explain, "ga_e2e_p95", "--config", slow, "--format", "json").stdout)

        of_fs = [each for each in found["history"] if each["labels"] == {"system": "fs"}]
        assert [(each["at"][11:16], each["kind"], each["from"], each["to"], each["reason"]) for each in of_fs] == [
            ("16:00", "verdict", None, "met", "objective_met"),
            ("16:02", "verdict", "met", "missed", "objective_missed"),
            ("16:02", "breach", "inactive", "pending", "objective_missed"),
            ("16:04", "breach", "pending", "firing", "objective_missed"),
        ]

    @pytest.mark.parametrize(
        ("minute", "verdict", "since", "alert"),
        [(1, "met", "16:00", "inactive"), (3, "missed", "16:02", "pending"), (5, "missed", "16:02", "firing")],
    )
    def test_it_can_be_asked_as_it_was(self, slow: Path, minute: int, verdict: str, since: str, alert: str) -> None:
        """After an incident the question is what was known at the time."""
        at = iso(START + 60 * minute)

        found = json.loads(run(explain, "ga_e2e_p95", "--config", slow, "--at", at, "--format", "json").stdout)

        series = next(each for each in found["series"] if each["labels"] == {"system": "fs"})
        assert (series["verdict"], series["since"][11:16], series["alert"]["state"]) == (verdict, since, alert)
        assert max(each["at"] for each in found["history"]) <= at

    def test_a_final_verdict_is_explained_after_the_close(self, tmp_path: Path) -> None:
        """The retro is after the sprint."""
        config = lived(tmp_path, END_AT - 60, END_AT, END_AT + 60)

        result = run(explain, "drill", "--config", config, at=END_AT + 3600)

        assert result.stdout.startswith("Drill logged: missed (final)\n")
        assert "it is false, and must be true" in result.stdout

    def test_recorded_samples_are_explained_without_a_daemon(self, slow: Path, tmp_path: Path) -> None:
        """A rule is understood before anything runs."""
        rows = [f"{iso(START + 60 * minute)},p95_seconds,{0.9 + 0.1 * minute},fs" for minute in range(6)]
        samples = tmp_path / "samples.csv"
        samples.write_text("\n".join(["timestamp,indicator,value,system", *rows, ""]))

        result = run(
            explain, "ga_e2e_p95", "--rules", slow.parent / "rules", "--samples", samples, "--at", iso(START + 300)
        )

        assert "1.4s is not at most 1.16s: 240ms above" in result.stdout
        assert "alert firing since" in result.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            (["ga_e2e_p9"], 2, "no KPI is called 'ga_e2e_p9'; did you mean 'ga_e2e_p95'?"),
            (["ga_e2e_p95", "--sprint", "t"], 2, "no sprint is called 't'; known are s"),
            (["ga_e2e_p95", "--samples", "x"], 2, "--rules and --samples go together"),
            (["ga_e2e_p95", "--at", "yesterday"], 2, "write 2026-07-06T10:00:00Z"),
        ],
    )
    def test_wrong_use_is_one_clear_error(self, slow: Path, arguments: list[str], code: int, says: str) -> None:
        """What to write instead, and no traceback."""
        result = run(explain, *arguments, "--config", slow)

        assert (result.exit_code, result.stdout) == (code, "")
        assert says in result.stderr

    def test_a_store_without_an_evaluation_says_so(self, slow: Path, tmp_path: Path) -> None:
        """Nothing has been judged, so nothing can be explained."""
        (tmp_path / "slo-guard.yaml").write_text(CONFIG.replace("[rules]", f"[{slow.parent}/rules]"))
        missing = run(explain, "drill", "--config", tmp_path / "slo-guard.yaml")
        open_store(tmp_path / "slo-guard.db").close()
        empty = run(explain, "drill", "--config", tmp_path / "slo-guard.yaml")

        assert (missing.exit_code, empty.exit_code) == (2, 2)
        assert "there is no store" in missing.stderr
        assert "holds no evaluation yet" in empty.stderr

    def test_nothing_in_the_store_is_changed(self, slow: Path) -> None:
        """It runs beside the daemon."""
        before = (slow.parent / "slo-guard.db").read_bytes()

        run(explain, "ga_e2e_p95", "--config", slow)
        run(gate, "--config", slow)

        assert (slow.parent / "slo-guard.db").read_bytes() == before


def signed(sources: Sources, at: float) -> None:
    sources.sign_offs = (SignOff((), True, "Ada", START - 3600, "https://wiki/drill"),)


class TestGate:
    """A pipeline asks whether to go on: the exit code must never say go by accident."""

    def test_all_met_is_go(self, tmp_path: Path) -> None:
        """With who signed, when, and the proof."""
        config = lived(tmp_path, *minutes(3), at=signed)

        result = run(gate, "--config", config, "--format", "json", at=START + 150)

        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert (found["outcome"], found["reason"], len(found["kpis"])) == ("go", "2 go", 2)
        assert found["kpis"][1]["evidence"] == ["signed by Ada, Mon 6 Jul 2026 15:00 UTC, https://wiki/drill"]

    def test_one_breach_is_no_go(self, slow: Path) -> None:
        """Whatever else is fine, and undecided."""
        result = run(gate, "s", "--config", slow)

        assert result.exit_code == 1
        assert "NO-GO: 1 no-go, 1 undecided" in result.stdout
        assert "system=fs: 1.3s is not at most 1.16s: 140ms" in result.stdout

    def test_what_is_not_signed_yet_is_undecided(self, slow: Path) -> None:
        """Unknown is not go; the reason stands on standard error, beside the table."""
        result = run(gate, "--config", slow, "--at", iso(START + 60), "--format", "markdown")

        assert result.exit_code == 2
        assert "undecided: 1 undecided, 1 go" in result.stderr
        assert "nobody has signed it: slo-guard sign drill --by NAME" in result.stdout

    def test_who_only_looks_needs_no_secret_of_the_daemons(self, tmp_path: Path) -> None:
        """A pipeline has no webhook, and a warning in each of its logs would teach people to skip warnings."""
        config = lived(tmp_path, START)
        url = "url: {env: NO_SUCH_WEBHOOK}"
        config.write_text(CONFIG.replace("receivers: []", f"receivers: [{{name: slack, type: slack, {url}}}]"))

        result = run(gate, "--config", config, at=START)

        assert result.stderr == "undecided: 1 undecided, 1 go\n"

    def test_where_no_daemon_has_looked_for_a_while_nothing_is_go(self, tmp_path: Path) -> None:
        """The last evaluation was fine: that says nothing of now."""
        config = lived(tmp_path, *minutes(3), at=signed)

        result = run(gate, "--config", config, at=START + 86400)

        assert result.exit_code == 2
        assert "the newest sample is too old" in result.stdout

    def test_after_the_close_the_frozen_verdicts_count(self, tmp_path: Path) -> None:
        """What became slow after the sprint is no matter of this one, and neither is a late signature."""

        def later(sources: Sources, at: float) -> None:
            signed(sources, at)
            sources.values[FS] = 9.0 if at > END_AT else 0.9

        config = lived(tmp_path, END_AT - 60, END_AT, END_AT + 60, END_AT + 120, at=later)

        result = run(gate, "--config", config, "--format", "json", at=END_AT + 7 * 86400)

        found = json.loads(result.stdout)
        assert (result.exit_code, found["outcome"], found["final"], found["at"]) == (0, "go", True, iso(END_AT))

    def test_markdown_is_a_table_for_the_papers(self, slow: Path) -> None:
        """Pasted into a pull request it is still a table."""
        result = run(gate, "--config", slow, "--format", "markdown")

        lines = result.stdout.splitlines()
        assert lines[0] == "## Sprint S: **no-go**"
        assert lines[4].count("|") == lines[6].count("|") == lines[7].count("|")
        assert "`ga_e2e_p95` | **no-go** | missed | 1.3s | at most 1.16s |" in lines[6]

    def test_a_sprint_without_gates_is_undecided(self, slow: Path, tmp_path: Path) -> None:
        """Somebody forgot to write them."""
        (tmp_path / "rules").mkdir()
        for file in (slow.parent / "rules").iterdir():
            (tmp_path / "rules" / file.name).write_text(file.read_text().replace("    gate: true\n", ""))
        store = f"store: {{path: {slow.parent}/slo-guard.db}}\n"
        (tmp_path / "slo-guard.yaml").write_text(CONFIG + store)

        result = run(gate, "--config", tmp_path / "slo-guard.yaml")

        assert result.exit_code == 2
        assert "no KPI of s has gate: true" in result.stderr
        assert "objective" not in result.stdout, "a table without a row says nothing"

    @pytest.mark.parametrize(
        "break_it",
        [
            lambda folder: (folder / "slo-guard.yaml").unlink(),
            lambda folder: (folder / "slo-guard.yaml").write_text(CONFIG.replace("type: scrape", "type: scape")),
            lambda folder: (folder / "slo-guard.db").unlink(),
            lambda folder: (folder / "slo-guard.db").write_bytes(b"no database" * 1000),
            lambda folder: (folder / "rules" / "ga-ops.yaml").write_text(LANE.replace("1.16s", "1.16 parsec")),
        ],
        ids=["no config", "config with errors", "no store", "damaged store", "rules with errors"],
    )
    def test_what_cannot_be_read_decides_nothing(self, tmp_path: Path, break_it: Callable[[Path], object]) -> None:
        """Exit code 1 would say no-go, and 0 go; both would be wrong."""
        config = lived(tmp_path, *minutes(1), at=signed)
        break_it(tmp_path)

        result = run(gate, "--config", config)

        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.strip()

    def test_a_fault_of_our_own_decides_nothing(self, slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A traceback ends in exit code 1, which a pipeline takes for no-go."""
        monkeypatch.setattr("slo_guard.cli.gate.gate_stored", lambda *_: 1 / 0)

        result = run(gate, "--config", slow)

        assert result.exit_code == 2
        assert "undecided: a fault in slo_guard: ZeroDivisionError" in result.stderr

    def test_a_reader_that_leaves_early_changes_nothing(self, slow: Path) -> None:
        """``gate | head -1`` with pipefail must not be a go."""
        command = f"from slo_guard.cli import main; import sys; sys.argv[1:] = ['gate', '--config', {str(slow)!r}, '--at', '{iso(START + 300)}']; main()"

        with subprocess.Popen(
            [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.close()
            process.wait(timeout=60)

        assert process.returncode == 1
