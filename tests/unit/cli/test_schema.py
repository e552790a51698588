"""``slo-guard schema``: what editors are pointed at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from slo_guard.cli.schema import schema
from slo_guard.located_yaml import load_file

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("rules", sorted((ROOT / "rules").rglob("*.yaml"))),
        ("config", [ROOT / "config" / "slo-guard.yaml"]),
        ("tests", sorted((ROOT / "tests" / "rules").glob("*.yaml"))),
    ],
)
def test_the_printed_schema_takes_the_shipped_files(kind, files):
    """The two belong together."""
    result = CliRunner().invoke(schema, [kind], catch_exceptions=False)

    assert result.exit_code == 0
    validator = Draft202012Validator(json.loads(result.stdout))
    assert files
    for file in files:
        validator.validate(load_file(file).value)


def test_another_kind_is_a_usage_error():
    """The choices are named."""
    result = CliRunner().invoke(schema, ["rulez"])

    assert result.exit_code == 2
    assert "'rules', 'config', 'tests'" in result.stderr


def test_the_fields_are_tables_for_people_too():
    """What stands in one place has its dotted path, what stands in several a table of its own; defaults are as written."""
    shown = CliRunner().invoke(schema, ["config", "--format", "markdown"], catch_exceptions=False).stdout

    assert "| `server.port` | whole number | `9469` | Port to listen on; 0 takes any free one. |" in shown
    assert (
        "| `indicators[].query` | text | required | PromQL; each series of the answer is a series of the indicator. |"
        in shown
    )
    assert "| `store.retention` | duration | `35d` |" in shown
    assert "| `max_response` | size | `10MiB` |" in shown
    assert "[http](#http)" in shown
    assert shown.count("\n## secret\n") == 1
