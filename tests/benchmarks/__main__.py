"""`python -m tests.benchmarks`: all benchmarks, one after the other; what they mean stands in README.md beside this file."""

from __future__ import annotations

import subprocess
import sys

_MODULES = (
    "bench_cycle",
    "bench_plan",
    "bench_burn",
    "bench_collect",
    "bench_render",
    "bench_pages",
    "bench_quantiles",
)


def main() -> int:
    """Run each benchmark in a process of its own, so that none measures what another left behind."""
    for module in _MODULES:
        print(f"== {module}", flush=True)
        code = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{module}"], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
