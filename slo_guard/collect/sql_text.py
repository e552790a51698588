"""The text of a query: that it is one statement which reads, and where its parameter stands; known without a database.

What a database itself would refuse is left to it: every query runs in a transaction that may only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SINCE: Final = "since"
_READING: Final = ("SELECT", "WITH", "VALUES", "TABLE")
_WRITING: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")
_TOKEN: Final = re.compile(
    r"""
    (?P<blank>      \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<quoted>     (?<!\w)[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
                  | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
  | (?P<parameter>  (?<![:\w]):(?P<name>[^\W\d]\w*) )
  | (?P<word>       [^\W\d]\w* )
  | (?P<open>       ['"`] | /\* )
  | (?P<mark>       :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Bind:
    """The place of a parameter in a statement."""

    name: str


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement in parts, so that each driver gets parameters in its own notation."""

    parts: tuple[str | Bind, ...]

    def render(self, bind: Callable[[str], str], text: Callable[[str], str] = str) -> str:
        """Return the whole text: parameters as ``bind`` writes them, all else as ``text`` does."""
        return "".join(text(part) if isinstance(part, str) else bind(part.name) for part in self.parts)

    @property
    def has_since(self) -> bool:
        """Whether it has the parameter ``:since``."""
        return Bind(SINCE) in self.parts


def parse_query(text: str) -> Sql:
    """Return a query without its final semicolon; raises ``ValueError`` that says what to write instead."""
    if any(not (character.isprintable() or character.isspace()) for character in text):
        raise ValueError("the query holds control characters; leave them out")
    parts: list[str | Bind] = []
    significant: list[str] = []
    depth = 0
    ended = False
    for token in _TOKEN.finditer(text):
        kind, piece = token.lastgroup, token.group()
        if token["blank"] is not None:
            parts.append(piece)
            continue
        if kind == "open":
            raise ValueError(f"the query has a {piece} without its end; close it")
        if ended:
            raise ValueError("the query is several statements; write one")
        if piece == ";":
            ended = True
            continue
        if token["parameter"] is not None:
            _check_parameter(token["name"])
            parts.append(Bind(SINCE))
        else:
            parts.append(piece)
        depth += (piece == "(") - (piece == ")")
        word = piece.upper() if kind == "word" else piece
        if depth == 0 and word in _WRITING and significant[:1] == ["WITH"] and significant[-1] == ")":
            raise ValueError(f"the query is a statement that writes ({word}); a query may only read, write a SELECT")
        significant.append(word)
    _check_beginning(significant)
    return Sql(tuple(parts))


def _check_parameter(name: str) -> None:
    if name != SINCE:
        raise ValueError(f"the query has the parameter :{name}; the only one is :since, the mark of incremental")


def _check_beginning(significant: list[str]) -> None:
    first = next((word for word in significant if word != "("), None)
    if first is None:
        raise ValueError("the query is empty; write a SELECT")
    if first not in _READING:
        raise ValueError(f"the query begins with {first[:40]}; a query may only read, write a SELECT")


def checked_query(text: str) -> str:
    """Return the text of a query that :func:`parse_query` takes."""
    parse_query(text)
    return text
