"""``slo-guard check``: every error of config and rules at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from slo_guard.cli.config_file import CONFIG_VARIABLE, USUAL_CONFIGS, usual_config
from slo_guard.collect import COLLECTORS
from slo_guard.config import LoadedConfig, load_config
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import Finding
from slo_guard.notify import RECEIVERS
from slo_guard.rulebook import LoadedRules, load_rules

CLEAN, FINDINGS, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Report:
    findings: tuple[Finding, ...]
    kpis: int
    lanes: int
    unreadable: bool

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        if self.unreadable:
            return UNREADABLE
        return FINDINGS if self.count("error") else CLEAN


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    metavar="FILE",
    help="The config to check.",
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.argument("rules", nargs=-1, type=click.Path(path_type=Path))
def check(config_path: Path | None, style: str, rules: tuple[Path, ...]) -> None:
    """Check the config and RULES (files and folders), and say what to write instead.

    With a config its rules are checked against the indicators of its collectors, or RULES where they are given;
    without either, slo-guard.yaml or config/slo-guard.yaml is checked.

    Exit code 0: clean (warnings allowed); 1: errors; 2: unreadable.
    """
    if config_path is None and not rules:
        config_path = usual_config()
        if not config_path.is_file():
            nowhere = " or ".join(str(path) for path in USUAL_CONFIGS)
            raise click.UsageError(f"name RULES or --config FILE; there is no {nowhere} here")
    report = _checked(config_path, rules)
    click.echo(_as_json(report) if style == "json" else _as_text(report))
    sys.exit(report.exit_code)


def load_named_config(path: Path) -> LoadedConfig:
    """Load a config with the collectors and receivers of this version."""
    return load_config(
        path,
        {name: kind.options for name, kind in COLLECTORS.items()},
        {name: kind.options for name, kind in RECEIVERS.items()},
    )


def _checked(config_path: Path | None, rules: tuple[Path, ...]) -> _Report:
    indicators: Mapping[str, IndicatorSpec] | None = None
    findings: tuple[Finding, ...] = ()
    named, unreadable = rules, False
    if config_path is not None:
        loaded = load_named_config(config_path)
        findings, indicators, unreadable = loaded.findings, loaded.indicators, loaded.unreadable
        named = rules or loaded.rules
    checked = load_rules(named, indicators) if named else LoadedRules(None, ())
    return _Report(
        tuple(sorted({*findings, *checked.findings})),
        checked.kpi_count,
        checked.lane_count,
        unreadable or bool(checked.unreadable),
    )


def _as_text(report: _Report) -> str:
    counts = [
        f"{_counted(report.kpis, 'KPI')} in {_counted(report.lanes, 'lane')}",
        _counted(report.count("error"), "error"),
    ]
    if report.count("warning"):
        counts.append(_counted(report.count("warning"), "warning"))
    return "\n".join([*(str(finding) for finding in report.findings), ", ".join(counts)])


def _as_json(report: _Report) -> str:
    document: dict[str, Any] = {
        "findings": [asdict(finding) for finding in report.findings],
        "kpis": report.kpis,
        "lanes": report.lanes,
        "errors": report.count("error"),
        "warnings": report.count("warning"),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
