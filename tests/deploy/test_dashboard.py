"""The committed dashboards: what the code builds from the shipped rules, and fit for Grafana as far as files can tell."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import built, main
from deploy.grafana.dashboard import as_json, of_rules
from deploy.grafana.palette import VERDICT_COLORS
from deploy.grafana.sprint_row import ALERTS_SOURCE
from deploy.grafana.units import scale_of
from slo_guard import expose
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI
from slo_guard.loaded import load_files
from tests.pictures.dashboard.__main__ import SHOWN, panels_by_row
from tests.support import dashboards

CONFIG = Path(__file__).parents[2] / "config" / "slo-guard.yaml"

PANEL_TYPES = {"alertlist", "stat", "state-timeline", "table", "timeseries"}
"""All of them come with Grafana: nothing has to be installed beside it."""

every_dashboard = pytest.mark.parametrize("file", dashboards.FILES)


def shipped() -> list[KPI]:
    return [kpi for kpi in load_files(CONFIG).plan.kpis if kpi.id != COLLECTOR_UP]


def test_what_is_committed_is_what_the_code_builds():
    """A dashboard that was mended by hand, or not rebuilt after a rule changed, would be lost with the next build."""
    committed = {file.name: file.read_text(encoding="utf-8") for file in dashboards.FOLDER.glob("*.json")}

    assert committed == built(), "run make dashboard"


@every_dashboard
def test_grafanas_own_model_knows_every_field(file):
    """What Grafana's schema does not have, Grafana drops without a word."""
    document = dashboards.read(file)

    again = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))

    assert again == document
    assert document["schemaVersion"] >= 39


@every_dashboard
def test_panels_stand_side_by_side_and_have_ids_of_their_own(file):
    """Grafana pushes panels that overlap somewhere else, and a link to an id that two have opens either."""
    document = dashboards.read(file)
    areas = [(panel["id"], panel["gridPos"]) for panel in document["panels"]]

    assert len({number for number, _ in areas}) == len(areas)
    assert all(at["x"] + at["w"] <= 24 for _, at in areas)
    for (one, a), (other, b) in combinations(areas, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart or above, (one, other)


@every_dashboard
def test_every_panel_says_what_it_shows_in_which_unit_and_what_nothing_means(file):
    """A panel without a unit reads 0.0025 where it means 0.25 %, and an empty one looks like a broken one."""
    document = dashboards.read(file)

    for panel in dashboards.panels(document):
        assert panel["type"] in PANEL_TYPES
        assert len(panel["description"]) > 20, panel["title"]
        if panel["type"] == "alertlist":
            continue
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        if panel["type"] in ("timeseries", "stat"):
            assert defaults["unit"], panel["title"]
    for asked in dashboards.queries(document):
        assert asked.legend or asked.title == "KPIs whose alerts fire", str(asked)


@every_dashboard
def test_every_variable_that_is_used_is_asked_for_above(file):
    """A variable that nobody defines stays in the query as text, and matches nothing."""
    document = dashboards.read(file)
    defined = {variable["name"] for variable in document["templating"]["list"]}

    assert dashboards.variables_in(json.dumps(document)) == defined
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["multi"], variable["name"]
            assert variable["includeAll"], variable["name"]
            assert variable["current"]["value"] == ["$__all"], variable["name"]


def test_each_lane_of_the_rules_is_a_row_and_each_number_has_a_panel():
    """A KPI that nobody sees is a KPI that nobody guards."""
    document = dashboards.read("slo-guard-sprint.json")
    rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    asked = " ".join(each.expression for each in dashboards.queries(document))

    assert [row for row in rows if row.startswith("Lane: ")] == [
        f"Lane: {lane}" for lane in dict.fromkeys(kpi.lane for kpi in shipped())
    ]
    for kpi in shipped():
        if kpi.type != "bool" or kpi.by:
            assert f'kpi="{kpi.id}"' in asked, kpi.id


def test_a_kpi_that_is_added_to_the_rules_gets_its_panel():
    """Rows that a person has to draw are behind the rules after the first change."""
    kpis = shipped()
    latency = next(kpi for kpi in kpis if kpi.id == "query_p95_4hop_100k")
    new = replace(latency, id="query_p99_4hop", title="Query p99")

    before, after = json.loads(as_json(of_rules(kpis))), json.loads(as_json(of_rules([*kpis, new])))

    titles = [panel["title"] for panel in after["panels"]]
    assert titles.count("Query p99") == 1
    assert len(after["panels"]) == len(before["panels"]) + 1


@pytest.mark.parametrize(
    ("name", "unit", "decimals", "ends"),
    [
        ("ga_e2e_p95", "s", None, (None, None)),
        ("metering_variance", "percentunit", 2, (0.0, None)),
        ("ga_audits", "percentunit", 2, (None, 1.0)),
        ("fsv2_ctr5_uplift", "none", 3, (None, None)),
        ("sev1_incidents", "short", 0, (0.0, None)),
        ("tenants_onboarded", "short", None, (None, None)),
        ("burn_alarm_minutes", "s", None, (0.0, None)),
    ],
)
def test_numbers_read_as_people_say_them(name, unit, decimals, ends):
    """0.0025 is 0.25 %, a factor of 1.04 is no share, and an axis from 0 hides how 99.2 % of a goal falls to 98.8 %."""
    kpi = next(kpi for kpi in shipped() if kpi.id == name)

    scale = scale_of(kpi)

    assert (scale.unit, scale.decimals, (scale.least, scale.most)) == (unit, decimals, ends)


def test_a_team_builds_the_dashboard_of_its_own_rules(tmp_path, monkeypatch):
    """The shipped one has the lanes of the shipped rules: it would be empty over any others."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "slo-guard.yaml").write_text(
        "version: 1\nrules: [rules]\nreceivers: []\ncollectors:\n  - {name: page, type: scrape, url: http://127.0.0.1:1/metrics, "
        "interval: 30s, indicators: [{name: p95, metric: p95, type: percentile, unit: seconds}]}\n"
    )
    (tmp_path / "rules" / "sprint.yaml").write_text(
        "version: 1\nsprint: s1\ntitle: One\ntimezone: UTC\nstart: 2026-11-16\nend: 2026-11-27\n"
    )
    (tmp_path / "rules" / "shop.yaml").write_text(
        "version: 1\nsprint: s1\nlane: shop\nowner: Ada\nkpis:\n"
        "  - {kpi: shop_p95, title: Shop p95, indicator: p95, by: [region], objective: {at_most: 1s}}\n"
    )
    out = tmp_path / "shop.json"
    monkeypatch.setattr(
        "sys.argv",
        ["x", "--config", str(tmp_path / "slo-guard.yaml"), "--uid", "shop", "--title", "Shop", "--out", str(out)],
    )

    main()

    document = json.loads(out.read_text())
    titles = [panel["title"] for panel in document["panels"]]
    assert (document["uid"], document["title"]) == ("shop", "Shop")
    assert "Lane: shop" in titles
    assert "Shop p95" in titles


def test_what_is_provisioned_is_what_the_dashboards_ask_for():
    """A data source of another uid leaves every panel without one, and an alert list of another name empty."""
    sources = {source["uid"]: source for source in provisioned("datasources")["datasources"]}
    document = dashboards.read("slo-guard-sprint.json")
    chosen = next(each for each in document["templating"]["list"] if each["name"] == "datasource")
    listed = next(panel for panel in document["panels"] if panel["type"] == "alertlist")

    assert chosen["current"]["value"] == "prometheus"
    assert sources["prometheus"]["isDefault"]
    assert sources["slo-guard-alerts"]["name"] == listed["options"]["datasource"] == ALERTS_SOURCE
    assert all(source["jsonData"]["manageAlerts"] for source in sources.values())
    assert [source["url"] for source in sources.values()] == ["$PROMETHEUS_URL", "$SLO_GUARD_URL/prometheus"]


def test_a_verdict_has_the_colour_that_it_has_on_the_page():
    """Whoever looks at both learns one set of colours; the page's style says which, `make dashboard` takes them over."""
    style = (Path(expose.__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")

    for color in VERDICT_COLORS.values():
        assert color in style, color


def test_the_picture_shows_panels_that_there_are():
    """A panel that was renamed would be missing from the next picture, and nobody would notice."""
    rows = {title: {panel["title"] for panel in inside} for title, inside in rows_of_the_dashboard().items()}

    row = ""
    for title, names in SHOWN:
        row = title or row
        assert rows[row] >= set(names), row


def rows_of_the_dashboard() -> dict[str, list[dict[str, Any]]]:
    return panels_by_row(dashboards.read("slo-guard-sprint.json"))


def provisioned(kind: str) -> dict[str, Any]:
    file = dashboards.FOLDER.parent / "provisioning" / kind / "slo-guard.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document
