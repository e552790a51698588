"""``slo-guard schema``: JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
import orjson

from slo_guard.cli.schema_text import as_markdown
from slo_guard.collect import COLLECTORS
from slo_guard.config import config_schema
from slo_guard.notify import RECEIVERS
from slo_guard.replay.rule_test_models import rule_tests_schema
from slo_guard.rulebook import rules_schema

_DOCUMENTS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "rules": rules_schema,
    "config": lambda: config_schema(
        {name: entry.options for name, entry in COLLECTORS.items()},
        {name: entry.options for name, entry in RECEIVERS.items()},
    ),
    "tests": rule_tests_schema,
}


@click.command()
@click.argument("kind", type=click.Choice([*_DOCUMENTS]))
@click.option(
    "--format",
    "style",
    type=click.Choice(["json", "markdown"]),
    default="json",
    show_default=True,
    help="JSON Schema, or tables of all fields for people.",
)
def schema(kind: str, style: str) -> None:
    """Print the JSON Schema of rule files, of the config or of rule tests, or its fields as tables.

    For the YAML language server, put this at the top of a file: # yaml-language-server: $schema=PATH
    """
    document = _DOCUMENTS[kind]()
    if style == "markdown":
        click.echo(as_markdown(document), nl=False)
    else:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
