"""``slo-guard check``: all findings, one summary line, and exit codes that CI can rely on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.check import check

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Return a folder with the shipped config and rules, in which the command runs."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLO_GUARD_SLACK_URL", "http://127.0.0.1:1/hook")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(check, [str(argument) for argument in arguments], catch_exceptions=False)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "arguments", [(), ("--config", "config/slo-guard.yaml"), ("rules",), ("rules/sprint-40/ga-ops.yaml",)]
)
def test_clean_files_end_with_0(folder, arguments):
    """Without arguments the config of the working folder is meant."""
    result = run(*arguments)

    assert result.exit_code == 0
    expected = (
        "8 KPIs in 1 lane, 0 errors"
        if arguments == ("rules/sprint-40/ga-ops.yaml",)
        else "66 KPIs in 9 lanes, 0 errors"
    )
    assert result.stdout == f"{expected}\n"


def test_errors_of_config_and_rules_are_told_together(folder):
    """One run tells everything."""
    change(folder / "config/slo-guard.yaml", "port: 9469", "port: many")
    change(folder / "rules/sprint-40/ga-ops.yaml", "{at_most: 1.16s}", "{at_most: 1.16}")
    change(folder / "rules/sprint-40/sprint.yaml", "America/Denver", "America/Denvr")

    result = run()

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["config/slo-guard.yaml:20:9", "server.port"],
        ["rules/sprint-40/ga-ops.yaml:17:26", "kpis[0].objective.at_most"],
        ["rules/sprint-40/sprint.yaml:4:11", "timezone"],
    ]
    assert lines[-1] == "66 KPIs in 9 lanes, 3 errors"


def test_rules_are_checked_against_the_configs_indicators(folder):
    """An indicator that no collector produces would be no_data for ever."""
    change(folder / "rules/sprint-40/ga-ops.yaml", "indicator: ga_e2e_p95_seconds", "indicator: ga_e2e_p95_secnds")

    result = run("--config", "config/slo-guard.yaml", "rules/sprint-40")

    assert result.exit_code == 1
    assert "no collector produces 'ga_e2e_p95_secnds'; did you mean 'ga_e2e_p95_seconds'?" in result.stdout


def test_a_query_that_does_not_parse_is_told_without_a_server(folder):
    """No Prometheus runs here."""
    change(
        folder / "config/slo-guard.yaml",
        "sum by (system) (mission_control_request_duration_seconds_count)",
        "sum by (system (x)",
    )

    result = run()

    assert result.exit_code == 1
    assert "collectors[0].indicators[3].query: " in result.stdout
    assert "no collector produces" not in result.stdout, "what only follows is not told"


def test_a_missing_secret_is_a_warning_and_ends_with_0(folder, monkeypatch):
    """CI has no secrets."""
    monkeypatch.delenv("SLO_GUARD_SLACK_URL")

    result = run()

    assert result.exit_code == 0
    assert "warning: the environment variable SLO_GUARD_SLACK_URL holds no secret; set it" in result.stdout
    assert result.stdout.endswith("66 KPIs in 9 lanes, 0 errors, 1 warning\n")


@pytest.mark.parametrize("arguments", [("--config", "gone.yaml"), ("gone",), ("rules", "gone")])
def test_what_cannot_be_read_ends_with_2(folder, arguments):
    """A typo in a path is not a typo in a rule."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert "cannot be read: No such file or directory" in result.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_ends_with_2(folder):
    """The other files are checked all the same."""
    (folder / "rules/sprint-40/ga-ops.yaml").chmod(0)

    assert run("rules").exit_code == 2


def test_without_anything_to_check_the_usage_is_told(tmp_path, monkeypatch):
    """Exit code 0 would look like all is well."""
    monkeypatch.chdir(tmp_path)

    result = run()

    assert result.exit_code == 2
    assert "name RULES or --config FILE; there is no slo-guard.yaml or config/slo-guard.yaml here" in result.stderr


def test_json_holds_every_finding_with_its_place(folder):
    """Editors and CI annotate lines with it."""
    change(folder / "rules/sprint-40/ga-ops.yaml", "severity: page", "severity: pgae")

    result = run("rules", "--format", "json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "findings": [
            {
                "file": "rules/sprint-40/ga-ops.yaml",
                "line": 7,
                "column": 13,
                "path": "defaults.severity",
                "message": "'pgae' is not known; did you mean 'page'? Known are page, ticket, none",
                "severity": "error",
            }
        ],
        "kpis": 66,
        "lanes": 9,
        "errors": 1,
        "warnings": 0,
    }
