"""Texts that try to become markup, from every place that texts come from, and what becomes of them where people read."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
import requests
import yaml

from tests.support.daemon import Daemon, eventually
from tests.support.http_sources import Reply, http_source
from tests.support.slack_stand_in import SlackStandIn, all_texts
from tests.support.small_mission import gauge_kpi, scrape, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn

EVIL = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt; <!channel> <@U1> <#C1> "
    "<http://evil.example|click> @here {{7*7}} \u202egnp.exe"
)
LINK = "javascript:alert(document.domain)"


class Elements(HTMLParser):
    """Collects what a browser would make of a page: tags, attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Run a daemon on hostile texts; gives it with what Slack and the webhook were told."""
    folder = tmp_path_factory.mktemp("hostile")
    value = EVIL.replace("\\", "\\\\").replace('"', '\\"')
    page = f'load{{tenant="{value}"}} 9\n'

    def answer(request):
        if request.path == "/rows":
            return Reply(json.dumps({"rows": [{"value": EVIL, EVIL: EVIL}]}).encode())
        return Reply(page.encode())

    fields = {"title": EVIL, "annotations": {"summary": EVIL.replace("{{7*7}}", "{{ labels }}")}}
    write_rules(
        folder,
        [
            gauge_kpi("load", by=["tenant"], runbook_url="https://wiki.example/?a=<b>&c='\"", **fields),
            gauge_kpi("broken", **fields),
            {"kpi": "signed", "indicator": "signed", "objective": {"is": True}, **fields},
        ],
    )
    lane = folder / "rules" / "lane.yaml"
    lane.write_text(lane.read_text().replace("owner: Ana", yaml.safe_dump({"owner": EVIL}, width=10_000).strip()))
    signed = {"indicator": "signed", "value": False, "by": EVIL, "when": "2020-01-05T00:00:00Z", "link": LINK}
    (folder / "evidence.yaml").write_text(yaml.safe_dump([signed]))
    with http_source(answer) as source, SlackStandIn() as slack, WebhookStandIn() as hook:
        rows = {"name": "broken", "type": "gauge", "rows": "rows", "value": "value"}
        config = write_config(
            folder,
            [
                scrape("tenants", source.url, "load"),
                {"name": "rows", "type": "json", "url": f"{source.url}/rows", "interval": "1s", "indicators": [rows]},
                {
                    "name": "signs",
                    "type": "evidence",
                    "file": "evidence.yaml",
                    "interval": "1s",
                    "indicators": ["signed"],
                },
            ],
            [
                {"name": "slack", "type": "slack", "url": slack.url, "min_interval": "0s"},
                {"name": "hook", "type": "webhook", "url": hook.url},
            ],
        )
        with Daemon(config) as daemon:
            daemon.start().wait_ready()
            silence = {"matchers": ["tenant=x"], "for": "1h", "by": EVIL[:80], "why": EVIL[:80], "force": True}
            requests.post(f"{daemon.url}/api/v1/silences", json=silence, timeout=10).raise_for_status()
            eventually(lambda: len(slack.received) >= 3 and len(hook.received) >= 3, 40)
            yield daemon, slack, hook


@pytest.mark.parametrize(
    "path", ["/", "/kpis/load", "/kpis/broken", "/kpis/signed", "/alerts", "/sources", "/deliveries"]
)
def test_a_page_shows_hostile_texts_as_texts(told, path):
    """No element, attribute or link of a page comes from outside."""
    answer = told[0].get(path)
    page = Elements(answer.text)

    assert answer.status_code == 200
    assert {tag for tag, _ in page.tags} <= OUR_TAGS
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    links = [attrs[name] for _, attrs in page.tags for name in ("href", "src", "action") if attrs.get(name)]
    assert [link for link in links if not re.match(r"(/|#|https?://|data:image/|\?)", link)] == []
    assert not [link for link in links if "evil.example" in link and link.startswith("http")]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_the_texts_are_there_all_the_same(told):
    """Escaped, not dropped: a title that reads oddly is still a title."""
    assert "<script>alert(1)</script>" in Elements(told[0].get("/").text).text
    assert "<!channel>" in Elements(told[0].get("/kpis/load").text).text


def test_slack_is_told_no_mention_and_no_link_of_theirs(told):
    """A label must not wake the whole channel, nor lead to a page that asks for a password."""
    for received in told[1].received:
        text = all_texts(received.document)
        assert received.problems == ()
        assert not re.search(r"<[!@#](?!date\^)", text)
        assert "<http://evil" not in text
        assert "<javascript:" not in text
        assert "\u202e" not in text
        assert "49" not in re.sub(r"\d{3,}|\d+:\d+", "", text)


def test_the_webhook_is_told_labels_as_they_are(told):
    """They name the series; whoever shows them escapes them for where they are shown."""
    alerts = [alert for received in told[2].received for alert in received.document["alerts"]]

    assert all(received.problems == () for received in told[2].received)
    assert EVIL in {alert["labels"].get("tenant") for alert in alerts}
    assert not any("\u202e" in text for alert in alerts for text in alert["annotations"].values())


def test_metrics_and_logs_keep_one_line_a_value(told):
    """A label that ends a line would forge a series, or a log entry."""
    for line in told[0].get("/metrics").text.splitlines():
        assert re.match(r"# |[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? \S+$|$", line), line
    assert "\x1b" not in told[0].stderr


OUR_TAGS = {
    *("html", "head", "meta", "title", "link", "style", "script", "body", "header", "footer", "main", "nav", "section"),
    *(
        "a",
        "abbr",
        "article",
        "b",
        "bdi",
        "button",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
    ),
    *("input", "label", "li", "ol", "p", "pre", "small", "span", "strong", "summary", "table", "tbody", "td", "tfoot"),
    *("th", "thead", "time", "tr", "ul", "svg", "g", "path", "line", "rect", "circle", "text", "polyline", "polygon"),
    *("figure", "figcaption", "caption", "form", "select", "option", "template", "desc", "defs", "use", "symbol", "hr"),
    *(
        "noscript",
        "aside",
        "img",
        "br",
        "i",
        "search",
        "datalist",
        "output",
        "progress",
        "meter",
        "clippath",
        "colgroup",
        "col",
    ),
}
"""All but what loads or runs something; scripts and images are looked at by where they come from."""
