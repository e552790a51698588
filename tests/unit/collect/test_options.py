"""Collector options: what cannot work is refused by `check`, with what to write instead."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from slo_guard.collect import COLLECTORS
from slo_guard.collect.options import checked_cron
from slo_guard.collect.prometheus import PrometheusOptions
from slo_guard.domain.readings import IndicatorSpec, IndicatorType

QUERY = {"name": "p95", "type": "percentile", "unit": "ms", "query": "p95"}


def prometheus(**changes: object) -> PrometheusOptions:
    base = {"name": "prom", "type": "prometheus", "url": "http://localhost:9090", "indicators": [QUERY]}
    return PrometheusOptions.model_validate({**base, **changes})


def test_specs_are_in_base_units():
    """Rules are checked against base units, whatever the source counts in."""
    assert prometheus().specs() == (IndicatorSpec("p95", IndicatorType.PERCENTILE, "seconds", "prom"),)


def test_the_default_schedule_is_every_thirty_seconds():
    """A collector needs no schedule in the config."""
    assert (prometheus().interval, prometheus().cron, prometheus().jitter) == (30.0, None, 0.0)


@pytest.mark.parametrize("cron", ["* * * * *", "*/5 8-18 * * mon-fri", "0,30 0 1 jan,jul *", "15 3 1-7 * sat"])
def test_crontab_lines_are_taken(cron):
    """What people write in crontabs, with weekdays by name."""
    assert checked_cron(cron) == cron


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("* * * *", "five"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 0", "day of week"),
        ("* * * * mon-7", "day of week"),
        ("30-10 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("a * * * *", "minute"),
    ],
)
def test_a_wrong_cron_names_the_field(cron, said):
    """Five numbers are hard to read; which one is wrong must be said. Numbered weekdays differ between crons."""
    with pytest.raises(ValidationError, match=said):
        prometheus(cron=cron)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"interval": "30s", "cron": "* * * * *"}, "exclude each other"),
        ({"interval": "10s", "jitter": "11s"}, "at most the interval"),
        ({"interval": "0s"}, "greater than or equal"),
        ({"interval": 30}, "no unit"),
        ({"name": "Prom"}, "pattern"),
        ({"url": "localhost:9090"}, "write one such as"),
        ({"url": "http://ana:pw@localhost"}, "may not stand in the URL"),
        ({"url": "file:///etc/passwd"}, "write one such as"),
        ({"indicators": []}, "at least 1"),
        ({"indicators": [QUERY, QUERY]}, "declared twice"),
        ({"indicators": [{**QUERY, "unit": "parsecs"}]}, "unknown unit"),
        ({"indicators": [{**QUERY, "type": "bool"}]}, "a bool has no unit"),
        ({"indicators": [{**QUERY, "type": "event"}]}, "gauge"),
        ({"indicators": [{**QUERY, "query": "sum("}]}, "PromQL syntax error"),
        ({"indicators": [{**QUERY, "query": "up[5m]"}]}, "range vector"),
        ({"indicators": [{**QUERY, "query": "(up[5m:1m])"}]}, "range vector"),
        ({"indicators": [{**QUERY, "query": '"text"'}]}, "a string"),
        ({"indicators": [{**QUERY, "query": ""}]}, "PromQL"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(changes, said):
    """Found without a server, before the night."""
    with pytest.raises(ValidationError, match=said):
        prometheus(**changes)


@pytest.mark.parametrize(
    ("indicator", "said"),
    [
        ({"metric": "a b"}, "pattern"),
        ({"metric": "m", "where": {"a": "~("}}, "not a regular expression"),
        ({"metric": "m", "where": {"a": "~(?=a)b"}}, "write RE2 syntax, as in Prometheus"),
        ({"metric": "m", "where": {"a": 1}}, "string"),
    ],
)
def test_what_cannot_be_on_a_page_is_refused(indicator, said):
    """The same for pages."""
    options = {"name": "p", "type": "scrape", "url": "http://h/metrics"}
    with pytest.raises(ValidationError, match=said):
        COLLECTORS["scrape"].options.model_validate(
            {**options, "indicators": [{"name": "i", "type": "gauge", **indicator}]}
        )


@pytest.mark.parametrize("type_name", [*COLLECTORS])
def test_every_option_has_a_schema(type_name):
    """`schema config` shows every collector's options to editors."""
    schema = COLLECTORS[type_name].options.model_json_schema()

    assert {"name", "type", "interval", "cron", "jitter", "indicators"} <= set(schema["properties"])
