"""The nodes of a YAML document with their places, from the C parser's events, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

MAX_NODES = 200_000
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Position:
    """A line and a column, both from 1; 0 stands for the file as a whole."""

    line: int = 0
    column: int = 0


class Refused(Exception):  # noqa: N818 - not an error of the program: carries a finding out of the parse
    """The text is not taken: ``message`` says why, ``place`` where."""

    def __init__(self, place: Position, message: str) -> None:
        self.place, self.message = place, message
        super().__init__(message)


@dataclass(slots=True)
class Node:
    """One node of the document; ``text`` is set for scalars, ``items`` for lists and (key, value, …) for mappings."""

    place: Position
    tag: str | None = None
    text: str | None = None
    plain: bool = False
    is_mapping: bool = False
    items: list[Node] = field(default_factory=list)
    alias_of: Node | None = None


def compose(text: str) -> Node | None:
    """Build the nodes of the one document from the C parser's events.

    Not ``yaml.compose``: that recurses in C, so a few thousand open brackets would crash the process.
    """
    root: Node | None = None
    stack: list[Node] = []
    anchors: dict[str, Node] = {}
    count = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        assert event.start_mark is not None
        place = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            continue
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise Refused(place, "a second document begins here ('---'); one file holds one document")
        if not isinstance(event, yaml.NodeEvent):
            continue
        node = _node_of(event, place, anchors)
        count += 1
        if count > MAX_NODES:
            raise Refused(place, f"has more than {MAX_NODES:,} values; split the file")
        if stack:
            stack[-1].items.append(node)
        else:
            root = node
        if event.anchor is not None and node.alias_of is None:
            anchors[event.anchor] = node
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(node)
            if len(stack) > MAX_DEPTH:
                raise Refused(place, f"is nested more than {MAX_DEPTH} levels deep; flatten it")
    return root


def _node_of(event: yaml.NodeEvent, place: Position, anchors: Mapping[str, Node]) -> Node:
    if isinstance(event, yaml.AliasEvent):
        target = anchors.get(event.anchor or "")
        if target is None:
            raise Refused(place, f"'*{event.anchor}' refers to an anchor that does not exist; put a text in quotes")
        return Node(place, alias_of=target)
    if isinstance(event, yaml.ScalarEvent):
        plain = bool(event.implicit[0]) and event.style in (None, "")
        return Node(place, tag=event.tag, text=event.value, plain=plain)
    assert isinstance(event, yaml.CollectionStartEvent)
    return Node(place, tag=event.tag, is_mapping=isinstance(event, yaml.MappingStartEvent))
