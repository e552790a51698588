"""slo_guard's alert states against Prometheus's own, which ``promtool test rules`` confirms or denies.

Random rules over random series are judged by slo_guard; what fires at each evaluation becomes the expectation of a
promtool test file with the same rules in PromQL. Two differences are left out on purpose:

- Prometheus 2 looks back 5m with both ends, as ``no_data: {after: 5m}`` does; Prometheus 3 leaves out the far end. All
  times here are multiples of 30s, so 299s is the same as that, and is used there.
- ``stale`` ends a series at once in Prometheus. slo_guard's samples have no such mark: the series ages. The marks stand
  where that makes no difference to a condition: behind a sample that meets the objective, or behind 5m without any.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, NoData, NoDataThen, Objective, Op, Selection, Severity, Single
from slo_guard.domain.verdicts import AlertState
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective, labels, numbered
from tests.support.oracle_measures import meets
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

pytestmark = pytest.mark.peer

RULES = 320
SAMPLES = 40
SAMPLE_EVERY, EVALUATE_EVERY = 60, 30
STEPS = (SAMPLES * SAMPLE_EVERY + 600) // EVALUATE_EVERY
GAP, STALE = "_", "stale"

_EXPRESSIONS = {
    Op.AT_MOST: "{} > {}",
    Op.BELOW: "{} >= {}",
    Op.AT_LEAST: "{} < {}",
    Op.ABOVE: "{} <= {}",
    Op.EQUALS: "{} != {}",
}


@dataclass
class Rule:
    """One alerting rule and its series, each a list of promtool's tokens: a number, ``_`` or ``stale``."""

    name: str
    objective: Objective
    for_seconds: float
    keep_firing_for_seconds: float
    series: dict[str, list[str]]
    firing: dict[int, list[str]] = field(default_factory=dict)

    def kpi(self, after: float) -> KPI:
        """Return the rule in slo_guard's terms."""
        return a_kpi(
            self.name,
            source=Single(Selection(self.name)),
            by=("series",),
            objective=self.objective,
            for_seconds=self.for_seconds,
            keep_firing_for_seconds=self.keep_firing_for_seconds,
            warn_severity=Severity.NONE,
            no_data=NoData(after, NoDataThen.OK),
            interval_seconds=float(EVALUATE_EVERY),
        )

    def alerting_rule(self) -> dict[str, str]:
        """Return the rule in Prometheus's terms."""
        bound, upper = self.objective.bound, self.objective.upper
        if upper is not None:
            expression = f"{self.name} < {bound} or {self.name} > {upper}"
        else:
            expression = _EXPRESSIONS[self.objective.op].format(self.name, bound)
        rule = {"alert": self.name, "expr": expression, "for": f"{self.for_seconds:g}s"}
        if self.keep_firing_for_seconds:
            rule["keep_firing_for"] = f"{self.keep_firing_for_seconds:g}s"
        return rule


def _random_rule(number: int, random: Random) -> Rule:
    op = random.choice([op for op in Op if op is not Op.IS])
    bound = random.randint(2, 6)
    objective = an_objective(op, bound, float(bound + 3) if op is Op.BETWEEN else None)
    names = ["a", "b", "c"][: random.choice([1, 1, 2, 3])]
    durations = [0, 30, 45, 60, 90, 120, 300, 420]
    return Rule(
        f"rule_{number}",
        objective,
        float(random.choice(durations)),
        float(random.choice(durations)),
        {name: _random_series(objective, random) for name in names},
    )


def _random_series(objective: Objective, random: Random) -> list[str]:
    """Return tokens with runs, since a value that changes each minute would hardly ever fire."""
    tokens: list[str] = [GAP] * random.choice([0, 0, 0, 4])
    while len(tokens) < SAMPLES:
        last = next((token for token in reversed(tokens) if token not in (GAP, STALE)), None)
        aged = tokens[-6:] == [GAP] * 6
        if random.random() < 0.15 and last is not None and (aged or meets(objective, float(last))):
            tokens.append(STALE)
        kind = random.random()
        if kind < 0.25:
            tokens += [GAP] * random.choice([1, 2, 4, 5, 6, 8])
        else:
            tokens += [str(random.randint(0, 10))] * random.choice([1, 1, 2, 3, 5])
    return tokens[:SAMPLES]


def _judge(rules: Sequence[Rule], after: float) -> None:
    """Evaluate with slo_guard and note on each rule which of its series fire at which step."""
    observations = []
    for position in range(SAMPLES):
        at = SPRINT_START + position * SAMPLE_EVERY
        for rule in rules:
            tokens = {name: series[position] for name, series in rule.series.items()}
            found = {
                labels(f"series={name}"): float(token) for name, token in tokens.items() if token not in (GAP, STALE)
            }
            if found:
                observations.append(a_frame(rule.name, at, found))
    stored, taken, state = numbered(observations), 0, EvaluationState.fresh()
    plan, by_name = a_plan(*(rule.kpi(after) for rule in rules)), {rule.name: rule for rule in rules}
    for step in range(STEPS):
        now = SPRINT_START + step * EVALUATE_EVERY
        until = taken
        while until < len(stored) and stored[until].observation.seen_at <= now:
            until += 1
        result = evaluate(plan, stored[taken:until], state, from_unix(now))
        state, taken = result.state, until
        for frame in result.verdicts:
            fires = [frame.index.label_sets[row] for row in (frame.alert_state == AlertState.FIRING).nonzero()[0]]
            by_name[frame.kpi.id].firing[step] = [dict(label_set)["series"] for label_set in fires]


def _promtool(rules: Sequence[Rule], folder: Path) -> subprocess.CompletedProcess[str]:
    """Write rules and expectations (JSON is YAML as well) and have promtool judge them."""
    groups = [
        {"name": f"group_{start}", "rules": [rule.alerting_rule() for rule in rules[start : start + 20]]}
        for start in range(0, len(rules), 20)
    ]
    (folder / "rules.yaml").write_text(json.dumps({"groups": groups}))
    expectations = [
        {
            "alertname": rule.name,
            "eval_time": f"{step * EVALUATE_EVERY}s",
            "exp_alerts": [{"exp_labels": {"series": name}} for name in names],
        }
        for rule in rules
        for step, names in rule.firing.items()
    ]
    inputs = [
        {"series": f'{rule.name}{{series="{name}"}}', "values": " ".join(tokens)}
        for rule in rules
        for name, tokens in rule.series.items()
    ]
    case = {"interval": f"{SAMPLE_EVERY}s", "input_series": inputs, "alert_rule_test": expectations}
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": f"{EVALUATE_EVERY}s", "tests": [case]}
    (folder / "tests.yaml").write_text(json.dumps(document))
    command = ["promtool", "test", "rules", "tests.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def _complaint(answer: subprocess.CompletedProcess[str], rules: Sequence[Rule]) -> str:
    """Return promtool's first complaints with the rules that they are about."""
    text = answer.stdout + answer.stderr
    names = list(dict.fromkeys(re.findall(r"alertname: (\w+)", text)))[:3]
    told = "\n".join(
        f"{rule.alerting_rule()}\n" + "\n".join(f"  {name}: {' '.join(tokens)}" for name, tokens in rule.series.items())
        for rule in rules
        if rule.name in names
    )
    return f"SLO_GUARD_SEED={SEED}\n{told}\n{text[:3000]}"


@pytest.fixture(scope="module")
def look_back() -> float:
    """Return the ``no_data.after`` that is promtool's look-back; skip (or fail, where peers are required) without promtool."""
    if shutil.which("promtool") is None:
        reason = "promtool is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    version = subprocess.run(["promtool", "--version"], capture_output=True, text=True, timeout=30, check=True)
    major = int(re.search(r"version (\d+)\.", version.stdout + version.stderr)[1])
    return 300.0 if major < 3 else 299.0


@pytest.fixture(scope="module")
def judged(look_back: float) -> list[Rule]:
    """Return random rules with what slo_guard says of them."""
    random = Random(SEED)
    rules = [_random_rule(number, random) for number in range(RULES)]
    _judge(rules, look_back)
    return rules


def test_alerts_fire_when_prometheus_says_so(judged: list[Rule], tmp_path: Path):
    """`for` and `keep_firing_for` promise to be Prometheus's own; Prometheus itself is asked, rule by rule and step by step."""
    fired = sum(1 for rule in judged if any(rule.firing.values()))

    answer = _promtool(judged, tmp_path)

    assert answer.returncode == 0, _complaint(answer, judged)
    assert fired > RULES / 2, "most rules should fire at some time, or this proves little"


@pytest.mark.parametrize("way", ["missing", "made up"])
def test_promtool_notices_a_wrong_expectation(judged: list[Rule], tmp_path: Path, way: str):
    """A comparison that cannot fail proves nothing: one wrong step of one rule must be named."""
    rule = next(rule for rule in judged if any(rule.firing.values()) and not all(rule.firing.values()))
    step = next(step for step, names in rule.firing.items() if bool(names) == (way == "missing"))
    wrong = Rule(**{name: getattr(rule, name) for name in Rule.__dataclass_fields__})
    wrong.firing = rule.firing | {step: [] if way == "missing" else [next(iter(rule.series))]}

    answer = _promtool([wrong], tmp_path)

    assert answer.returncode != 0
    assert f"alertname: {rule.name}" in answer.stdout + answer.stderr
