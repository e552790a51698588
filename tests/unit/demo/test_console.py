"""What the demo prints: messages as Slack would show them."""

from __future__ import annotations

import io

from rich.console import Console

from slo_guard.demo.adapted_rules import adaptations
from slo_guard.demo.console import DemoConsole, mrkdwn, slack_panel
from slo_guard.demo.slack_stand_in import Received


def printed(*panels: Received) -> str:
    console = Console(file=io.StringIO(), width=90)
    for received in panels:
        DemoConsole(console).slack(received)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def message(text: str) -> dict[str, object]:
    return {
        "text": text,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "🔴 Breached: GA p95"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Objective*\nat_most 1.16s"}]},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*system=fs* is &lt;slow&gt; [see](x) [bold]"}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "Why you are told: first message."}]},
        ],
    }


def test_a_message_is_shown_with_all_its_parts_and_nothing_of_its_markup() -> None:
    """People read the demo to see what their channel would look like."""
    shown = printed(Received(1783332000.0, message("🔴 Breached: GA p95")))

    assert "Slack 10:00:00 UTC" in shown
    assert "Breached: GA p95" in shown
    assert "at_most 1.16s" in shown
    assert "system=fs is <slow> [see](x) [bold]" in shown
    assert "*" not in shown


def test_how_bad_a_message_is_shows_in_its_frame() -> None:
    """A recovery that looks like a breach would be read as one."""
    colours = [
        slack_panel(Received(0.0, message(text))).border_style
        for text in ("🔴 Breached: x", "🟢 Recovered: x", "🟠 At risk: x", "⚪ Alert ended: x")
    ]

    assert colours == ["red", "green", "yellow", "bright_black"]


def test_a_message_that_slack_put_off_or_refused_says_so() -> None:
    """The second try is only understood by whoever saw the first."""
    shown = printed(Received(0.0, {}, retry_after=3), Received(0.0, {}, fault="invalid_blocks: 51 blocks"))

    assert "429, Retry-After: 3" in shown
    assert "refused: invalid_blocks: 51 blocks" in shown


def test_links_and_emoji_become_what_they_mean() -> None:
    """Raw mrkdwn is for machines."""
    assert mrkdwn("since <!date^1783332000^{date_short_pretty} {time_secs}|2026>").plain == "since 10:00:00 UTC"
    text = mrkdwn("<https://runbooks.example/x?a=1&amp;b=2|open the runbook> :white_check_mark: ga_e2e_p95 `x`")

    assert text.plain == "open the runbook ✅ ga_e2e_p95 x"
    assert any("https://runbooks.example/x?a=1&b=2" in str(span.style) for span in text.spans)


def test_the_introduction_says_where_to_look_what_will_happen_and_what_is_adapted() -> None:
    """A demo whose rules differ from the shipped ones in silence would be a trick."""
    console = Console(file=io.StringIO(), width=90)

    DemoConsole(console).introduce([("Page", "http://127.0.0.1:9/")], adaptations(faults=True), faults=True)

    assert isinstance(console.file, io.StringIO)
    shown = " ".join(console.file.getvalue().split())
    assert "http://127.0.0.1:9/" in shown
    assert "a Sev-1 is opened" in shown
    assert shown.index("minute 1") < shown.index("minute 2") < shown.index("a burn alarm fires")
    assert shown.index("minute 3") < shown.index("the metrics page answers 500")
    assert "`for` and `keep_firing_for` are 5s at most" in shown
