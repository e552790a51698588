"""The kinds of panel that the dashboards are made of, with what all of one kind have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    FieldColorModeId,
    ValueMap,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.palette import MUTE, fixed, steps
from deploy.grafana.units import Scale

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The Prometheus that is chosen above."""

NOTHING = "no data"
_LETTERS = "ABCDEFGHIJKLMNOP"

Query = tuple[str, str]
"""An expression and the legend of its series."""

AnyPanel = TypeVar("AnyPanel", timeseries.Panel, statetimeline.Panel, stat.Panel, table.Panel)


def lines(title: str, description: str, *queries: Query, scale: Scale, link: str = "") -> timeseries.Panel:
    """Return lines over time; ``link``: where a click on a series leads, below the page's address."""
    panel = _panel(timeseries.Panel(), title, description, queries)
    panel.unit(scale.unit).line_width(2).fill_opacity(8).show_points(VisibilityMode.NEVER).span_nulls(False)
    panel.legend(_legend()).tooltip(_tooltip())
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    if scale.decimals is not None:
        panel.decimals(scale.decimals)
    if scale.least is not None:
        panel.min(scale.least)
    if scale.most is not None:
        panel.max(scale.most)
    if scale.soft_least is not None:
        panel.axis_soft_min(scale.soft_least)
    return _linked(panel, link)


def states(title: str, description: str, query: Query, mapping: ValueMap, link: str = "") -> statetimeline.Panel:
    """Return a band a series, coloured by what it was over time."""
    panel = _panel(statetimeline.Panel(), title, description, [query])
    panel.mappings([mapping]).fill_opacity(95).line_width(0).row_height(0.86)
    panel.show_value(VisibilityMode.AUTO).merge_values(True)
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.thresholds(steps((None, MUTE)))
    # The bands' own words say it all; a legend of eight colours would take a third of a small lane.
    panel.legend(parts.VizLegendOptions().show_legend(False)).tooltip(_tooltip())
    return _linked(panel, link)


def numbers(
    title: str, description: str, *queries: Query, scale: Scale, colors: Sequence[str] = (), words: str = ""
) -> stat.Panel:
    """Return large numbers side by side, as they are now: one a query, in its colour; ``words`` where there is none."""
    panel = _panel(stat.Panel(), title, description, queries, instant=True)
    panel.unit(scale.unit).graph_mode(BigValueGraphMode.NONE).text_mode(BigValueTextMode.VALUE_AND_NAME)
    panel.color_mode(BigValueColorMode.BACKGROUND_SOLID if colors else BigValueColorMode.NONE)
    panel.reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    panel.thresholds(steps((None, MUTE)))
    if scale.decimals is not None:
        panel.decimals(scale.decimals)
    if words:
        panel.no_value(words)
    for letter, color in zip(_LETTERS, colors, strict=False):
        panel.override_by_query(letter, [fixed(color)])
    return panel


def listing(
    title: str, description: str, query: str, columns: Sequence[str], words: str, link: str = ""
) -> table.Panel:
    """Return a table of series as they are now: ``columns`` of labels, then the value; ``words`` if there are none."""
    panel = table.Panel().title(title).description(description).datasource(SOURCE).no_value(words)
    asked = prometheus.Dataquery().expr(query).ref_id("A").instant().datasource(SOURCE)
    panel.with_target(asked.format(PromQueryFormat.TABLE)).show_header(True)
    order = {name: place for place, name in enumerate((*columns, "Value"))}
    panel.with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": {"Time": True}, "indexByName": order})
    )
    return _linked(panel, link)


def alert_list(title: str, description: str, datasource: str) -> dashboard.Panel:
    """Return Grafana's own list of alerts over the data source of that name, which answers Prometheus's rules API."""
    options = {
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": 50,
        "sortOrder": 3,  # by importance
        "dashboardAlerts": False,
        "alertName": "",
        # No query of a data source: several values are an alternative only where it is asked for.
        "alertInstanceLabelFilter": '{sprint=~"${sprint:regex}", lane=~"${lane:regex}"}',
        "datasource": datasource,
        "showInstances": True,
        "stateFilter": {"firing": True, "pending": True, "noData": False, "normal": False, "error": True},
    }
    return dashboard.Panel().type("alertlist").title(title).description(description).options(options)


def _panel(
    panel: AnyPanel, title: str, description: str, queries: Sequence[Query], *, instant: bool = False
) -> AnyPanel:
    panel.title(title).description(description).datasource(SOURCE).no_value(NOTHING)
    for letter, (expression, legend) in zip(_LETTERS, queries, strict=False):
        asked = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter).datasource(SOURCE)
        panel.with_target(asked.instant() if instant else asked.range())
    return panel


def _linked(panel: AnyPanel, link: str) -> AnyPanel:
    if link:
        to_page = dashboard.DashboardLink("Open in slo_guard").url(f"${{page}}{link}").target_blank(True)
        panel.data_links([to_page])
    return panel


def _legend() -> parts.VizLegendOptions:
    legend = parts.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return legend.show_legend(True).calcs(["lastNotNull"])


def _tooltip() -> parts.VizTooltipOptions:
    return parts.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
