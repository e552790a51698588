"""The committed dashboards, read as Grafana reads them: panels, queries and variables, with what was chosen put in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
FILES = ("slo-guard-sprint.json", "slo-guard-any-sprint.json")

_RANGES = {"__rate_interval": "1m", "__range": "5m", "__interval": "15s"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
_LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel."""

    panel: int
    title: str
    letter: str
    expression: str
    legend: str
    instant: bool

    def __str__(self) -> str:
        return f"panel {self.panel} {self.title!r}, query {self.letter}"


def read(file: str) -> dict[str, Any]:
    """Return a committed dashboard."""
    document: dict[str, Any] = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return document


def panels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all panels but the rows."""
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def queries(document: Mapping[str, Any]) -> Iterator[Asked]:
    """Yield the queries of all panels."""
    for panel in panels(document):
        for target in panel.get("targets", ()):
            yield Asked(
                panel["id"],
                panel["title"],
                target["refId"],
                target["expr"],
                target.get("legendFormat", ""),
                target["instant"],
            )


def variables_in(text: str) -> set[str]:
    """Return the names of the variables that a text uses, but those that Grafana itself gives."""
    return {name for pair in _VARIABLE.findall(text) if (name := "".join(pair)) and not name.startswith("__")}


def filled_in(text: str, chosen: Mapping[str, list[str]]) -> str:
    """Return a query as Grafana sends it: several values, or All, as an alternative."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in _RANGES:
            return _RANGES[name]
        values = [each if each == ".*" else re.sub(r"([\\^$*+?.()|\[\]{}])", r"\\\\\1", each) for each in chosen[name]]
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"

    return _VARIABLE.sub(value, text)


def label_values(variable: Mapping[str, Any]) -> tuple[str, str]:
    """Return the series and the label that a query variable's values are taken from."""
    found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    assert found is not None, variable["query"]
    return found[1], found[2]
