"""Reads files of rule tests: every mistake at once, or the tests with the plan that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from slo_guard.domain.calendar import day_start
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.domain.verdicts import Reason
from slo_guard.errors import ConfigError, Finding, UnreadableError
from slo_guard.located_yaml import KeyPath, LocatedYaml, load_file
from slo_guard.replay.rule_test_models import Expected, ExpectedAlerts, ExpectedVerdict, RuleTest, RuleTestFile
from slo_guard.replay.series_notation import parse_series
from slo_guard.rulebook import load_rules
from slo_guard.rulebook.calendar import parse_moment
from slo_guard.validation import checked_parts, nearest


@dataclass(frozen=True, slots=True)
class ReadyTest:
    """A test that can be run: what was written, the sprint, the instant of the first values (Unix seconds)."""

    test: RuleTest
    sprint: Sprint
    start_at: float
    plan: Plan
    located: LocatedYaml
    path: KeyPath

    def place(self, *steps: str | int) -> str:
        """Return where a part of the test stands, as ``file:line:col: path``."""
        return str(self.located.finding((*self.path, *steps), "")).removesuffix(": ")


@dataclass(frozen=True, slots=True)
class _Reading:
    located: LocatedYaml
    plan: Plan
    findings: list[Finding]

    def say(self, path: KeyPath, message: str) -> None:
        self.findings.append(self.located.finding(path, message))


def read_rule_tests(file: Path, indicators_of: Mapping[Path, Mapping[str, IndicatorSpec]]) -> tuple[ReadyTest, ...]:
    """Return the tests of ``file``.

    ``indicators_of``: what the collectors of each config produce that a file may name, see :func:`config_named_by`.
    Raises ``UnreadableError`` for a file that cannot be opened, ``ConfigError`` with all findings, those of the rules
    under test included.
    """
    located, document = _parsed(file)
    rules = load_rules(document.rules, None if document.config is None else indicators_of[document.config])
    if rules.plan is None:
        raise ConfigError(rules.findings)
    reading = _Reading(located, rules.plan, [])
    ready = [found for at, test in enumerate(document.tests) for found in _ready(reading, ("tests", at), test)]
    if reading.findings:
        raise ConfigError(reading.findings)
    return tuple(ready)


def config_named_by(file: Path) -> Path | None:
    """Return the config that a file of tests names; raises as :func:`read_rule_tests`."""
    return _parsed(file)[1].config


def _parsed(file: Path) -> tuple[LocatedYaml, RuleTestFile]:
    try:
        located = load_file(file)
    except OSError as error:
        instead = f"name its files, as in {file}/*.yaml" if file.is_dir() else "name a file of tests that is there"
        raise UnreadableError(f"{file}: cannot be read: {error.strerror or type(error).__name__}; {instead}") from None
    if not isinstance(located.value, dict):
        raise ConfigError(located.findings or (located.finding((), "write a mapping with rules and tests"),))
    document, faults = checked_parts(RuleTestFile, located.value, context={"folder": file.parent})
    findings = [located.finding(fault.path, fault.message, key=fault.unknown) for fault in faults]
    if document is None or findings or located.findings:
        raise ConfigError(located.with_findings(findings))
    return located, document


def _ready(reading: _Reading, path: KeyPath, test: RuleTest) -> Iterator[ReadyTest]:
    sprint = _sprint(reading, path, test)
    if sprint is None:
        return
    try:
        start_at = sprint.start_at if test.start is None else _instant(test.start, sprint)
    except ValueError as error:
        reading.say((*path, "start"), str(error))
        return
    for at, given in enumerate(test.input_series):
        name, _ = parse_series(given.series)
        if name not in reading.plan.indicators:
            message = f"no rule reads the indicator {name!r}{nearest(name, reading.plan.indicators)}"
            reading.say((*path, "input_series", at, "series"), message)
    kpis = {kpi.id: kpi for kpi in reading.plan.kpis if kpi.sprint == sprint.id}
    for at, verdict in enumerate(test.verdicts):
        _check_verdict(reading, (*path, "verdicts", at), verdict, kpis)
    for at, alerts in enumerate(test.alerts):
        _check_alerts(reading, (*path, "alerts", at), alerts, kpis)
    if not test.expected:
        reading.say(path, "expects nothing; write verdicts or alerts")
    yield ReadyTest(test, sprint, start_at, reading.plan, reading.located, path)


def _sprint(reading: _Reading, path: KeyPath, test: RuleTest) -> Sprint | None:
    sprints = reading.plan.sprints
    if test.sprint is not None and test.sprint not in sprints:
        reading.say((*path, "sprint"), f"no sprint is called {test.sprint!r}{nearest(test.sprint, sprints)}")
        return None
    if test.sprint is None and len(sprints) != 1:
        reading.say(path, f"the rules have several sprints; write sprint: one of {', '.join(sprints)}")
        return None
    return sprints[test.sprint] if test.sprint is not None else next(iter(sprints.values()))


def _named_kpi(reading: _Reading, path: KeyPath, expected: Expected, kpis: Mapping[str, KPI]) -> KPI | None:
    found = kpis.get(expected.kpi)
    if found is None:
        reading.say((*path, "kpi"), f"no KPI is called {expected.kpi!r}{nearest(expected.kpi, kpis)}")
    return found


def _check_verdict(reading: _Reading, path: KeyPath, expected: ExpectedVerdict, kpis: Mapping[str, KPI]) -> None:
    _named_kpi(reading, path, expected, kpis)
    reasons = {reason.value for reason in Reason}
    if expected.reason is not None and expected.reason not in reasons:
        message = f"{expected.reason!r} is no reason of a verdict{nearest(expected.reason, reasons)}"
        reading.say((*path, "reason"), message)


def _check_alerts(reading: _Reading, path: KeyPath, expected: ExpectedAlerts, kpis: Mapping[str, KPI]) -> None:
    kpi = _named_kpi(reading, path, expected, kpis)
    if kpi is None:
        return
    tiers = [pair.text for pair in kpi.error_budget.burn_alerts] if kpi.error_budget is not None else []
    if expected.kind == "burn" and expected.tier not in tiers:
        known = ", ".join(tiers) or "none"
        reading.say((*path, "tier"), f"{expected.kpi} has no tier {expected.tier!r}; write one of {known}")
    elif expected.kind != "burn" and expected.tier:
        reading.say((*path, "tier"), "only burn alerts have a tier; write kind: burn, or leave the tier out")


def _instant(text: str, sprint: Sprint) -> float:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_moment(text, sprint).at
    return day_start(day, ZoneInfo(sprint.timezone))
