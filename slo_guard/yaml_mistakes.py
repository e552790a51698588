"""What people get wrong in YAML's own syntax, said in words that say what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

_OPERATORS = {">=": "at_least", ">": "above"}
_INDENT = re.compile(r"[ \t]*")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_KEY_BEFORE = re.compile(r"([A-Za-z_]\w*)\s*:\s*$")
_MARKED_BY_THEIR_BEGIN = ("block scalar", "tag", "alias", "anchor")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One syntax error: its place (from 1), what to write instead and, where one can guess it, the mended text.

    With ``mended`` the rest of the file can still be read, so that its other errors are shown as well.
    ``lines``: the lines that were mended, whose values are not what the author meant.
    """

    line: int
    column: int
    message: str
    mended: str | None = None
    lines: frozenset[int] = frozenset()


def split_lines(text: str) -> list[str]:
    """Split ``text`` where YAML ends a line, so that marks and lines agree."""
    return _LINE_BREAK.split(text)


def explain(error: yaml.YAMLError, text: str) -> Mistake:
    """Return what is wrong with ``text``, whose parsing raised ``error``."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Mistake(0, 0, f"cannot be read as YAML: {_plain(str(error))}")
    lines = split_lines(text)
    context = getattr(error, "context_mark", None)
    begun = str(getattr(error, "context", "")).endswith(_MARKED_BY_THEIR_BEGIN)
    started = context if context is not None and begun else mark
    return (
        _tab(lines, mark.line)
        or _reserved_start(lines, started.line, started.column)
        or Mistake(mark.line + 1, mark.column + 1, _otherwise(error))
    )


def _tab(lines: list[str], near: int) -> Mistake | None:
    if not _tab_indents(lines, near):
        return None
    tabbed = [number for number in range(len(lines)) if _tab_indents(lines, number)]
    more = len(tabbed) - 1
    also = f" (on {more} more line{'s' if more > 1 else ''} as well)" if more else ""
    mended = [_INDENT.sub(lambda found: found[0].replace("\t", "  "), line, count=1) for line in lines]
    return Mistake(
        near + 1,
        lines[near].index("\t") + 1,
        f"a tab is used for indentation; use spaces{also}",
        "\n".join(mended),
    )


def _tab_indents(lines: list[str], number: int) -> bool:
    if number >= len(lines):
        return False
    indent = _INDENT.match(lines[number])
    return indent is not None and "\t" in indent[0] and bool(lines[number].strip())


def _reserved_start(lines: list[str], number: int, column: int) -> Mistake | None:
    """Explain a value that begins with a character that YAML keeps for itself, and mend it by quoting it."""
    line = lines[number] if number < len(lines) else ""
    if column >= len(line) or line[column] not in ">|%@`!*&":
        return None
    before, rest = line[:column], line[column:]
    in_flow = sum(before.count(opening) for opening in "{[") > sum(before.count(closing) for closing in "}]")
    found = re.match(r"[^,}\]]*", rest) if in_flow else re.match(r".*?(?=\s+#|\s*$)", rest)
    value = (found[0] if found else rest).rstrip()
    quoted = "'" + value.replace("'", "''") + "'"
    mended = [*lines[:number], before + quoted + rest[len(value) :], *lines[number + 1 :]]
    message = _comparison(value, before) or f"a value may not begin with {value[:1]!r} in YAML; put it in quotes"
    return Mistake(number + 1, column + 1, message, "\n".join(mended), frozenset({number + 1}))


def _comparison(value: str, before: str) -> str | None:
    found = re.match(r"(>=|>)\s*(\S.*)", value)
    if found is None:
        return None
    operator, bound = found[1], found[2].strip()
    key = _KEY_BEFORE.search(before)
    if key is not None and key[1] in ("at_most", "below", "at_least", "above", "equals"):
        return f"{key[1]!r} already says how to compare; write {key[1]}: {bound}"
    return f"{operator!r} begins a folded text in YAML, not a comparison; write {{{_OPERATORS[operator]}: {bound}}}"


def _otherwise(error: yaml.YAMLError) -> str:
    problem = _plain(str(getattr(error, "problem", "") or error))
    if "mapping values are not allowed" in problem:
        return "a ':' is not expected here; put a text that holds ': ' in quotes, and align fields by spaces"
    if "cannot start any token" in problem:
        return "this character cannot begin a value in YAML; put the value in quotes"
    if "end of stream" in problem and "quoted" in str(getattr(error, "context", "")):
        return "a quote is opened and never closed; close it"
    if "expected ',' or" in problem:
        return "a '[' or '{' is opened and not closed properly; write a ',' between its parts and close it"
    if "expected '-' indicator" in problem or "expected key" in problem or "block" in problem:
        return "the indentation does not fit the lines above; align the fields of one mapping, and the '-' of one list"
    context = getattr(error, "context", None)
    return f"is not valid YAML: {problem}" + (f" {context}" if context else "")


def _plain(text: str) -> str:
    return " ".join(text.split())[:200]
