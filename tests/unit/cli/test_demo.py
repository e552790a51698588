"""``slo-guard demo`` as a process: it comes up without set-up, shows where to look, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from slo_guard.cli.demo import demo


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "slo_guard", "demo", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "100", "PYTHONUNBUFFERED": "1"},
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if words in line:
            return shown
    pytest.fail(f"ended before it said {words!r}:\n{shown}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_it_is_stopped_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """One command, no set-up, Ctrl-C: whatever stays behind would be found by the next one who tries it."""
    process = start(tmp_path)
    try:
        shown = read_until(process, "Ctrl-C stops the demo")
        page = re.search(r"Page\s+(http://127\.0\.0\.1:\d+/)", shown)
        sources = re.search(r"Mission Control\s+(http://127\.0\.0\.1:\d+/metrics)", shown)
        assert page is not None
        assert sources is not None
        answered = requests.get(page[1] + "-/healthy", timeout=5).ok
        measured = requests.get(sources[1], timeout=5).text

        process.send_signal(number)
        rest = process.communicate(timeout=20)[0]
    finally:
        process.kill()

    assert process.returncode == 0, rest
    assert "Traceback" not in shown + rest
    assert answered
    assert "ga_e2e_p95_seconds" in measured
    assert list(tmp_path.iterdir()) == []


def test_it_stops_by_itself_when_asked_to(tmp_path: Path) -> None:
    """For a recording, or a machine that tries every command."""
    process = start(tmp_path, "--no-faults", "--stop-after", "1s")
    try:
        shown = process.communicate(timeout=60)[0]
    finally:
        process.kill()

    assert process.returncode == 0, shown
    assert "Nothing goes wrong" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    """Whoever asked for a port must hear that it is taken, not see the demo somewhere else."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    try:
        process = start(tmp_path, "--port", str(taken.getsockname()[1]))
        shown = process.communicate(timeout=60)[0]
    finally:
        taken.close()

    assert process.returncode == 1
    assert "Traceback" not in shown
    assert "in use" in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--speed", "fast"], "'fast' is no speed"),
        (["--speed", "0.5"], "'0.5' is no speed"),
        (["--speed", "nan"], "'nan' is no speed"),
        (["--speed", "max", "--stop-after", "1m"], "have no meaning with --speed"),
        (["--speed", "max", "--port", "0"], "have no meaning with --speed"),
        (["--speed", "max", "--host", "0.0.0.0"], "have no meaning with --speed"),
        (["--speed", "max", "--step", "7m"], "a part of a day"),
        (["--speed", "max", "--step", "12h"], "from 30s to 6h"),
        (["--step", "10m"], "--step is for --speed"),
    ],
)
def test_a_speed_that_makes_no_sense_is_refused_at_once(arguments: list[str], says: str) -> None:
    """Minutes later nobody remembers what was typed."""
    result = CliRunner().invoke(demo, arguments)

    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sprint_at_speed_is_stopped_as_the_daemon_is(tmp_path: Path, number: signal.Signals) -> None:
    """Nobody waits for minutes to get the terminal back."""
    process = subprocess.Popen(
        [sys.executable, "-m", "slo_guard", "demo", "--speed", "600"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    try:
        read_until(process, "before it")
        process.send_signal(number)
        rest = process.communicate(timeout=60)[0]
    finally:
        process.kill()

    assert process.returncode == 0, rest
    assert rest.endswith("Stopped; nothing is left behind.\n")
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_a_refused_command_takes_no_signal():
    """Whoever calls the command as a function keeps handling their own signals."""
    before = signal.getsignal(signal.SIGTERM)

    CliRunner().invoke(demo, ["--speed", "max", "--step", "7m"])

    assert signal.getsignal(signal.SIGTERM) is before
