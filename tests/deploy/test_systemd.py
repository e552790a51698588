"""The systemd unit: clean to systemd's own check, as closed as said, and not more closed than the daemon can bear."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from slo_guard.cli import group

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "slo-guard.service"
_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.peer
def test_systemd_finds_nothing_in_it(tmp_path: Path):
    """An option that systemd does not know is ignored, with it what it should have closed."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/slo-guard/bin/slo-guard", sys.executable))

    ran = systemd_analyze("verify", "--man=no", str(unit))

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.peer
def test_its_exposure_is_what_the_chapter_says():
    """10 is open to everything; below 2 systemd calls it OK."""
    said = re.search(r"exposure.+?(\d\.\d)", (UNIT.parents[1] / "README.md").read_text(encoding="utf-8"))

    ran = systemd_analyze("security", "--offline=true", "--no-pager", str(UNIT))

    found = re.search(r"Overall exposure level for slo-guard.service: (\d+\.\d)", ran.stdout)
    assert found, ran.stdout + ran.stderr
    assert said
    assert float(found[1]) <= float(said[1])


def test_what_it_starts_is_a_command_that_exists():
    """A unit that starts yesterday's command restarts for ever."""
    started = re.search(r"^ExecStart=\S+ (\w+) --config ", UNIT.read_text(encoding="utf-8"), re.MULTILINE)

    assert started
    assert started[1] in group.list_commands(click.Context(group))


def test_all_its_libraries_load_where_memory_is_never_both_written_and_executed():
    """MemoryDenyWriteExecute ends a program that compiles at run time; this is the same, by the kernel's own means."""
    libc = ctypes.CDLL(None)
    code = (
        "import mmap, numpy, re2, orjson, promql_parser, psycopg, pydantic, slo_guard.cli\nmmap.mmap(-1, 4096, prot=7)"
    )

    def deny() -> None:
        if libc.prctl(_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
            os._exit(77)

    ran = subprocess.run(
        [sys.executable, "-c", code], preexec_fn=deny, capture_output=True, text=True, timeout=60, check=False
    )

    if ran.returncode == 77:
        pytest.skip("this kernel (before 6.3) cannot deny it for one process")
    assert "PermissionError" in ran.stderr, "the last line shows that it was denied"
    assert ran.stderr.count("Traceback") == 1
    assert "mmap.mmap" in ran.stderr or "line 2, in <module>" in ran.stderr
