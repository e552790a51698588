"""Quantiles of random buckets against Prometheus's own ``histogram_quantile``, as ``promtool test rules`` works it out.

promtool is told to expect nothing, and complains with what it got: thousands of answers in one run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from slo_guard.collect.frames import Rejections
from slo_guard.collect.histograms import bucket_layout
from slo_guard.domain.readings import IndicatorType, Reading
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.evaluate.bucket_quantile import bucket_quantile
from tests.support.builders import SPRINT_START, a_kpi
from tests.support.seeds import SEED, announce_seed
from tests.support.stories import judged

__all__ = ["announce_seed"]

pytestmark = pytest.mark.peer

CASES = 300
QUANTILES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 0.999, 1.0)
STEPS = 6
"""Samples a minute apart; over the 5m between the first and the last of them ``increase`` extrapolates nothing."""

_BOUNDS = (-2.0, -0.1, 0.0, 0.005, 0.1, 0.25, 1.0, 2.5, 10.0, 1000.0)
_SAMPLE = re.compile(r'\{case="(\d+)"\} (\S+?)(?:,|$)')


@dataclass
class Bucket:
    """One bucket of one shard of a case: its ``le`` as written, and its tokens, one a minute."""

    case: int
    shard: int
    le: str
    tokens: list[int]

    def series(self) -> str:
        """Return its name in promtool's notation."""
        return f'x_bucket{{case="{self.case}",shard="{self.shard}",le="{self.le}"}}'


def _written(bound: float, random: Random) -> str:
    return random.choice([f"{bound:g}", str(bound), f"{bound:e}"]) if np.isfinite(bound) else "+Inf"


def _shards(case: int, random: Random) -> list[list[float]]:
    """Return the bounds of each shard: most often the same, sometimes not, and seldom without +Inf."""
    bounds = sorted(random.sample(_BOUNDS, random.randint(0, 6)))
    shards = []
    for _ in range(random.choice([1, 1, 2, 3])):
        own = sorted(random.sample(_BOUNDS, random.randint(1, 5))) if random.random() < 0.2 else bounds
        shards.append([*own, np.inf])
    if case % 10 == 0:
        shards = [[bound for bound in each if np.isfinite(bound)] or [1.0] for each in shards]
    return shards


def _standing(random: Random) -> list[Bucket]:
    """Return buckets with one count each, some of them not cumulative, some histograms empty."""
    found = []
    for case in range(CASES):
        for shard, bounds in enumerate(_shards(case, random)):
            count, most = 0, random.choice([0, 3, 1000])
            for bound in bounds:
                count += random.choice([0, random.randint(0, most)])
                odd = random.random() < 0.05
                found.append(Bucket(case, shard, _written(bound, random), [random.randint(0, count) if odd else count]))
    return found


def _growing(random: Random) -> list[Bucket]:
    """Return buckets that grow, and are reset now and then as their process starts again."""
    found = []
    for case in range(1, CASES):
        for shard, bounds in enumerate(_shards(case * 10 + 1, random)):
            grown = np.cumsum([[random.randint(0, 40) for _ in bounds] for _ in range(STEPS)], axis=1)
            totals = np.cumsum(grown, axis=0)
            if random.random() < 0.3:
                reset = random.randint(1, STEPS - 1)
                totals[reset:] -= totals[reset - 1]
            for column, bound in enumerate(bounds):
                found.append(Bucket(case, shard, _written(bound, random), totals[:, column].tolist()))
    return found


def _promtool(buckets: list[Bucket], expression: str, at: str, folder: Path) -> list[dict[int, float]]:
    """Return what promtool says of ``expression`` for each of the quantiles, by case."""
    inputs = [{"series": each.series(), "values": " ".join(map(str, each.tokens))} for each in buckets]
    asked = [
        {"expr": f"histogram_quantile({quantile}, sum by (case, le) ({expression}))", "eval_time": at}
        for quantile in QUANTILES
    ]
    test = {
        "interval": "1m",
        "input_series": inputs,
        "promql_expr_test": [{**each, "exp_samples": []} for each in asked],
    }
    (folder / "tests.yaml").write_text(json.dumps({"tests": [test]}))
    command = ["promtool", "test", "rules", "tests.yaml"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    lines = [
        line.strip()[5:] for line in (answer.stdout + answer.stderr).splitlines() if line.strip().startswith("got:")
    ]
    assert len(lines) == len(QUANTILES), (answer.stdout + answer.stderr)[:2000]
    return [{int(case): float(value) for case, value in _SAMPLE.findall(line)} for line in lines]


@pytest.fixture(autouse=True)
def _needs_promtool() -> None:
    if shutil.which("promtool") is None:
        reason = "promtool is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def test_quantiles_of_random_buckets_are_prometheuss(tmp_path: Path):
    """A dashboard beside the page asks Prometheus the same question: two answers would be one too many."""
    buckets = _standing(Random(SEED))
    bounds = np.array(sorted({float(each.le) for each in buckets} | {np.inf}))
    counts = np.full((CASES, len(bounds)), np.nan)
    for each in buckets:
        cell = each.case, int(np.searchsorted(bounds, float(each.le)))
        counts[cell] = np.nan_to_num(counts[cell]) + each.tokens[0]

    answers = _promtool(buckets, "x_bucket", "0m", tmp_path)

    for quantile, answer in zip(QUANTILES, answers, strict=True):
        found = bucket_quantile(quantile, bounds, counts)
        expected = np.array([answer[case] for case in range(CASES)])
        told = f"SLO_GUARD_SEED={SEED}, quantile {quantile}"
        np.testing.assert_allclose(found.value, expected, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=told)
    assert np.isfinite(expected).sum() > CASES / 3, "most cases should have a quantile, or this proves little"
    assert found.lifted.any()


def test_quantiles_over_a_window_are_prometheuss(tmp_path: Path):
    """Shards that restart, and write their bounds in their own ways, come to what `sum by (le) (increase(…))` comes to."""
    buckets = _growing(Random(SEED))
    answers = _promtool(buckets, "increase(x_bucket[5m])", "5m", tmp_path)
    index = SeriesIndex.of(
        label_set({"case": str(each.case), "shard": str(each.shard), "le": each.le}) for each in buckets
    )
    layout = bucket_layout(index)
    readings = []
    for step in range(STEPS):
        counts = np.array([each.tokens[step] for each in buckets], dtype=float)
        at = SPRINT_START + 60.0 * step
        frame = layout.frame(counts, np.empty(0), at, factor=1.0, rejected=Rejections())
        readings.append(Reading("a", "source", at, frame))

    for quantile, answer in list(zip(QUANTILES, answers, strict=True))[1:-1]:
        kpi = a_kpi("p", f"p{quantile * 100:g} over 5m", type=IndicatorType.HISTOGRAM, by=("case",))
        frame = judged(kpi, readings, SPRINT_START + 60.0 * (STEPS - 1))
        found = {int(dict(labels)["case"]): frame.value[row] for row, labels in enumerate(frame.index.label_sets)}
        assert found.keys() == answer.keys()
        values, expected = (np.array([each[case] for case in answer]) for each in (found, answer))
        told = f"SLO_GUARD_SEED={SEED}, quantile {quantile}"
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=told)
