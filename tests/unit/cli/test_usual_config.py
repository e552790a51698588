"""Which config is meant where none is named, and the list of commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli import group
from slo_guard.cli.check import check
from slo_guard.cli.gate import gate

COMMANDS = [check, gate]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLO_GUARD_CONFIG", raising=False)
    return tmp_path


def wrong(path: Path) -> Path:
    """Write a config whose mistake is told with its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("version: 7\n")
    return path


def said(command: object) -> str:
    result: Result = CliRunner().invoke(command, [])  # type: ignore[arg-type] - a click command
    return result.output


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: str(each.name))
class TestTheUsualConfig:
    """A team runs twenty commands a day in the folder of its config: none of them asks for its name."""

    def test_is_the_one_in_this_folder(self, folder: Path, command: object):
        """Before the one that a clone of the repository has."""
        wrong(folder / "slo-guard.yaml")
        wrong(folder / "config/slo-guard.yaml")

        assert said(command).startswith("slo-guard.yaml:1:")

    def test_is_the_one_of_a_clone_without_that(self, folder: Path, command: object):
        """What always worked goes on."""
        wrong(folder / "config/slo-guard.yaml")

        assert said(command).startswith("config/slo-guard.yaml:1:")

    def test_is_what_the_environment_names(self, folder: Path, command: object, monkeypatch: pytest.MonkeyPatch):
        """On a host whose config is in /etc a profile says so once."""
        wrong(folder / "slo-guard.yaml")
        monkeypatch.setenv("SLO_GUARD_CONFIG", str(wrong(folder / "etc/ours.yaml")))

        assert f"{folder}/etc/ours.yaml:1:" in said(command)


def test_where_there_is_none_the_message_says_what_to_write(folder: Path):
    """The first command in a wrong folder."""
    assert folder.is_dir()

    assert "name a config that is there, as in --config slo-guard.yaml" in said(gate)


def test_the_list_of_commands_is_whole_and_quick():
    """It is the first thing that somebody asks for: no line ends in dots, and no web server is loaded for it."""
    script = (
        "import sys; from slo_guard.cli import group; "
        "group(['--help'], standalone_mode=False); print('uvicorn' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    ).stdout

    assert "..." not in shown.split("Commands:")[1]
    assert all(f"\n  {name} " in shown for name in group.list_commands(None))  # type: ignore[arg-type] - unused there
    assert shown.endswith("False\n")
