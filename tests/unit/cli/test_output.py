"""Standard output that cannot be written, from the outside: a full disk, a closed handle, a reader that has left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        ("> /dev/full", 1, "standard output cannot be written: No space left on device\n"),
        (">&-", 0, ""),
        ("| true", 0, ""),
    ],
    ids=["full", "closed", "left"],
)
def test_output_that_cannot_be_written_is_no_traceback(redirected: str, code: int, said: str) -> None:
    """A job whose disk is full must say so in its one line of mail."""
    command = f"'{sys.executable}' -m slo_guard test tests/rules/ga-ops.yaml --format json {redirected}"

    ended = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (code, said)
