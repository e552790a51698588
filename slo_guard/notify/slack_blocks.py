"""A notification as a Slack message: Block Kit within Slack's documented limits, and plain text as its fallback.

Limits: 50 blocks, a header of 150 characters, a section's text of 3,000, 10 fields of 2,000 each. A colour never
stands alone: each symbol has its word beside it. Whatever a rule, a label or a source wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import ContextBlock, HeaderBlock, MarkdownTextObject, PlainTextObject, SectionBlock

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.notify.links import kpi_link
from slo_guard.notify.text import (
    counts,
    cut,
    final_counts,
    headline,
    labels_text,
    line_state,
    measured,
    measured_verb,
    name_of,
    objective_text,
    one_line,
    period,
    summary_line,
    why_line,
    why_told,
    width,
)
from slo_guard.units import format_duration

MAX_LINES = 10
MAX_FINAL_LINES = 200
_SYMBOLS = {
    "Breached": "🔴",
    "No data": "🔴",
    "At risk": "🟠",
    "Burning": "🔥",
    "Not yet cleared": "🟠",
    "Recovered": "🟢",
    "Ended": "⚪",
}
_FINAL_SYMBOLS = {"missed": "🔴", "no_data": "🔴", "insufficient": "⚪", "at_risk": "🟠", "met": "🟢"}
_WITHOUT_STATES = frozenset({NotificationReason.SPRINT_CLOSED, NotificationReason.TEST})
_HEADER, _SECTION, _FIELD, _LINE, _URL = 150, 3000, 300, 700, 1000


def slack_message(note: Notification, external_url: str | None = None) -> dict[str, Any]:
    """Return the message with its blocks and its fallback text; it links to the page at ``external_url``."""
    blocks: list[JsonObject] = [
        HeaderBlock(
            block_id=f"slo_guard:{cut(note.key, 200)}",
            text=PlainTextObject(
                text=mrkdwn(f"{_symbol(note)} {headline(note)}: {name_of(note)}", _HEADER), emoji=True
            ),
        ),
        SectionBlock(fields=[_text(field) for field in _fields(note, kpi_link(external_url, note))]),
        *(SectionBlock(text=_text(text)) for text in _sections([*_lines(note), *_more(note)])),
        ContextBlock(elements=[_text(text) for text in _context(note)]),
    ]
    try:
        return {"text": mrkdwn(_fallback(note), _SECTION), "blocks": [block.to_dict() for block in blocks]}
    except SlackObjectFormationError:
        return plain_message(note, external_url)


def plain_message(note: Notification, external_url: str | None = None) -> dict[str, Any]:
    """Return the message as text alone, for when Slack refuses the blocks."""
    lines = [_fallback(note)]
    if note.reason is NotificationReason.SPRINT_CLOSED:
        lines += [f"{line.verdict}: {labels_text(line.labels)}" for line in note.series[:MAX_LINES]]
    for line in () if note.reason in _WITHOUT_STATES else note.series[:MAX_LINES]:
        where = labels_text(line.labels) or note.kpi
        value = f"{measured(note, line)}, " if measured_verb(note, line) else ""
        lines.append(f"{_line_word(note, line)} {where}: {value}{period(line)}; {why_line(note, line)}")
    text = "\n".join(mrkdwn(line, _LINE // 3) for line in lines)
    return {"text": text + "".join(f"\n{mrkdwn(extra, _FIELD)}" for extra in _endings(note, external_url))}


def mrkdwn(text: str, limit: int) -> str:
    """Return ``text`` on one line with Slack's three control characters escaped, within ``limit`` UTF-16 units."""
    plain = one_line(text)
    room = limit
    while True:
        escaped = cut(plain, room).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        excess = width(escaped) - limit
        if excess <= 0:
            return escaped
        # An escaped character takes up to five places: never cut away more than needed by far.
        room -= max(1, excess // 5)


def _context(note: Notification) -> list[str]:
    why = mrkdwn(f"Why you are told: {why_told(note)}.", _FIELD)
    return [why, mrkdwn(note.acknowledged, _LINE)] if note.acknowledged else [why]


def _fallback(note: Notification) -> str:
    return f"{_symbol(note)} {summary_line(note)}"


def _endings(note: Notification, external_url: str | None) -> Iterator[str]:
    """Yield the lines below the series of a plain message."""
    yield from _more(note)
    if note.acknowledged:
        yield note.acknowledged
    for link in (kpi_link(external_url, note), note.runbook_url):
        if link:
            yield link


def _fields(note: Notification, page: str | None) -> list[str]:
    if note.reason is NotificationReason.SPRINT_CLOSED:
        ended = [f"*Sprint*\n{mrkdwn(note.sprint, _FIELD)}", f"*KPIs*\n{mrkdwn(final_counts(note), _FIELD)}"]
        return [*ended, *_linked("Page", _link(page, "see all KPIs"))]
    if note.reason is NotificationReason.TEST:
        sent = [f"*Receiver*\n{mrkdwn(note.receiver, _FIELD)}", f"*Sent*\n{_date(note.created_at)}"]
        return [*sent, *_linked("Page", _link(page, "see all KPIs"))]
    pairs = [
        ("Objective", objective_text(note)),
        ("KPI", note.kpi),
        ("Lane", note.lane),
        ("Owner", note.owner),
        ("Severity", note.severity.value),
        ("Sprint", note.sprint),
        ("Series", counts(note)),
    ]
    fields = [f"*{name}*\n{mrkdwn(value, _FIELD)}" for name, value in pairs if value]
    runbook = _link(note.runbook_url, "open the runbook")
    return [*fields, *_linked("Runbook", runbook), *_linked("Why", _link(page, "see how it came to that"))]


def _linked(name: str, link: str | None) -> list[str]:
    return [f"*{name}*\n{link}"] if link else []


def _lines(note: Notification) -> list[str]:
    if note.reason is NotificationReason.SPRINT_CLOSED:
        return [_final_line(line) for line in note.series[:MAX_FINAL_LINES]]
    if note.reason is NotificationReason.TEST:
        return ["`slo-guard send-test` asked for this message, to see that it arrives."]
    alone = len(note.series) == 1
    return [_line(note, line, alone=alone) for line in note.series[:MAX_LINES]]


def _line(note: Notification, line: SeriesLine, *, alone: bool) -> str:
    where = mrkdwn(labels_text(line.labels) or name_of(note), 200)
    verb = measured_verb(note, line)
    value = " has no value" if line.value is None else f" {verb} *{mrkdwn(measured(note, line), 60)}*" if verb else ""
    if note.objective:
        value += f", objective {mrkdwn(objective_text(note), 120)}"
    since = f"since {_date(line.active_at)}"
    if line.ended_at is not None:
        lasted = format_duration(max(0.0, line.ended_at - line.active_at))
        since = f"from {_date(line.active_at)} to {_date(line.ended_at)}, {lasted}"
    texts = [f"{_line_word(note, line)}: *{where}*{value}, {since}", mrkdwn(why_line(note, line), _LINE)]
    # What a rule says of a breach would be wrong beside a series that is fine again.
    shown = () if not line.firing else ("summary", "description") if alone else ("summary",)
    texts += [mrkdwn(line.annotations[name], _LINE) for name in shown if line.annotations.get(name, "").strip()]
    return "\n> ".join(texts)


def _final_line(line: SeriesLine) -> str:
    about = {name: mrkdwn(text, 120) for name, text in line.annotations.items()}
    title = about.get("title") or mrkdwn(labels_text(line.labels), 120)
    text = f"{_FINAL_SYMBOLS.get(line.verdict, '⚪')} {line.verdict.replace('_', ' ')}: *{title}*"
    if line.value is not None and about.get("value"):
        text += f" {about['value']}"
    if about.get("objective"):
        text += f", objective {about['objective']}"
    if line.note:
        text += f" ({mrkdwn(line.note, 120)})"
    if line.annotations.get("target_changed"):
        text += f"; {mrkdwn(line.annotations['target_changed'], 240)}"
    return text + (f", {about['owner']}" if about.get("owner") else "")


def _more(note: Notification) -> list[str]:
    shown = MAX_FINAL_LINES if note.reason is NotificationReason.SPRINT_CLOSED else MAX_LINES
    hidden = len(note.series[shown:]) + note.unlisted_firing + note.unlisted_ended
    return [f"and {hidden:,} more"] if hidden else []


def _sections(lines: Sequence[str]) -> list[str]:
    """Pack lines into as few section texts as hold them."""
    packed: list[str] = []
    for line in lines:
        if packed and width(packed[-1]) + 1 + width(line) <= _SECTION:
            packed[-1] += "\n" + line
        else:
            packed.append(line)
    return packed


def _symbol(note: Notification) -> str:
    if note.reason is NotificationReason.TEST:
        return "🧪"
    if note.reason is NotificationReason.SPRINT_CLOSED:
        return "🏁"
    if note.firing:
        return {AlertKind.RISK: "🟠", AlertKind.BURN: "🔥"}.get(note.kind, "🔴")
    return "🟢" if note.reason is NotificationReason.RECOVERED else "⚪"


def _line_word(note: Notification, line: SeriesLine) -> str:
    state = line_state(note, line)
    return f"{_SYMBOLS[state]} {state}"


def _date(instant: float) -> str:
    return f"<!date^{int(instant)}^{{date_short_pretty}} {{time_secs}}|{iso(instant)}>"


def _link(url: str | None, words: str) -> str | None:
    if not url or width(url) > _URL or any(character.isspace() for character in url):
        return None
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            return None
    except ValueError:
        return None
    safe = one_line(url).replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{words}>"


def _text(text: str) -> MarkdownTextObject:
    # Verbatim: a label that looks like a channel or a person must not become one.
    return MarkdownTextObject(text=text, verbatim=True)
