"""A stand-in of a Slack incoming webhook: it holds messages to Slack's documented limits and answers as Slack does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from slo_guard.demo.loopback import LoopbackServer, Request, Response

PATH = "/services/T00000000/B00000000/demo"

_MOST_BLOCKS = 50
_MOST_FIELDS = 10
_MOST_IN_CONTEXT = 10
_MOST_ACTIONS = 25
_LONGEST = {"text": 40_000, "header": 150, "section": 3000, "field": 2000, "context": 3000, "button": 75, "url": 3000}
_BLOCK_TYPES = {"header", "section", "context", "divider", "actions", "image", "rich_text", "markdown"}


@dataclass(frozen=True, slots=True)
class Received:
    """What came and how it was answered: ``fault`` is what Slack would refuse, ``retry_after`` a 429's wait."""

    at: float
    message: Mapping[str, Any]
    fault: str | None = None
    retry_after: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether Slack would show the message."""
        return self.fault is None and self.retry_after is None


class SlackStandIn:
    """Answers posts to ``PATH`` and hands each to ``on_message``, one at a time, in the order in which they came.

    The post with the number ``busy_on`` (from 1) is answered 429 with ``Retry-After``, once, as Slack does
    when more than about one message a second comes.
    """

    def __init__(
        self,
        on_message: Callable[[Received], None],
        clock: Callable[[], float],
        *,
        busy_on: int | None = None,
        retry_after_seconds: int = 3,
    ) -> None:
        self._on_message = on_message
        self._clock = clock
        self._busy_on = busy_on
        self._retry_after = retry_after_seconds
        self._count = 0
        self._lock = threading.Lock()

    def server(self) -> LoopbackServer:
        """Return a server, not yet started, that answers as Slack."""
        return LoopbackServer(self.respond)

    def respond(self, request: Request) -> Response:
        """Answer one request."""
        if request.method != "POST" or request.target != PATH:
            return Response(HTTPStatus.NOT_FOUND, b"no_service")
        with self._lock:
            self._count += 1
            try:
                message = json.loads(request.body)
            except ValueError:
                message = None
            if not isinstance(message, dict):
                self._on_message(Received(self._clock(), {}, fault="invalid_payload: not a JSON object"))
                return Response(HTTPStatus.BAD_REQUEST, b"invalid_payload")
            if self._count == self._busy_on:
                self._on_message(Received(self._clock(), message, retry_after=self._retry_after))
                headers = {"Retry-After": str(self._retry_after)}
                return Response(HTTPStatus.TOO_MANY_REQUESTS, b"rate_limited", headers=headers)
            fault = next(faults(message), None)
            self._on_message(Received(self._clock(), message, fault=fault))
        if fault is not None:
            return Response(HTTPStatus.BAD_REQUEST, fault.partition(":")[0].encode())
        return Response(HTTPStatus.OK, b"ok")


def faults(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield what Slack would refuse of a message, as ``code: what``: its limits on blocks, texts and fields."""
    blocks = list(message.get("blocks") or [])
    for attachment in message.get("attachments") or []:
        blocks += attachment.get("blocks") or []
    if not message.get("text") and not blocks and not message.get("attachments"):
        yield "no_text: neither text nor blocks"
    yield from _too_long("text", message.get("text"))
    if len(blocks) > _MOST_BLOCKS:
        yield f"invalid_blocks: {len(blocks)} blocks, at most {_MOST_BLOCKS}"
    for number, block in enumerate(blocks):
        for what in _block_faults(block):
            yield f"invalid_blocks: blocks[{number}]: {what}"


def _block_faults(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind not in _BLOCK_TYPES:
        yield f"unknown type {kind!r}"
    elif kind == "header":
        if (block.get("text") or {}).get("type") != "plain_text":
            yield "a header's text is plain_text"
        yield from _text_faults("header", block.get("text"))
    elif kind == "section":
        if not block.get("text") and not block.get("fields"):
            yield "a section needs text or fields"
        if block.get("text"):
            yield from _text_faults("section", block["text"])
        fields = block.get("fields") or []
        if len(fields) > _MOST_FIELDS:
            yield f"{len(fields)} fields, at most {_MOST_FIELDS}"
        for text in fields:
            yield from _text_faults("field", text)
    elif kind == "context":
        elements = block.get("elements") or []
        if not 1 <= len(elements) <= _MOST_IN_CONTEXT:
            yield f"{len(elements)} elements, from 1 to {_MOST_IN_CONTEXT}"
        for element in elements:
            if element.get("type") != "image":
                yield from _text_faults("context", element)
    elif kind == "actions":
        elements = block.get("elements") or []
        if not 1 <= len(elements) <= _MOST_ACTIONS:
            yield f"{len(elements)} elements, from 1 to {_MOST_ACTIONS}"
        for element in elements:
            yield from _text_faults("button", element.get("text"))
            yield from _too_long("url", element.get("url"))


def _text_faults(place: str, text: Any) -> Iterator[str]:
    if not isinstance(text, Mapping) or text.get("type") not in {"plain_text", "mrkdwn"}:
        yield f"the {place} has no text object"
    elif not text.get("text"):
        yield f"the text of the {place} is empty"
    else:
        yield from _too_long(place, text["text"])


def _too_long(place: str, text: Any) -> Iterator[str]:
    if isinstance(text, str) and len(text) > _LONGEST[place]:
        yield f"msg_too_long: {place} of {len(text)} characters, at most {_LONGEST[place]}"
