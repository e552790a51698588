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
    [("rules", sorted((ROOT / "rules").rglob("*.yaml"))), ("config", [ROOT / "config" / "slo-guard.yaml"])],
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
    assert "'rules', 'config'" in result.stderr
