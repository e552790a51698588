"""The JSON Schema of rule files: the reference that editors show, as strict as the loader where it can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from slo_guard.fields import Options
from slo_guard.located_yaml import load_file, load_text
from slo_guard.rulebook import kpi_schema, models, rules_schema
from tests.support.rule_files import SPRINT, lane

RULES = Path(__file__).parents[3] / "rules" / "sprint-40"
MODELS = [
    item
    for item in vars(models).values()
    if isinstance(item, type) and issubclass(item, BaseModel) and item is not Options
]


def is_valid(text: str) -> bool:
    return Draft202012Validator(rules_schema()).is_valid(load_text(text, "f").value)


@pytest.mark.parametrize("schema", [rules_schema(), kpi_schema()])
def test_the_schema_is_a_schema(schema):
    """Of the dialect that it names."""
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_sentence_of_reference(model):
    """An editor shows it where the field is written."""
    for name, info in model.model_fields.items():
        assert info.description, name
        assert info.description.endswith("."), name


@pytest.mark.parametrize("file", sorted(RULES.glob("*.yaml")), ids=lambda file: file.name)
def test_the_shipped_rules_are_valid(file):
    """What ships is the example that people copy."""
    Draft202012Validator(rules_schema()).validate(load_file(file).value)


@pytest.mark.parametrize(
    "kpi",
    [
        "{kpi: a, indicator: x}",
        "{kpi: a, indicator: {bad: {indicator: x, where: {a: b}}, total: y}, measure: ratio over 1h, objective: {below: 0.8%}}",
        "{kpi: a, indicator: x, objective: {between: [2, 3]}, due: 2026-07-06T17:00, checkpoint: 2026-07-06}",
        "{kpi: a, indicator: x, by: [t], expect: {t: {labels_of: y}}, no_data: {after: 5m, then: hold, hold_for: 1h}}",
        "{kpi: a, indicator: {of: x, to: {indicator: y, where: {a: b}}}, measure: spread_abs, drift: {over: 6h, crosses_within: 1d}}",
        "{kpi: a, indicator: x, pace: linear, when: {kpi: b, is: false}, exclude: [{from: 2026-07-08, to: 2026-07-08, reason: r, by: b}]}",
        "{kpi: a, indicator: x, objective: {is: true}, min_coverage: 0.9, min_total: 3, annotations: {a: b}}",
    ],
)  # fmt: skip
def test_what_the_loader_takes_is_valid(kpi):
    """An editor must not underline what is right."""
    assert is_valid(lane(f"- {kpi}"))


@pytest.mark.parametrize(
    "kpi",
    [
        "{indicator: x}",
        "{kpi: A-b, indicator: x}",
        "{kpi: a, indicatr: x}",
        "{kpi: a, indicator: {good: x}}",
        "{kpi: a, indicator: {of: x}}",
        "{kpi: a, indicator: x, objective: '>= 2'}",
        "{kpi: a, indicator: x, objective: {}}",
        "{kpi: a, indicator: x, objective: {at_most: 2, at_least: 1}}",
        "{kpi: a, indicator: x, objective: {between: [1]}}",
        "{kpi: a, indicator: x, objective: null}",
        "{kpi: a, indicator: x, severity: loud}",
        "{kpi: a, indicator: x, due: friday}",
        "{kpi: a, indicator: x, min_samples: 0}",
        "{kpi: a, indicator: x, by: system}",
        "{kpi: a, indicator: x, expect: {t: {labels_off: y}}}",
        "{kpi: a, indicator: x, no_data: {then: ignore}}",
        "{kpi: a, indicator: x, runbook_url: wiki}",
        "{kpi: a, indicator: x, pace: steady}",
        "{kpi: a, indicator: x, when: {kpi: b}}",
        "5",
    ],
)
def test_what_is_wrong_by_itself_is_invalid(kpi):
    """The editor says it before `check` does."""
    assert not is_valid(lane(f"- {kpi}"))


@pytest.mark.parametrize(
    "changed", [("version: 1", "version: 2"), ("timezone", "timezon"), ("2026-07-06", "monday"), ("end:", "ending:")]
)
def test_a_wrong_sprint_is_invalid(changed):
    """Both kinds of file have their schema."""
    assert is_valid(SPRINT)
    assert not is_valid(SPRINT.replace(*changed))
