"""``slo-guard test``: unit tests of rules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from slo_guard.cli.check import load_named_config
from slo_guard.cli.recorded import FINDINGS, UNREADABLE, CleanConsole, print_json, tell
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import ConfigError, UnreadableError
from slo_guard.replay.rule_test_files import ReadyTest, config_named_by, read_rule_tests
from slo_guard.replay.rule_tests import TestResult, run_rule_test


@click.command("test")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--run", "only", metavar="TEXT", help="Only the tests whose names have this text in them.")
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
)
def test(files: tuple[Path, ...], only: str | None, style: str) -> None:
    """Run unit tests of rules: series in promtool's notation, and the verdicts and alerts that are to come of them.

    What is tested is what pages: the daemon calls the same evaluator. Exit code: 0 all passed, 1 some failed, 2 a file
    cannot be used, or no test was run.
    """
    tests = {file: _read(file) for file in files}
    results = {
        file: [run_rule_test(each) for each in ready if only is None or only in each.test.name]
        for file, ready in tests.items()
    }
    every = [result for found in results.values() for result in found]
    if not every:
        tell([f"no test has {only!r} in its name" if only is not None else "no test was found"])
        sys.exit(UNREADABLE)
    if style == "json":
        print_json({"tests": [_as_json(file, result) for file, found in results.items() for result in found]})
    else:
        _print(results)
    sys.exit(0 if all(result.passed for result in every) else FINDINGS)


def _read(file: Path) -> tuple[ReadyTest, ...]:
    """Read a file of tests; ends the command with exit code 2 and what is wrong with it."""
    try:
        config = config_named_by(file)
        return read_rule_tests(file, {} if config is None else {config: _indicators(config)})
    except (ConfigError, UnreadableError) as error:
        tell([str(error)])
        raise SystemExit(UNREADABLE) from None


def _indicators(config: Path) -> Mapping[str, IndicatorSpec]:
    loaded = load_named_config(config)
    if loaded.indicators is None:
        raise ConfigError(loaded.findings)
    return loaded.indicators


def _as_json(file: Path, result: TestResult) -> dict[str, object]:
    return {"file": str(file), "name": result.name, "passed": result.passed, "failures": list(result.failures)}


def _print(results: Mapping[Path, list[TestResult]]) -> None:
    console = CleanConsole(soft_wrap=True)
    for file, found in results.items():
        console.print(str(file), markup=False, style="bold")
        for result in found:
            sign, style = ("passed", "green") if result.passed else ("FAILED", "bold red")
            console.print(f"  [{style}]{sign}[/]  ", end="")
            console.print(result.name, markup=False)
            for failure in result.failures:
                console.print(f"          {failure}", markup=False)
    every = [result for found in results.values() for result in found]
    failed = sum(not result.passed for result in every)
    console.print(f"{len(every)} test{'' if len(every) == 1 else 's'}, {failed} failed")
