"""The files as the daemon takes them: read, found good, and with what is built in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from slo_guard.collect import COLLECTORS
from slo_guard.config import Config, load_config
from slo_guard.domain.builtin import COLLECTOR_UP, COLLECTOR_UP_SPEC, collector_up_kpi
from slo_guard.domain.kpi import Plan
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import ConfigError, Finding
from slo_guard.evaluate import needed_from
from slo_guard.notify import RECEIVERS, linked_to
from slo_guard.rulebook import load_rules


@dataclass(frozen=True, slots=True)
class Loaded:
    """The files, read and found good: the config and the plan, with the built-in KPIs in it."""

    config: Config
    plan: Plan
    warnings: tuple[Finding, ...]

    @property
    def interval_seconds(self) -> float:
        """How often the daemon evaluates."""
        return min(kpi.interval_seconds for kpi in self.plan.kpis)


def load_files(config_path: Path) -> Loaded:
    """Read the config and the rules that it names; raises ``ConfigError`` with every error of all files."""
    found, findings = _config_of(config_path)
    config = _with_links(found)
    rules = load_rules(config.rules, config.indicators)
    if rules.plan is None:
        raise ConfigError((*findings, *rules.findings))
    return Loaded(config, _with_builtins(rules.plan, config), (*findings, *rules.findings))


def load_settings(config_path: Path) -> Config:
    """Read the config alone, whatever its rules are like; raises ``ConfigError`` with every error of it."""
    return _config_of(config_path)[0]


def _config_of(config_path: Path) -> tuple[Config, tuple[Finding, ...]]:
    loaded = load_config(
        config_path,
        {name: kind.options for name, kind in COLLECTORS.items()},
        {name: kind.options for name, kind in RECEIVERS.items()},
    )
    if loaded.config is None:
        raise ConfigError(loaded.findings)
    return loaded.config, loaded.findings


def _with_links(config: Config) -> Config:
    """Return ``config`` with receivers that know where the page is."""
    receivers = tuple(linked_to(options, config.server.external_url) for options in config.receivers)
    return replace(config, receivers=receivers)


def _with_builtins(plan: Plan, config: Config) -> Plan:
    interval = min((kpi.interval_seconds for kpi in plan.kpis), default=30.0)
    alert = config.collector_alert
    builtin = collector_up_kpi(
        [options.name for options in config.collectors],
        for_seconds=alert.for_seconds,
        severity=alert.severity,
        interval_seconds=interval,
    )
    indicators = {**config.indicators, **plan.indicators, COLLECTOR_UP: COLLECTOR_UP_SPEC}
    return replace(plan, kpis=(*plan.kpis, builtin), indicators=indicators)


def past_wanted(specs: Iterable[IndicatorSpec], plan: Plan, now: float) -> float | None:
    """Return the start (Unix seconds) of the longest window over any of ``specs``; None where only the present counts.

    Reading a sprint back costs seconds, so a source is not asked for a past that no rule looks at.
    """
    names = {spec.name for spec in specs}
    windowed = tuple(
        replace(kpi, forget_after_seconds=0.0)
        for kpi in plan.kpis
        if kpi.measure.window is not None and not names.isdisjoint(kpi.indicators)
    )
    return needed_from(replace(plan, kpis=windowed), now) if windowed else None


def only_at_start(running: Config, wanted: Config) -> str:
    """Return the sections that changed and are read at the start only; of the server some is taken up at once."""
    at_once: dict[str, None] = dict.fromkeys(("external_url", "auth"))
    if None not in (running.server.tls, wanted.server.tls):
        at_once["tls"] = None
    running, wanted = (replace(each, server=each.server.model_copy(update=at_once)) for each in (running, wanted))
    names = [name for name in ("server", "store", "log") if getattr(running, name) != getattr(wanted, name)]
    return ", ".join(names)
