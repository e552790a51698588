"""The JSON Schema of the config, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from slo_guard.config.models import ConfigFile
from slo_guard.fields import Options


def config_schema(collectors: Mapping[str, type[Options]], receivers: Mapping[str, type[Options]]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config whose entries are of these types."""
    models: list[type[Options]] = [ConfigFile, *collectors.values(), *receivers.values()]
    references, schema = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions: dict[str, Any] = schema["$defs"]
    root = definitions.pop(references[(ConfigFile, "validation")]["$ref"].rsplit("/", 1)[-1])
    for section, types in (("collectors", collectors), ("receivers", receivers)):
        entries = []
        for kind, model in types.items():
            reference = references[(model, "validation")]
            definition = definitions[reference["$ref"].rsplit("/", 1)[-1]]
            # An entry without its type is an error even where the model has a default for it.
            definition["properties"]["type"] = {**definition["properties"].get("type", {}), "const": kind}
            definition["required"] = sorted({*definition.get("required", []), "type"})
            entries.append(dict(reference))
        root["properties"][section]["items"] = {"oneOf": entries} if entries else False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "slo_guard config",
        "$defs": definitions,
    }
