"""A stand-in of Slack's incoming webhook on loopback: checks the documented limits, records every message and its time.

It answers ``ok`` to a sound message and 400 ``invalid_payload``, ``no_text`` or ``invalid_blocks`` to another, and can be told
(see ``WebhookStandIn``) to answer 429 with Retry-After, 500 or 404 for a while, or to hang.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.webhook_stand_in import WebhookStandIn, json_problems

MAX_BODY_BYTES = 100_000
_MARKUP = re.compile(
    r"<(!date\^\d+\^[^|<>^]*\{[a-z_]+\}[^|<>^]*(\^https?://[^|<>]+)?\|[^|<>]+|https?://[^|<>\s]+(\|[^|<>]+)?)>"
)
_QUOTE = re.compile(r"^> ", re.MULTILINE)
_BARE = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")


class SlackStandIn(WebhookStandIn):
    """``url`` has a path as secret as a real hook's."""

    path = "/services/T00000000/B00000000/XXXXsecretXXXXpathXXXX"
    accepted_body = b"ok"

    def problems_of(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Return what Slack would refuse of a request."""
        found = json_problems(headers)
        if len(body) > MAX_BODY_BYTES:
            found.append(f"the body has {len(body)} bytes")
        try:
            message = json.loads(body)
        except ValueError:
            return [*found, "invalid_payload: not JSON"]
        if not isinstance(message, dict):
            return [*found, "invalid_payload: not an object"]
        return [*found, *message_problems(message)]

    def refusal(self, problems: list[str]) -> tuple[int, bytes]:
        """Return how Slack answers: 400 and a code."""
        codes = [problem.split(":")[0] for problem in problems]
        known = [code for code in codes if code in ("invalid_blocks", "no_text")]
        return 400, (known[0] if known else "invalid_payload").encode()


def message_problems(message: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a message by Slack's documented limits; lengths are counted in UTF-16 units."""
    text = message.get("text")
    found = [] if isinstance(text, str) and text.strip() else ["no_text: there is no fallback text"]
    if isinstance(text, str):
        found += [f"invalid_payload: {problem}" for problem in _text_problems(text, 4000)]
    unknown = set(message) - {"text", "blocks", "attachments", "mrkdwn", "unfurl_links", "unfurl_media"}
    found += [f"invalid_payload: unknown field {name}" for name in sorted(unknown)]
    blocks = message.get("blocks", [])
    if not isinstance(blocks, list) or len(blocks) > 50:
        return [*found, "invalid_blocks: not a list of at most 50"]
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) != len(ids) or any(_length(each) > 255 for each in ids):
        found.append("invalid_blocks: a block_id is too long or used twice")
    for block in blocks:
        found += [f"invalid_blocks: {block.get('type')}: {problem}" for problem in _block_problems(block)]
    return found


def all_texts(message: Mapping[str, Any]) -> str:
    """Return everything that a reader of the message can see, one text a line."""
    return "\n".join(
        [message.get("text", ""), *(text for block in message.get("blocks", []) for text in _texts(block))]
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _block_problems(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "header":
        yield from _object_problems(block.get("text"), {"plain_text"}, 150)
    elif kind == "section":
        fields = block.get("fields", [])
        if "text" not in block and not fields:
            yield "neither text nor fields"
        if "text" in block:
            yield from _object_problems(block["text"], {"plain_text", "mrkdwn"}, 3000)
        if len(fields) > 10:
            yield f"{len(fields)} fields"
        for each in fields:
            yield from _object_problems(each, {"plain_text", "mrkdwn"}, 2000)
    elif kind == "context":
        elements = block.get("elements", [])
        if not 1 <= len(elements) <= 10:
            yield f"{len(elements)} elements"
        for each in elements:
            yield from _object_problems(each, {"plain_text", "mrkdwn"}, 3000)
    elif kind != "divider":
        yield "an unexpected kind of block"


def _object_problems(value: Any, kinds: set[str], limit: int) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"not a text object of {sorted(kinds)}"
        return
    if not value["text"]:
        yield "an empty text"
    yield from _text_problems(value["text"], limit)


def _text_problems(text: str, limit: int) -> Iterator[str]:
    if _length(text) > limit:
        yield f"{_length(text)} characters, more than {limit}"
    if _BARE.search(_QUOTE.sub("", _MARKUP.sub("", text))):
        yield f"unescaped control characters in {text[:120]!r}"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
