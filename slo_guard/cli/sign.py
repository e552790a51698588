"""``slo-guard sign``: somebody's word that something is so, written down as evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import click

from slo_guard.cli.config_file import config_option
from slo_guard.cli.stored import given_labels
from slo_guard.clock import iso, to_unix, utcnow
from slo_guard.collect import COLLECTORS
from slo_guard.collect.evidence import EvidenceOptions
from slo_guard.collect.sign_offs import Entry, append_sign_off, parse_instant
from slo_guard.config import Config, load_config
from slo_guard.domain.kpi import KPI, MatchOp, Plan, Single
from slo_guard.domain.readings import IndicatorType, SignOff
from slo_guard.domain.series import label_set
from slo_guard.errors import ConfigError, SloGuardError, UnreadableError
from slo_guard.notify import RECEIVERS
from slo_guard.rulebook import load_rules
from slo_guard.validation import nearest


@click.command()
@click.argument("kpi")
@click.option("--by", required=True, metavar="NAME", help="Who signs.")
@click.option("--link", metavar="URL", help="Where the proof is to be found.")
@click.option("--when", "when_text", metavar="T", help="Since when it is so: ISO 8601 with a zone. Default: now.")
@click.option("--value", type=click.BOOL, default=True, show_default=True, help="false takes an earlier word back.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the series signed for; repeatable."
)
@config_option
def sign(
    kpi: str,
    by: str,
    link: str | None,
    when_text: str | None,
    value: bool,
    labels: tuple[str, ...],
    config_path: Path,
) -> None:
    """Record that KPI's evidence is there; a running daemon sees it at its next collection.

    Exit code 1: the KPI is unknown or not judged by evidence, or files have errors; 2: wrong use.
    """
    now = math.floor(to_unix(utcnow()))
    if not by.strip():
        raise click.BadParameter("is empty; write who signs", param_hint="--by")
    when = float(now) if when_text is None else _instant(when_text)
    given = given_labels(labels)
    config, plan = _load(config_path)
    found = _kpi(kpi, plan, when)
    indicator, file = _evidence_of(found, config)
    sign_off = SignOff(label_set(_complete(found, given)), value, by.strip(), when, link, entered_at=now)
    append_sign_off(file, Entry(indicator, sign_off))
    said = "signed" if value else "taken back"
    click.echo(f"{found.id} {said} by {by.strip()} as of {iso(when)}, in {file}")


def _instant(text: str) -> float:
    try:
        return parse_instant(text, "--when")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--when") from None


def _load(config_path: Path) -> tuple[Config, Plan]:
    loaded = load_config(
        config_path,
        {name: kind.options for name, kind in COLLECTORS.items()},
        {name: kind.options for name, kind in RECEIVERS.items()},
    )
    if loaded.unreadable:
        raise UnreadableError(str(loaded.findings[0]))
    if loaded.config is None:
        raise ConfigError(loaded.findings)
    rules = load_rules(loaded.config.rules, loaded.config.indicators)
    if rules.plan is None:
        raise ConfigError(rules.findings)
    return loaded.config, rules.plan


def _kpi(name: str, plan: Plan, when: float) -> KPI:
    """Return the KPI of that name; where several sprints have it, that of the sprint in which ``when`` lies."""
    named = [kpi for kpi in plan.kpis if kpi.id == name]
    if not named:
        raise SloGuardError(f"no KPI is called {name!r}{nearest(name, (kpi.id for kpi in plan.kpis))}")
    within = [kpi for kpi in named if plan.sprints[kpi.sprint].start_at <= when < plan.sprints[kpi.sprint].end_at]
    return (within or named)[-1]


def _evidence_of(kpi: KPI, config: Config) -> tuple[str, Path]:
    """Return the indicator that ``kpi`` is judged by and the file where its sign-offs are kept."""
    if isinstance(kpi.source, Single) and kpi.type is IndicatorType.BOOL:
        indicator = kpi.source.of.indicator
        for options in config.collectors:
            if isinstance(options, EvidenceOptions) and indicator in options.indicators:
                return indicator, options.file
    raise SloGuardError(
        f"{kpi.id} is not judged by evidence: {', '.join(kpi.indicators)} comes from no evidence collector"
    )


def _complete(kpi: KPI, given: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of the sign-off: those given, and those without which the KPI would not see it."""
    assert isinstance(kpi.source, Single)
    labels = dict(given)
    for matcher in kpi.source.of.where:
        if matcher.op is MatchOp.EQUAL and labels.setdefault(matcher.label, matcher.value) != matcher.value:
            raise SloGuardError(
                f"{kpi.id} looks at {matcher.label}={matcher.value} only; leave out --label {matcher.label}=…"
            )
    missing = [name for name in kpi.by if name not in labels]
    if missing:
        raise SloGuardError(f"{kpi.id} is judged by {', '.join(kpi.by)}; write --label {missing[0]}=…")
    return labels
