"""The JSON Schema of rule files, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from slo_guard.rulebook.models import KpiRule, LaneFile, SprintFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rules_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file: a sprint's or a lane's."""
    references, schema = models_json_schema([(SprintFile, "validation"), (LaneFile, "validation")], by_alias=True)
    ordered: list[dict[str, Any]] = [references[(model, "validation")] for model in (SprintFile, LaneFile)]
    return {
        "$schema": _DIALECT,
        "title": "slo_guard rule file",
        "anyOf": ordered,
        "$defs": without_null(schema["$defs"]),
    }


def kpi_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one entry of ``kpis``."""
    adapter: TypeAdapter[BaseModel] = TypeAdapter(KpiRule)
    schema: dict[str, Any] = without_null(adapter.json_schema(by_alias=True))
    return {"$schema": _DIALECT, **schema}


def without_null(schema: Any) -> Any:
    """Return a schema in which what can be left out cannot be null: an empty field is an error in a rule file."""
    if isinstance(schema, list):
        return [without_null(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: without_null(part) for name, part in schema.items() if not (name == "default" and part is None)}
    options = kept.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        left = [option for option in options if option != {"type": "null"}]
        del kept["anyOf"]
        kept = {**left[0], **kept} if len(left) == 1 else {**kept, "anyOf": left}
    return kept
