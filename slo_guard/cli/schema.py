"""``slo-guard schema``: JSON Schema for editors."""

from __future__ import annotations

import click
import orjson

from slo_guard.collect import COLLECTORS
from slo_guard.config import config_schema
from slo_guard.notify import RECEIVERS
from slo_guard.rulebook import rules_schema


@click.command()
@click.argument("kind", type=click.Choice(["rules", "config"]))
def schema(kind: str) -> None:
    """Print the JSON Schema of rule files or of the config.

    For the YAML language server, put this at the top of a file: # yaml-language-server: $schema=PATH
    """
    document = (
        rules_schema()
        if kind == "rules"
        else config_schema(
            {name: entry.options for name, entry in COLLECTORS.items()},
            {name: entry.options for name, entry in RECEIVERS.items()},
        )
    )
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
