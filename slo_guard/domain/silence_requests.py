"""What a silence or an acknowledgement must be like to be taken, in the words in which it is refused.

Every bound is there so that neither a slip nor a script can leave something that nobody sees or that never ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from slo_guard.domain.kpi import MatchOp, Severity
from slo_guard.domain.silences import Matcher, NewAcknowledgement, NewSilence
from slo_guard.errors import SilenceError
from slo_guard.patterns import PatternError, compile_pattern

MAX_MATCHERS: Final = 20
MAX_LABEL: Final = 128
MAX_VALUE: Final = 1000
MAX_BY: Final = 100
MAX_WHY: Final = 500
MAX_SECONDS: Final = 366 * 86400.0

_SEVERITIES = tuple(severity.value for severity in Severity)


def parse_matcher(text: str) -> Matcher:
    """Return the matcher that ``label=value``, ``label=!value`` or ``label=~regex`` stands for.

    ``label!=value`` is understood as well. Raises ``SilenceError`` with what to write instead.
    """
    label, equals, value = text.partition("=")
    if not equals:
        raise SilenceError(f"{text!r} is no matcher; write label=value, label=!value or label=~regex")
    if label.endswith("!"):
        label, value = label[:-1], f"!{value}"
    return matcher_of(label.strip(), value)


def matcher_of(label: str, notation: str) -> Matcher:
    """Return the matcher of ``label`` whose value is in the rules' notation; raises ``SilenceError``."""
    if not label or len(label) > MAX_LABEL or not label.isprintable():
        raise SilenceError(f"a matcher begins with a label's name of at most {MAX_LABEL} characters, as in kpi=NAME")
    if len(notation) > MAX_VALUE:
        raise SilenceError(f"{label}: write at most {MAX_VALUE} characters to match it by")
    if notation.encode("utf-8", "replace").decode() != notation:
        # A terminal can pass on what no answer of the API and no page can show.
        raise SilenceError(f"{label}: {notation!r} is not UTF-8 text, which every label is")
    if notation.startswith(("!~", "~!")):
        raise SilenceError(f"{label}: a negated regex is not supported; write {label}=!value or {label}=~regex")
    if notation.startswith("~"):
        try:
            compile_pattern(notation[1:])
        except PatternError as error:
            raise SilenceError(f"{label}: {notation[1:]!r} is not a regular expression: {error}") from None
        return Matcher(label, notation[1:], MatchOp.REGEX)
    how = MatchOp.NOT_EQUAL if notation.startswith("!") else MatchOp.EQUAL
    value = notation.removeprefix("!")
    if label == "severity" and value not in _SEVERITIES:
        raise SilenceError(f"severity is never {value!r}; it is one of {', '.join(_SEVERITIES)}")
    return Matcher(label, value, how)


def new_silence(
    matchers: Iterable[Matcher], *, starts_at: float, ends_at: float, by: str, why: str, now: float
) -> NewSilence:
    """Return a silence that may be taken at ``now``, when it begins at the earliest.

    Raises ``SilenceError`` with what to write instead.
    """
    found = tuple(dict.fromkeys(matchers))
    if not 1 <= len(found) <= MAX_MATCHERS:
        raise SilenceError(f"write between 1 and {MAX_MATCHERS} matchers, such as kpi=NAME")
    if all(matcher.matches({}) for matcher in found):
        words = " ".join(map(str, found))
        raise SilenceError(f"{words} holds also for what has no such label, so for nearly everything; add kpi=NAME")
    if ends_at <= starts_at:
        raise SilenceError("the silence would end before it starts; write a later end")
    _check_end("the silence", ends_at, now)
    return NewSilence(
        matchers=found,
        starts_at=max(starts_at, now),
        ends_at=ends_at,
        by=_words(by, MAX_BY, "who silences it"),
        why=_words(why, MAX_WHY, "why it is silenced"),
    )


def new_acknowledgement(asked: NewAcknowledgement, now: float) -> NewAcknowledgement:
    """Return an acknowledgement that may be taken at ``now``. Raises ``SilenceError`` with what to write instead."""
    _check_end("the acknowledgement", asked.until, now)
    return NewAcknowledgement(
        sprint=asked.sprint,
        kpi=asked.kpi,
        labels=asked.labels,
        until=asked.until,
        by=_words(asked.by, MAX_BY, "who acknowledges it"),
        why=_words(asked.why, MAX_WHY, "why, such as what is being done"),
    )


def _check_end(what: str, end: float, now: float) -> None:
    if not end > now:
        raise SilenceError(f"{what} would have ended already; write an end in the future")
    if end - now > MAX_SECONDS:
        raise SilenceError(f"{what} would last longer than a year; change the rule instead")


def _words(text: str, most: int, what: str) -> str:
    """Return ``text`` on one line; what cannot be shown or stored becomes a space."""
    shown = "".join(each if each.isprintable() else " " for each in text.encode("utf-8", "replace").decode())
    line = " ".join(shown.split())
    if not line:
        raise SilenceError(f"write {what}")
    if len(line) > most:
        raise SilenceError(f"write {what} in at most {most} characters")
    return line
