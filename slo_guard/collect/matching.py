"""``where`` of a collector: which series of a page are meant, in the notation of the rule files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slo_guard.domain.kpi import Matcher, MatchOp
from slo_guard.domain.series import LabelSet
from slo_guard.patterns import PatternError, compile_pattern


def parse_where(where: Mapping[str, str]) -> tuple[Matcher, ...]:
    """Return the matchers of ``{label: value}``, ``!value`` and ``~regex``; raises ``ValueError`` for a bad regex."""
    matchers: list[Matcher] = []
    for label, text in where.items():
        if text.startswith("!"):
            matchers.append(Matcher(label, MatchOp.NOT_EQUAL, text[1:]))
        elif text.startswith("~"):
            try:
                compile_pattern(text[1:])
            except PatternError as error:
                raise ValueError(f"{label}: {text[1:]!r} is not a regular expression: {error}") from None
            matchers.append(Matcher(label, MatchOp.REGEX, text[1:]))
        else:
            matchers.append(Matcher(label, MatchOp.EQUAL, text))
    return tuple(matchers)


@dataclass(frozen=True, slots=True)
class SeriesMatch:
    """Whether label sets match all of ``matchers``; a label that is lacking counts as the empty string."""

    matchers: tuple[Matcher, ...]

    def __call__(self, labels: LabelSet) -> bool:
        """Whether ``labels`` match."""
        if not self.matchers:
            return True
        values = dict(labels)
        return all(_holds(matcher, values.get(matcher.label, "")) for matcher in self.matchers)


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.op:
        case MatchOp.EQUAL:
            return value == matcher.value
        case MatchOp.NOT_EQUAL:
            return value != matcher.value
        case MatchOp.REGEX:
            return compile_pattern(matcher.value)(value)
