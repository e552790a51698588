"""Pages of metrics in Prometheus's text format 0.0.4 and in OpenMetrics 1.0.

A page of 100,000 lines differs from the last one in its numbers alone. It is therefore cut into what stands before
each number (the series as text), the number and the timestamp; a series' text is parsed once, the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from slo_guard.collect.frames import Rejections, collector_paused, parse_numbers
from slo_guard.domain.readings import FloatArray
from slo_guard.domain.series import LabelSet, label_set
from slo_guard.errors import CollectionError

ACCEPT: Final = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

# One blank, not many: over a page of nothing but blanks a repeated match would take quadratic time.
_CUT: Final = re.compile(rb" ([^ \t\r\n}]+)(?: (-?[0-9][0-9.eE+-]*))?\r?\n")
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_COMMON: Final = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*",)*[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*")\})?'
)
_COMMON_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"')
_BLANKS: Final = re.compile(r"[ \t]*")
_LABEL: Final = re.compile(
    r'([a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\]|\\.)+")[ \t]*(?:=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*)?([,}])'
)
_VALUE: Final = re.compile(r"([^ \t]+)(?:[ \t]+(-?[0-9][0-9.eE+-]*))?[ \t]*(?:#.*)?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|Inf|NaN)", re.IGNORECASE)
_ESCAPE: Final = re.compile(r'\\([\\"n])')
_EOF: Final = b"# EOF"


@dataclass(frozen=True, slots=True)
class Series:
    """A line's name and labels."""

    name: str
    labels: LabelSet


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The samples of the wanted names.

    ``series``: the same list object for as long as the page has the same series; ``values`` and ``times``, shape
    (m,): values NaN where not a number; ``times`` None when no line has a timestamp, else Unix seconds, NaN for a
    line without. ``wrong``: lines that could not be parsed, by the wanted name that they begin with, or "".
    """

    series: list[Series]
    values: FloatArray
    times: FloatArray | None
    wrong: dict[str, Rejections]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the texts of the last page mean.

    ``series[i]`` has its number at position ``at[i]``; ``odd``: positions where something else than a plain
    series or comment stands (several lines, an exemplar, garbage), which are read line by line each time.
    """

    texts: list[bytes]
    series: list[Series]
    at: list[int]
    odd: list[int]
    has_valid: bool


class PageParser:
    """Parses one source's pages, cycle after cycle, for a fixed set of sample names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._known: _Known | None = None
        self._meaning: dict[bytes, Series | None] = {}

    def parse(self, body: bytes, *, openmetrics: bool) -> Page:
        """Return the wanted samples of ``body``.

        Raises ``CollectionError``: ``not_metrics`` when no line is a sample or a comment of the format,
        ``cut_short`` for an OpenMetrics page without its end, and for a page of one line without its line feed. Of
        a longer text page without the last one its last line is wrong: of ``p95 1160.5`` half may be ``p95 11``.
        """
        if openmetrics and not body.rstrip().endswith(_EOF):
            raise CollectionError("cut_short", "the OpenMetrics page does not end with # EOF")
        cut = b""
        if not body.endswith(b"\n"):
            whole, _, last = body.rpartition(b"\n")
            no_comment = bool(last.strip()) and not last.lstrip().startswith(b"#")
            body, cut = (whole + b"\n", last) if no_comment and not openmetrics else (body + b"\n", b"")
        pieces = _CUT.split(body)
        texts, numbers, stamps = pieces[0:-1:3], pieces[1::3], pieces[2::3]
        known = self._known
        if known is None or known.texts != texts:
            with collector_paused():
                self._known = known = self._learn(texts, numbers)
        wrong: dict[str, Rejections] = {}
        lines = [self._line(texts[at], numbers[at], stamps[at]) for at in known.odd]
        odd, odd_valid = self._read_odd([*lines, pieces[-1]], wrong)
        if cut:
            self._reject(cut, "is cut short, no line feed ends it", wrong)
        if not known.has_valid and not odd_valid:
            if _is_sample(cut):
                raise CollectionError("cut_short", "the page ends within a line; no line feed ends it")
            raise CollectionError(
                "not_metrics", "no line of the answer is a metric; is this the address of a metrics page?"
            )
        values = parse_numbers([numbers[at] for at in known.at] + [value for _, value, _ in odd])
        times: FloatArray | None = None
        if stamps.count(None) != len(stamps) or any(stamp for _, _, stamp in odd):
            every = [stamps[at] for at in known.at] + [stamp for _, _, stamp in odd]
            times = parse_numbers([b"NaN" if stamp is None else stamp for stamp in every]) / (
                1.0 if openmetrics else 1e3
            )
        series = known.series + [each for each, _, _ in odd] if odd else known.series
        return Page(series, values, times, wrong)

    def _learn(self, texts: list[bytes], numbers: list[bytes]) -> _Known:
        before, self._meaning = self._meaning, {}
        series: list[Series] = []
        at: list[int] = []
        odd: list[int] = []
        has_valid = False
        for position, text in enumerate(texts):
            try:
                meaning = before[text] if text in before else self._plain_meaning(text)
            except ValueError:
                odd.append(position)
                continue
            self._meaning[text] = meaning
            if meaning is not None:
                series.append(meaning)
                at.append(position)
            has_valid = has_valid or _shows_format(text, numbers[position])
        return _Known(texts, series, at, odd, has_valid)

    def _plain_meaning(self, text: bytes) -> Series | None:
        """Return the series that ``text`` names, None if not wanted; raises ``ValueError`` if it is not plainly one."""
        if text.startswith(b"#"):
            if b"\n" in text:
                raise ValueError
            return None
        name = text.partition(b"{")[0].rstrip(b" \t").decode("utf-8")
        if _NAME.fullmatch(name) and name not in self._names and b"\n" not in text and not text.rstrip().endswith(b'"'):
            return None
        decoded = text.decode("utf-8")
        series, end = _series(decoded)
        if end != len(decoded):
            raise ValueError
        return series if series.name in self._names else None

    @staticmethod
    def _line(text: bytes, number: bytes, stamp: bytes | None) -> bytes:
        return text + b" " + number + (b" " + stamp if stamp is not None else b"")

    def _read_odd(
        self, chunks: list[bytes], wrong: dict[str, Rejections]
    ) -> tuple[list[tuple[Series, bytes, bytes | None]], bool]:
        """Read lines one by one and in full; returns the wanted samples, and whether any line was of the format."""
        found: list[tuple[Series, bytes, bytes | None]] = []
        any_valid = False
        for line in _lines(chunks):
            if line.startswith(b"#"):
                any_valid = any_valid or _is_format_comment(line)
                continue
            try:
                text = line.decode("utf-8")
                series, end = _series(text)
                value, stamp = _value(text, end)
            except ValueError:
                self._reject(line, "cannot be parsed", wrong)
                continue
            any_valid = True
            if series.name in self._names:
                found.append((series, value, stamp))
        return found, any_valid

    def _reject(self, line: bytes, why: str, wrong: dict[str, Rejections]) -> None:
        shown = line[:120].decode("utf-8", "replace")
        begins = _NAME.match(shown)
        name = begins[0] if begins and begins[0] in self._names else ""
        wrong.setdefault(name, Rejections()).add(1, f"the line {shown!r} {why}")


def _is_sample(line: bytes) -> bool:
    try:
        text = line.strip(b" \t\r").decode("utf-8")
        _value(text, _series(text)[1])
    except ValueError:
        return False
    return True


def _lines(chunks: list[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for line in chunk.split(b"\n"):
            stripped = line.strip(b" \t\r")
            if stripped:
                yield stripped


def _shows_format(text: bytes, number: bytes) -> bool:
    if text.startswith(b"#"):
        return _is_format_comment(text + b" " + number)
    return _NUMBER.fullmatch(number.decode("utf-8", "replace")) is not None


def _is_format_comment(line: bytes) -> bool:
    return line.startswith((b"# HELP ", b"# TYPE ", b"# UNIT ", _EOF))


def _series(text: str) -> tuple[Series, int]:
    """Parse the series at the start of ``text``; returns it and where the value begins. Raises ``ValueError``.

    Names in quotes (``{"http.requests", code="200"}``), as UTF-8 names are written, are understood as well.
    """
    common = _COMMON.fullmatch(text)
    if common is not None:
        pairs = _COMMON_LABEL.findall(common[2] or "")
        if len(dict(pairs)) == len(pairs):
            return Series(common[1], tuple(sorted(pairs))), len(text)
    match = _NAME.match(text)
    name, at = (match[0], match.end()) if match else ("", 0)
    at = _past_blanks(text, at)
    labels: dict[str, str] = {}
    if text.startswith("{", at):
        at = _past_blanks(text, at + 1)
        closed = text.startswith("}", at)
        at += closed
        while not closed:
            part = _LABEL.match(text, at)
            if part is None:
                raise ValueError("not a label")
            key, value = _unquoted(part[1]), part[2]
            if value is None:
                if name or not part[1].startswith('"'):
                    raise ValueError("a label without a value")
                name = key
            elif key in labels:
                raise ValueError("a label comes twice")
            elif value:
                labels[key] = _unescaped(value)
            else:
                labels[key] = ""
            at = _past_blanks(text, part.end())
            closed = part[3] == "}"
            if not closed and text.startswith("}", at):
                closed, at = True, _past_blanks(text, at + 1)
    if not name:
        raise ValueError("no name")
    return Series(name, label_set(labels)), _past_blanks(text, at)


def _value(text: str, at: int) -> tuple[bytes, bytes | None]:
    """Return the number and the timestamp that ``text`` holds from ``at`` on; raises ``ValueError``."""
    match = _VALUE.fullmatch(text, at)
    if match is None or not _NUMBER.fullmatch(match[1]):
        raise ValueError("no value")
    return match[1].encode(), None if match[2] is None else match[2].encode()


def _past_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _unquoted(text: str) -> str:
    return _unescaped(text[1:-1]) if text.startswith('"') else text


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text
