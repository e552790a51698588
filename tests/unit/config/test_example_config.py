"""The shipped config and the schema: the example shows every option, and is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from slo_guard.collect import COLLECTORS
from slo_guard.config import config_schema, load_config
from slo_guard.config import models as config_models
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.located_yaml import load_file, load_text
from slo_guard.notify import RECEIVERS
from slo_guard.rulebook import load_rules

EXAMPLE = Path(__file__).parents[3] / "config" / "slo-guard.yaml"
TYPES = (
    {name: kind.options for name, kind in COLLECTORS.items()},
    {name: kind.options for name, kind in RECEIVERS.items()},
)


def definitions() -> dict:
    return config_schema(*TYPES)["$defs"]


def is_valid(text: str) -> bool:
    return Draft202012Validator(config_schema(*TYPES)).is_valid(load_text(text, "f").value)


def test_the_example_loads_with_warnings_of_unset_secrets_only(monkeypatch):
    """It starts as it is."""
    monkeypatch.delenv("SLO_GUARD_SLACK_URL", raising=False)

    loaded = load_config(EXAMPLE, *TYPES)

    assert [(finding.severity, finding.path) for finding in loaded.findings] == [("warning", "receivers[0].url")]


def test_the_shipped_rules_are_clean_against_the_example():
    """Every indicator that they name is produced, with the type and unit that they need."""
    config = load_config(EXAMPLE, *TYPES).config

    rules = load_rules(config.rules, config.indicators)

    assert rules.findings == ()
    assert len(rules.plan.kpis) == 66
    assert set(rules.plan.indicators) == {*config.indicators, BURN_ALARM}


def test_the_example_shows_every_type_of_collector():
    """Whoever has a source of some kind begins from an entry that works."""
    config = load_config(EXAMPLE, *TYPES).config

    assert {options.type for options in config.collectors} == set(COLLECTORS)


def test_the_example_shows_every_option():
    """A commented line counts: it shows how the option is written."""
    names = set(config_schema(*TYPES)["properties"])
    for definition in definitions().values():
        names |= set(definition.get("properties", {}))

    shown = set(re.findall(r"[\s{#]([a-z0-9_]+):", EXAMPLE.read_text()))

    assert names - shown == set()


def test_the_schema_is_a_schema_and_the_example_is_valid():
    """Of draft 2020-12."""
    schema = config_schema(*TYPES)

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(load_file(EXAMPLE).value)


@pytest.mark.parametrize(
    "changed",
    [
        ("type: scrape", "type: scrap"),
        ("    type: evidence\n", ""),
        ("port: 9469", "prt: 9469"),
        ("retries: 2", "retries: many"),
        ("severity: page", "severity: loud"),
        ("metric: gateway", "query: gateway"),
        ("rules:\n  - ../rules/sprint-40", "rules: []"),
        ("type: json", "type: jsn"),
        ("value: points_left", "val: points_left"),
        ("type: event", "type: evnt"),
        ("incremental: {column: id, start: 0}", "incremental: {start: 0}"),
        ("read: appended", "read: all"),
    ],
)
def test_what_is_wrong_by_itself_is_invalid(changed):
    """The editor says it before `check` does."""
    text = EXAMPLE.read_text()
    assert changed[0] in text

    assert not is_valid(text.replace(*changed))


@pytest.mark.parametrize(
    "model",
    [item for item in vars(config_models).values() if isinstance(item, type) and issubclass(item, BaseModel)],
    ids=lambda model: model.__name__,
)
def test_every_field_has_a_sentence_of_reference(model):
    """An editor shows it where the field is written."""
    for name, info in model.model_fields.items():
        assert info.description, name
