"""Collectors: one file a source, each keeping the Collector port.

A new collector is one file with an options model and a collector, one line in ``COLLECTORS``, and one case in the
contract suite, which fails until it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slo_guard.collect.evidence import EvidenceOptions, build_evidence
from slo_guard.collect.file import FileOptions, build_file
from slo_guard.collect.json_api import JsonOptions, build_json
from slo_guard.collect.options import CollectorOptions
from slo_guard.collect.prometheus import PrometheusOptions, build_prometheus
from slo_guard.collect.scrape import ScrapeOptions, build_scrape
from slo_guard.collect.sql import SqlOptions, build_sql
from slo_guard.domain.ports import Collector

__all__ = ["COLLECTORS", "Collector", "CollectorOptions", "CollectorType"]


@dataclass(frozen=True, slots=True)
class CollectorType:
    """What ``type: NAME`` in the config stands for: the model of its options, and how to build a collector from them.

    ``build`` takes validated options and the earliest instant (Unix seconds) that any KPI looks back to, or None.
    It does no I/O.
    """

    options: type[CollectorOptions]
    build: Callable[[Any, float | None], Collector]


COLLECTORS: Mapping[str, CollectorType] = {
    "prometheus": CollectorType(PrometheusOptions, build_prometheus),
    "scrape": CollectorType(ScrapeOptions, build_scrape),
    "json": CollectorType(JsonOptions, build_json),
    "sql": CollectorType(SqlOptions, build_sql),
    "evidence": CollectorType(EvidenceOptions, build_evidence),
    "file": CollectorType(FileOptions, build_file),
}
"""Collectors by the name that the config uses."""
