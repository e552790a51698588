"""Series as promtool's unit tests write them: ``requests_total{system="fs"}`` with ``0+200x60 _ 3``.

The notation is that of https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser

from slo_guard.domain.series import LabelSet, label_set

MOST_VALUES = 1_000_000
"""Most values of one series: two years of one a minute."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?i:inf|nan)"
_PROGRESSION = re.compile(rf"(?P<start>{_NUMBER})(?:(?P<sign>[+-])(?P<step>{_NUMBER}))?x(?P<times>\d+)")
_REPEATED_GAP = re.compile(r"_x(?P<times>\d+)")


def parse_series(text: str) -> tuple[str, LabelSet]:
    """Return the indicator and the labels of a series; raises ``ValueError`` with what to write instead."""
    wanted = f'{text[:100]!r} is not a series; write one such as requests_total{{system="fs"}}'
    try:
        parsed = promql_parser.parse(text)
    except ValueError:
        raise ValueError(wanted) from None
    if not isinstance(parsed, promql_parser.VectorSelector) or not parsed.name or parsed.offset or parsed.at:
        raise ValueError(wanted)
    labels = {}
    for matcher in parsed.matchers.matchers:
        if matcher.op != promql_parser.MatchOp.Equal:
            raise ValueError(f"{text[:100]!r} chooses among series; write one series, each label with =")
        labels[matcher.name] = matcher.value
    labels.pop("__name__", None)
    return parsed.name, label_set(labels)


def parse_values(text: str) -> tuple[float | None, ...]:
    """Return the values of a series, None for each instant without a sample.

    ``a+bxn`` is a and n more, each b above the one before; ``axn`` is a and n more like it; ``_`` is no sample, ``_xn``
    n of them; ``stale`` is none either, since a source that no longer shows a series gives none. Raises
    ``ValueError`` with what to write instead.
    """
    values: list[float | None] = []
    for word in text.split():
        values.extend(_expanded(word))
        if len(values) > MOST_VALUES:
            raise ValueError(f"stands for more than {MOST_VALUES:,} values; write fewer, at a longer interval")
    if not values:
        raise ValueError("has no values; write some, such as 0+10x60 or 1 2 _ 4")
    return tuple(values)


def _expanded(word: str) -> Iterator[float | None]:
    if word in ("_", "stale"):
        yield None
    elif gap := _REPEATED_GAP.fullmatch(word):
        yield from [None] * _times(gap["times"])
    elif run := _PROGRESSION.fullmatch(word):
        start, step = float(run["start"]), float(run["step"] or 0.0)
        step = -step if run["sign"] == "-" else step
        yield from (start + step * number for number in range(_times(run["times"]) + 1))
    elif re.fullmatch(_NUMBER, word):
        yield float(word)
    elif word.startswith("{{"):
        raise ValueError("has a native histogram; write a series a bucket, each with its label le")
    else:
        raise ValueError(f"{word[:60]!r} is not a value; write 5, 0+10x60 (61 values), 5x10 (11 values), _ or _x5")


def _times(digits: str) -> int:
    return min(int(digits[:9]), MOST_VALUES)
