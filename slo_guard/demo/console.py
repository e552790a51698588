"""What the demo shows in the terminal: where to look, what will happen, and each message as Slack would show it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.emoji import Emoji
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from slo_guard.clock import from_unix
from slo_guard.demo.mission_control import EPISODES
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.world.story import CYCLE_SECONDS, Episode

_WIDTH = 96
_COLOURS = (
    ("recovered", "green"),
    ("partly", "yellow"),
    ("alert ended", "bright_black"),
    ("at risk", "yellow"),
    ("still at risk", "yellow"),
    ("test", "cyan"),
)
"""The border by how a message begins; any other message is a breach."""

_MARK = re.compile(
    r"<!date\^(?P<date>\d+)\^[^<>]*>|<(?P<url>[^<>|\s]+)(?:\|(?P<label>[^<>]*))?>|`(?P<code>[^`\n]+)`"
    r"|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)|(?<!\w)_(?P<italic>[^_\n]+)_(?!\w)|:(?P<emoji>[a-z0-9_+-]+):"
)


class DemoConsole:
    """Writes the demo's output; safe to call from several threads."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def introduce(self, places: Sequence[tuple[str, str]], adapted: Sequence[str], *, faults: bool) -> None:
        """Print where to look (name, URL) and what is going to happen."""
        table = Table.grid(padding=(0, 2))
        for name, url in places:
            table.add_row(Text(name, style="bold"), Text(url, style="cyan"))
        self._print(Text("slo_guard on a simulated Mission Control", style="bold"))
        self._print(Padding(table, (1, 2)))
        if faults:
            self._print(Text(f"Faults come and go; every {CYCLE_SECONDS / 60:.0f} minutes they begin again:"))
            self._print(Padding(_timeline(EPISODES), (1, 2)))
        else:
            self._print(Text("Nothing goes wrong (--no-faults).\n"))
        self._print(Text("The rules are those that are shipped, except that " + "; ".join(adapted) + ".", style="dim"))
        self._print(Text("Slack shows its messages below. Ctrl-C stops the demo.\n"))

    def slack(self, received: Received) -> None:
        """Print a message that the Slack stand-in got, and how it answered."""
        self._print(slack_panel(received))

    def episode(self, episode: Episode, at: float, *, begins: bool) -> None:
        """Print that an episode begins or has ended."""
        line = Text.assemble((f"  {_clock(at)}  ", "dim"), (f"{episode.kpi}  ", "cyan"))
        self._print(line.append(episode.says if begins else episode.ends_with, style="" if begins else "green"))

    def say(self, text: str) -> None:
        """Print one line."""
        self._print(Text(text))

    def _print(self, what: RenderableType) -> None:
        self._console.print(what, width=min(self._console.width, _WIDTH))


def slack_panel(received: Received) -> Panel:
    """Return a message as a framed text: the frame's colour says how bad it is, its title when it came."""
    clock = _clock(received.at)
    if received.retry_after is not None:
        text = f"answered 429, Retry-After: {received.retry_after}, as Slack does when it is busy; it has to come again"
        return Panel(Text(text), title=f"Slack {clock}", title_align="left", border_style="magenta")
    if received.fault is not None:
        return Panel(Text(f"refused: {received.fault}"), title=f"Slack {clock}", title_align="left", border_style="red")
    message = received.message
    blocks = list(message.get("blocks") or [])
    for attachment in message.get("attachments") or []:
        blocks += attachment.get("blocks") or []
    shown = [part for block in blocks for part in _block(block)] or [mrkdwn(str(message.get("text", "")))]
    return Panel(
        Group(*shown), title=f"Slack {clock}", title_align="left", border_style=_colour(message), padding=(0, 1)
    )


def mrkdwn(text: str, style: str = "") -> Text:
    """Return Slack's markup as styled text: bold, italic, code, links, emoji and instants."""
    styled = Text(style=style)
    end = 0
    for match in _MARK.finditer(text):
        styled.append(html.unescape(text[end : match.start()]))
        end = match.end()
        if match["date"]:
            styled.append(_clock(float(match["date"])))
        elif match["url"]:
            url = html.unescape(match["url"])
            styled.append(html.unescape(match["label"] or match["url"]), style=f"underline link {url}")
        elif match["emoji"]:
            styled.append(Emoji.replace(match[0]))
        else:
            kind = next(name for name in ("code", "bold", "italic") if match[name])
            styled.append(html.unescape(match[kind]), style={"code": "cyan"}.get(kind, kind))
    styled.append(html.unescape(text[end:]))
    return styled


def _timeline(episodes: Sequence[Episode]) -> Table:
    """Return what happens by minutes, a line an episode."""
    table = Table.grid(padding=(0, 2))
    for minute in range(int(CYCLE_SECONDS // 60)):
        begins, ends = minute * 60.0, (minute + 1) * 60.0
        table.add_row(Text(f"minute {minute + 1}", style="bold"))
        for episode in episodes:
            if begins <= episode.starts < ends:
                until = f" to {episode.ends:.0f}s" if episode.ends < CYCLE_SECONDS else "s on"
                when = Text(f"{episode.starts:.0f}{until}", justify="right")
                table.add_row(when, Text(episode.kpi, style="cyan"), Text(episode.says))
    return table


def _clock(seconds: float) -> str:
    return from_unix(seconds).strftime("%H:%M:%S UTC")


def _colour(message: Mapping[str, Any]) -> str:
    begins = re.sub(r"^[\W_]*(:\w+:\s*)?", "", str(message.get("text", ""))).lower()
    return next((colour for word, colour in _COLOURS if begins.startswith(word)), "red")


def _block(block: Mapping[str, Any]) -> list[RenderableType]:
    kind = block.get("type")
    if kind == "header":
        return [mrkdwn(block["text"]["text"], "bold")]
    if kind == "section":
        parts: list[RenderableType] = [mrkdwn(block["text"]["text"])] if block.get("text") else []
        # Slack sets a field's name above its value; beside it, a message takes half the height here.
        fields = [mrkdwn(field["text"].replace("\n", "  ", 1)) for field in block.get("fields") or []]
        if fields:
            table = Table.grid(padding=(0, 3), expand=True)
            table.add_column(ratio=1)
            table.add_column(ratio=1)
            for left in range(0, len(fields), 2):
                table.add_row(*fields[left : left + 2])
            parts.append(table)
        return parts
    if kind == "context":
        return [mrkdwn(str(element.get("text", "")), "dim") for element in block.get("elements") or []]
    if kind == "actions":
        buttons = [
            mrkdwn(f"<{element['url']}|[{element['text']['text']}]>")
            for element in block.get("elements") or []
            if element.get("url")
        ]
        return [Text("  ").join(buttons)] if buttons else []
    return [Text("")] if kind == "divider" else []
