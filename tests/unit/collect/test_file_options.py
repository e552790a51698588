"""Options of the file collector: `check` says what cannot work, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from slo_guard.collect import COLLECTORS
from slo_guard.collect.file import FileOptions
from slo_guard.config import load_config
from slo_guard.domain.readings import IndicatorSpec, IndicatorType

EVENT = {"name": "took", "type": "event", "unit": "hours", "value": "hours", "time": {"column": "at"}}


def options(**changes: object) -> FileOptions:
    base = {"name": "rows", "type": "file", "path": "sessions.csv", "indicators": [EVENT]}
    return FileOptions.model_validate({**base, **changes}, context={"folder": Path("/etc/slo[1]")})


def test_a_relative_path_is_taken_from_the_configs_folder():
    """Whose own name is no pattern."""
    assert options().path == "/etc/slo[[]1]/sessions.csv"
    assert options(path="/var/*.csv").path == "/var/*.csv"


@pytest.mark.parametrize(
    ("path", "is_csv"),
    [("a.csv", True), ("a.CSV", True), ("a.csv*", True), ("a.csv.1", True), ("a-*.jsonl", False),
     ("a.ndjson", False), ("a.json", False)],
)  # fmt: skip
def test_the_suffix_says_the_format(path, is_csv):
    """As everybody names them."""
    assert options(path=path).is_csv is is_csv


def test_labels_are_a_list_or_a_mapping():
    """The list is for columns that are named as the labels should be."""
    [listed] = options(indicators=[{**EVENT, "labels": ["tenant"]}]).indicators
    [mapped] = options(indicators=[{**EVENT, "labels": {"tenant": "Tenant ID"}}]).indicators

    assert (listed.labels, mapped.labels) == ({"tenant": "tenant"}, {"tenant": "Tenant ID"})
    assert mapped.columns == ("hours", "at", "Tenant ID")


def test_specs_are_in_base_units():
    """Rules are checked against them."""
    assert options().specs() == (IndicatorSpec("took", IndicatorType.EVENT, "seconds", "rows"),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"path": ""}, "write a file or a glob"),
        ({"path": "a/**/b.csv"}, "whole trees"),
        ({"path": "a.txt"}, "write format: csv or format: jsonl"),
        ({"encoding": "utf-9"}, "not an encoding that is known"),
        ({"encoding": "utf-16"}, "have it written in utf-8"),
        ({"encoding": "base64"}, "not an encoding that is known"),
        ({"delimiter": '"'}, "cannot part cells"),
        ({"delimiter": ", "}, "at most 1 character"),
        ({"columns": ["at", "hours", "at"]}, "named twice"),
        ({"columns": ["at"]}, "took needs the column hours"),
        ({"columns": []}, "at least 1"),
        ({"path": "a.jsonl", "columns": ["at", "hours"]}, "JSON lines have no columns"),
        ({"path": "a.jsonl", "delimiter": ";"}, "JSON lines have no delimiter"),
        ({"read": "all"}, "'appended' or 'whole'"),
        ({"max_rows": 0}, "greater than or equal to 1"),
        ({"max_age": "0s"}, "greater than 0"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"indicators": []}, "at least 1"),
        ({"indicators": [EVENT, EVENT]}, "declared twice"),
        ({"indicators": [{**EVENT, "time": None}]}, "an event has its own time"),
        ({"indicators": [{**EVENT, "type": "gauge", "value": None}]}, "a gauge needs its value's column"),
        ({"indicators": [{**EVENT, "type": "gauge", "id": "ticket"}]}, "only events have an id"),
        ({"indicators": [{**EVENT, "type": "histogram"}]}, "'gauge', 'counter', 'event', 'percentile' or 'bool'"),
        ({"indicators": [{**EVENT, "time": {"column": "at", "zone": "America/Dever"}}]}, "America/Denver"),
        ({"indicators": [{**EVENT, "labels": ["Tenant ID"]}]}, "write {tenant_id: 'Tenant ID'}"),
        ({"indicators": [{**EVENT, "labels": "tenant"}]}, "write the columns"),
        ({"indicators": [{**EVENT, "where": {"state": "~("}}]}, "not a regular expression"),
    ],
)
def test_what_cannot_work_is_refused(changes, said):
    """Found without a file, before the night."""
    with pytest.raises(ValidationError) as caught:
        options(**changes)

    assert said in str(caught.value)


def test_what_is_wrong_is_found_at_its_line(tmp_path):
    """`check` names the place."""
    file = tmp_path / "slo-guard.yaml"
    (tmp_path / "rules").mkdir()
    file.write_text(
        "version: 1\nrules: [rules]\nreceivers: []\ncollectors:\n  - name: rows\n    type: file\n"
        "    path: a.csv\n    indicators:\n      - name: took\n        type: event\n        valu: hours\n"
        "        time: {column: at, zone: Mars}\n"
    )

    loaded = load_config(file, {name: kind.options for name, kind in COLLECTORS.items()}, {})

    assert [(finding.line, finding.path) for finding in loaded.findings] == [
        (11, "collectors[0].indicators[0].valu"),
        (12, "collectors[0].indicators[0].time.zone"),
    ]
