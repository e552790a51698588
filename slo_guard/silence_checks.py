"""Whether a silence or an acknowledgement can mean anything here: slips that would otherwise show only at night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from slo_guard.domain.alerts import Alert
from slo_guard.domain.kpi import KPI, MatchOp, Plan
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.domain.silences import OWN_LABELS, Matcher, NewSilence, labels_of
from slo_guard.domain.verdicts import AlertState
from slo_guard.errors import SilenceError
from slo_guard.validation import nearest

_MOST_NAMED = 5


def why_it_matches_nothing(matchers: Iterable[Matcher], plan: Plan) -> str | None:
    """Return why no alert of ``plan`` can meet the ``matchers``, and what was probably meant; None where one can.

    Only names that the rules fix are judged: sprints, lanes, KPIs and the names of labels.
    """
    known = {
        "kpi": {kpi.id for kpi in plan.kpis},
        "lane": {kpi.lane for kpi in plan.kpis},
        "sprint": {kpi.sprint for kpi in plan.kpis},
    }
    names = {*OWN_LABELS, *(label for kpi in plan.kpis for label in kpi.by)}
    for matcher in matchers:
        values = known.get(matcher.label)
        if matcher.label not in names:
            return f"no alert has the label {matcher.label!r}{nearest(matcher.label, names)}"
        if values is None or any(matcher.matches({matcher.label: value}) for value in values):
            continue
        if matcher.how is not MatchOp.EQUAL:
            return f"{matcher} matches no {matcher.label} of the rules"
        return f"no {matcher.label} is called {matcher.value!r}{nearest(matcher.value, values - {''})}"
    return None


def unseen_values(matchers: Iterable[Matcher], indexes: Iterable[SeriesIndex]) -> list[str]:
    """Return for each matcher on a label's value that no series has now what was perhaps meant: it may yet come."""
    found, seen = [], tuple(dict.fromkeys(indexes))
    for matcher in matchers:
        if matcher.label in OWN_LABELS or matcher.how is not MatchOp.EQUAL or not matcher.value:
            continue
        values = {value for index in seen for value in index.values_of(matcher.label)}
        if matcher.value not in values:
            found.append(f"no series has {matcher} now{nearest(matcher.value, values)}")
    return found


def kept_back_by(silence: NewSilence, alerts: Iterable[Alert], plan: Plan) -> list[Alert]:
    """Return those of ``alerts`` that fire and that ``silence`` matches, ordered by KPI and labels."""
    rules = {(kpi.sprint, kpi.id): kpi for kpi in plan.kpis}
    firing = (each for each in alerts if each.state is AlertState.FIRING)
    found = [each for each in firing if silence.silences(labels_of(each.key, rules.get(_rule_of(each))))]
    return sorted(found, key=lambda each: (each.key.kpi, each.key.labels, each.key.slot))


def series_meant(kpi: KPI, given: Mapping[str, str], alerts: Iterable[Alert]) -> LabelSet | None:
    """Return the series of ``kpi`` that is acknowledged by the labels ``given``; None for all, without labels.

    Raises ``SilenceError`` when nothing of it fires, or the labels do not name one series that does.
    """
    ours = [each for each in alerts if each.state is AlertState.FIRING and _rule_of(each) == (kpi.sprint, kpi.id)]
    if not ours:
        raise SilenceError(f"{kpi.id} does not fire, so there is nothing to acknowledge")
    if not given:
        return None
    series = sorted({each.key.labels for each in ours})
    found = [labels for labels in series if given.items() <= dict(labels).items()]
    if len(found) == 1:
        return found[0]
    asked = _words(tuple(given.items()))
    if found:
        raise SilenceError(f"{asked} is more than one series of {kpi.id}: {_listed(found)}; name one, or none for all")
    raise SilenceError(f"{kpi.id} does not fire for {asked}; it does for {_listed(series)}")


def _rule_of(alert: Alert) -> tuple[str, str]:
    return alert.key.sprint, alert.key.kpi


def _listed(series: Sequence[LabelSet]) -> str:
    more = len(series) - _MOST_NAMED
    words = [_words(labels) or "its one series" for labels in series[:_MOST_NAMED]]
    return "; ".join(words) + (f" and {more:,} more" if more > 0 else "")


def _words(labels: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(f"{name}={value}".split()) for name, value in labels)
