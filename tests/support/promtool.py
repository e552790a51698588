"""promtool as an oracle: whether it is there, which version it is, and one run of its rule tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest


def promtool_major() -> int:
    """Return promtool's major version; skip (or fail, where peers are required) without promtool."""
    if shutil.which("promtool") is None:
        reason = "promtool is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    version = subprocess.run(["promtool", "--version"], capture_output=True, text=True, timeout=30, check=True)
    return int(re.search(r"version (\d+)\.", version.stdout + version.stderr)[1])


def promtool_test(
    folder: Path, rules: Sequence[Mapping[str, Any]], case: Mapping[str, Any], evaluate_every: str
) -> subprocess.CompletedProcess[str]:
    """Have promtool judge one test ``case`` of one group of ``rules`` (JSON is YAML as well)."""
    (folder / "rules.yaml").write_text(json.dumps({"groups": [{"name": "rules", "rules": rules}]}))
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": evaluate_every, "tests": [case]}
    (folder / "tests.yaml").write_text(json.dumps(document))
    command = ["promtool", "test", "rules", "tests.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
