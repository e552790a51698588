"""Draws what Slack is sent by the demo's sprint, in the manner of Slack's client: ``python -m tests.pictures.slack``."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from slo_guard import logs
from slo_guard.cli.demo_speed import shipped_sprint
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.sprint_room import SprintRoom
from slo_guard.loaded import load_files
from slo_guard.stepped import stepping
from tests.support.browser import ROOT, a_page, chromium

_STYLE = """
body { margin: 0; padding: 20px; width: 640px; background: #fff; color: #1d1c1d; font: 15px/1.46 Lato, "DejaVu Sans", sans-serif }
article { display: grid; grid-template-columns: 36px 1fr; gap: 8px; margin-bottom: 18px }
article > i { width: 36px; height: 36px; border-radius: 6px; background: #1d3557; color: #fff; font: 700 15px/36px monospace;
  text-align: center }
b.app { font-weight: 800 } small { background: #ddd; border-radius: 2px; padding: 0 3px; font-size: 10px; color: #555 }
time { color: #616061; font-size: 12px }
h3 { font-size: 18px; margin: 6px 0 } dl { display: grid; grid-template-columns: 1fr 1fr; gap: 6px 16px; margin: 6px 0 }
dl > div { white-space: pre-line } blockquote { margin: 2px 0; padding-left: 10px; border-left: 4px solid #ddd } section { margin: 8px 0 } aside { color: #616061; font-size: 13px }
a { color: #1264a3; text-decoration: none }
code { background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; color: #c01343; padding: 0 3px; font-size: 12px }
i.dot { display: inline-block; width: .8em; height: .8em; border-radius: 50%; vertical-align: -.05em }
"""
_DOTS = {"🔴": "#d92027", "🟠": "#f4900c", "🟢": "#4f9d2f", "⚪": "#ccd6dd", "🔥": "#f4900c"}
"""Slack draws its own emoji; a machine without fonts for them draws these."""


def messages() -> list[Mapping[str, Any]]:
    """Return all that Slack accepted in the first days of the demo's sprint, in order."""
    received: list[Received] = []
    sprint = shipped_sprint()
    with (
        TemporaryDirectory() as folder,
        SprintRoom(Path(folder), sprint, 1800.0, received.append) as room,
        stepping(load_files(room.config_path), room.clock) as stepper,
    ):
        for at in stepper.steps(sprint.start_at + 2.2 * 86400.0):
            room.advance(at)
            stepper.step(at)
    return [each.message for each in received if each.accepted]


def chosen(sent: Sequence[Mapping[str, Any]], kpi: str) -> list[Mapping[str, Any]]:
    """Return the first message that tells of two series of ``kpi`` at once, and the first after it that all is well."""
    about = [message for message in sent if kpi in str(message)]
    breach = next(number for number, message in enumerate(about) if "(2 firing)" in str(message["text"]))
    recovered = next(message for message in about[breach:] if str(message["text"]).startswith("🟢 Recovered"))
    return [about[breach], recovered]


def page(shown: Sequence[Mapping[str, Any]]) -> str:
    """Return the messages as an HTML page."""
    articles = "".join(_article(message) for message in shown)
    return f"<!doctype html><html lang=en><meta charset=utf-8><style>{_STYLE}</style><body>{articles}</body></html>"


def _article(message: Mapping[str, Any]) -> str:
    blocks = "".join(_block(block) for block in message["blocks"])
    return f"<article><i>SG</i><div><b class=app>slo_guard</b> <small>APP</small>{blocks}</div></article>"


def _block(block: Mapping[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{_plain(block['text']['text'])}</h3>"
        case "context":
            return f"<aside>{'<br>'.join(_mrkdwn(each['text']) for each in block['elements'])}</aside>"
        case "section":
            fields = "".join(f"<div>{_mrkdwn(each['text'])}</div>" for each in block.get("fields", ()))
            text = f"<section>{_lines(block['text']['text'])}</section>" if "text" in block else ""
            return f"{text}<dl>{fields}</dl>" if fields else text
    raise ValueError(f"no drawing of a block of type {block['type']!r}")


def _lines(text: str) -> str:
    quoted = (line.removeprefix("> ") for line in text.splitlines())
    return "".join(
        f"<blockquote>{_mrkdwn(inner)}</blockquote>" if inner != line else f"<div>{_mrkdwn(line)}</div>"
        for line, inner in zip(text.splitlines(), quoted, strict=True)
    )


def _mrkdwn(text: str) -> str:
    """Return Slack's markup as HTML: links, dates, bold, italic and code; everything else stays the text that it is."""
    return "".join(_spans(text))


_SPAN = re.compile(
    r"<(?P<link>https?://[^|>]+)\|(?P<words>[^>]+)>|<!date\^(?P<date>\d+)[^>]*>"
    r"|\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)"
)


def _spans(text: str) -> Iterator[str]:
    at = 0
    for match in _SPAN.finditer(text):
        yield _plain(text[at : match.start()])
        found = {name: part for name, part in match.groupdict().items() if part is not None}
        if "date" in found:
            yield f"{datetime.fromtimestamp(int(found['date']), ZoneInfo('America/Denver')):%b %d, %H:%M}"
        for name, tag in (("words", "a"), ("bold", "strong"), ("code", "code"), ("italic", "em")):
            if name in found:
                yield f"<{tag}>{_plain(found[name])}</{tag}>"
        at = match.end()
    yield _plain(text[at:])


def _plain(text: str) -> str:
    """Return text as HTML, its coloured symbols drawn."""
    safe = html.escape(html.unescape(text))
    for symbol, colour in _DOTS.items():
        safe = safe.replace(symbol, f'<i class="dot" style="background:{colour}"></i>')
    return safe


def take(file: Path) -> None:
    """Draw a breach and its recovery into ``file``."""
    logs.configure("error")
    html_page = page(chosen(messages(), "ga_e2e_p95"))
    with chromium() as browser, a_page(browser, viewport={"width": 680, "height": 300}) as tab:
        tab.set_content(html_page)
        tab.screenshot(path=file, full_page=True)


if __name__ == "__main__":
    take(ROOT / "deploy" / "pictures" / "slack.png")
