"""Rule files: parsed with positions, checked, and turned into the domain's plan."""

from slo_guard.rulebook.loader import LoadedRules, load_rules
from slo_guard.rulebook.schema import kpi_schema, rules_schema

__all__ = ["LoadedRules", "kpi_schema", "load_rules", "rules_schema"]
