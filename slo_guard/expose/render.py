"""KPI series as Prometheus text, rendered once a cycle behind label text that is kept between cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.kpi import KPI, Objective, Op, Severity, Sprint
from slo_guard.domain.readings import FloatArray
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.domain.verdicts import AlertState, Verdict, VerdictFrame
from slo_guard.expose.facts import fact_families
from slo_guard.expose.metrics_page import MetricsPage, Part
from slo_guard.expose.metrics_text import escape, labels_text, numbers_text
from slo_guard.units import window_text

# Inside a block a line begins with its newline, so that a block is one join of (name, labels, number) triples.
_VALUE, _TARGET, _BREACHED = b"\nslo_guard_kpi_value", b"\nslo_guard_kpi_target", b"\nslo_guard_kpi_breached"
_BURN_RATE, _REMAINING = b"\nslo_guard_burn_rate", b"\nslo_guard_error_budget_remaining_ratio"
_BURN_ALARM, _LINE = b"\nslo_guard_burn_alarm_seconds_total", b"\nslo_guard_kpi_pace_line"
_COVERAGE, _VERDICT, _ALERTS = b"\nslo_guard_kpi_coverage_ratio", b"\nslo_guard_kpi_verdict", b"\nslo_guard_alerts"

_HELP = {
    _VALUE: "What the KPI measures, in base units (seconds, ratios, bytes, counts). Absent without data.",
    _TARGET: "The bounds of the KPI: of its objective, and of warn and resolve where the rule has them.",
    _BREACHED: "1 while the verdict is missed, else 0. A 0 is not proof of health, see slo_guard_kpi_verdict.",
    _COVERAGE: "Observed share of the window so far, 0 to 1. Absent where the measure has no window.",
    _LINE: "Where the KPI's pace wants its value to be now: a goal's line, or the ideal line of a burndown.",
    _VERDICT: "The KPI's worst verdict over its series: 1 for the one that holds, 0 for the others.",
    _BURN_RATE: "How fast the error budget goes over a window: 1 spends exactly all of it. Absent without events.",
    _REMAINING: "Part of the error budget so far that is left: 1 for all of it, negative beyond it.",
    _BURN_ALARM: "Time within the sprint during which a burn alert that pages fired.",
    _ALERTS: "Number of alerts of the KPI by severity and state.",
}


class KpiRenderer:
    """Renders verdict frames to text, keeping what does not change; one instance, called by one thread.

    What it keeps is right because frames and their arrays are immutable once published, and because an index
    is the same object for as long as the label sets are the same.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _KpiBlocks] = {}

    def render(
        self,
        frames: Sequence[VerdictFrame],
        alerts: Mapping[AlertKey, Alert],
        kpis: Iterable[KPI] = (),
        burn_alarm_seconds: Mapping[str, float] | None = None,
        sprints: Iterable[Sprint] = (),
    ) -> MetricsPage:
        """Return the page's KPI part (ends with a newline), each family in the order of ``frames``.

        A frame for each (sprint, KPI). ``kpis`` names those that may have alerts but no frame yet. A series
        without a value has no value line. Alerts of KPIs that are in neither are not counted: their lane is unknown.
        ``burn_alarm_seconds``: by sprint, of those that have burn alerts; ``sprints``: those whose dates are told.
        """
        kept: dict[tuple[str, str], _KpiBlocks] = {}
        for frame in frames:
            key = (frame.kpi.sprint, frame.kpi.id)
            blocks = self._kept.get(key)
            if blocks is None or not blocks.fit(frame):
                blocks = _KpiBlocks(frame.kpi, frame.index)
            blocks.update(frame)
            kept[key] = blocks
        self._kept = kept
        guarded = {(kpi.sprint, kpi.id): kpi for kpi in kpis} | {key: kept[key].kpi for key in kept}
        families: list[tuple[bytes, list[Part]]] = [
            (_VALUE, [blocks.value for blocks in kept.values()]),
            (_TARGET, [blocks.target for blocks in kept.values()]),
            (_BREACHED, [blocks.breached for blocks in kept.values()]),
            (_COVERAGE, [blocks.coverage for blocks in kept.values()]),
            (_VERDICT, [blocks.verdict for blocks in kept.values()]),
            (_ALERTS, [_alert_lines(guarded, alerts)]),
        ]
        budgets = [blocks for blocks in kept.values() if blocks.kpi.error_budget is not None]
        if budgets:
            families += [
                (_BURN_RATE, [blocks.burn_rate for blocks in budgets]),
                (_REMAINING, [blocks.remaining for blocks in budgets]),
            ]
        paced: list[Part] = [blocks.line for blocks in kept.values() if blocks.kpi.pace is not None]
        if paced:
            families.append((_LINE, paced))
        if burn_alarm_seconds:
            families.append((_BURN_ALARM, [_burn_alarm_lines(burn_alarm_seconds)]))
        parts: list[Part] = []
        for name, blocks_of in families:
            parts.append(_head(name))
            parts += blocks_of
            parts.append(b"\n")
        parts.append(fact_families(guarded.values(), sprints))
        return MetricsPage(parts)


class _KpiBlocks:
    """One KPI's lines, a block a family, each rendered again only when what it shows has changed."""

    def __init__(self, kpi: KPI, index: SeriesIndex) -> None:
        self.kpi = kpi
        self.value = b""
        self.coverage = b""
        self.verdict = b""
        self.burn_rate = b""
        self.remaining = b""
        self.line = b""
        self._after_window: list[bytes] = []
        self._index = index
        self._frame: VerdictFrame | None = None
        own = f'{{sprint="{escape(kpi.sprint)}",lane="{escape(kpi.lane)}",kpi="{escape(kpi.id)}"'
        self._own_labels = own.encode("utf-8", "replace")
        # One text of labels serves all families: at 100,000 series a text each would be 13 MB more per family.
        self._labels = [labels_text(own, labels) for labels in index.label_sets]
        self.target = _target_lines(kpi, own, index, self._labels)
        # All lines of this family keep their length (the number is one digit), so that a cycle writes digits only.
        self.breached: Part = _lines(_BREACHED, self._labels, [b"0"] * len(index))
        sizes = np.fromiter(map(len, self._labels), dtype=np.int64, count=len(index)) + len(_BREACHED) + 1
        self._breached_digits = np.cumsum(sizes) - 1
        self._verdict_texts: dict[Verdict, bytes] = {}

    def fit(self, frame: VerdictFrame) -> bool:
        """Whether these blocks can show ``frame``: the same rows, and the same rule."""
        return frame.index is self._index and (frame.kpi is self.kpi or frame.kpi == self.kpi)

    def update(self, frame: VerdictFrame) -> None:
        """Render again what differs from the frame shown last."""
        last = self._frame
        if frame is last:
            return
        if last is None or not _same(frame.value, last.value):
            self.value = _number_lines(_VALUE, self._labels, frame.value)
        if last is None or not _same(frame.coverage, last.coverage):
            self.coverage = _number_lines(_COVERAGE, self._labels, frame.coverage)
        if last is None or not np.array_equal(frame.verdict, last.verdict):
            # A copy: a scrape may still be sending the text of the last cycle.
            text = np.frombuffer(self.breached, dtype=np.uint8).copy()
            text[self._breached_digits] = ord("0") + (frame.verdict == Verdict.MISSED)
            self.breached = text.data
            self.verdict = self._state_set(frame.worst)
        if self.kpi.error_budget is not None:
            self._update_budget(frame.budget)
        if self.kpi.pace is not None:
            line = None if frame.outlook is None else frame.outlook.line
            self.line = b"" if line is None else _number_lines(_LINE, self._labels, line)
        self._frame = frame

    def _update_budget(self, budget: BudgetFrame | None) -> None:
        self.burn_rate = self.remaining = b""
        if budget is None:
            return
        self.remaining = _number_lines(_REMAINING, self._labels, budget.remaining)
        if not self._after_window:
            self._after_window = self._texts_after_window()
        # The window stands first: what follows it is one text a series, for all windows and cycles.
        self.burn_rate = b"".join(
            _number_lines(b'%b{window="%b",' % (_BURN_RATE, window_text(seconds).encode()), self._after_window, rates)
            for seconds, rates in zip(budget.windows.tolist(), budget.rates, strict=True)
        )

    def _texts_after_window(self) -> list[bytes]:
        texts: Sequence[bytes] = self._labels
        if "window" in self.kpi.by:
            # A label of the series that has the name moves aside, as Prometheus would move it.
            own = self._own_labels.decode()
            texts = [labels_text(own, _moved(labels, "window", self.kpi.by)) for labels in self._index.label_sets]
        return [text[1:] for text in texts]

    def _state_set(self, worst: Verdict) -> bytes:
        if worst not in self._verdict_texts:
            self._verdict_texts[worst] = b"".join(
                b'%b%b,verdict="%b"} %d' % (_VERDICT, self._own_labels, state.label.encode(), state is worst)
                for state in Verdict
            )
        return self._verdict_texts[worst]


def _head(name: bytes) -> bytes:
    metric = name[1:].decode()
    kind = "counter" if metric.endswith("_total") else "gauge"
    return f"# HELP {metric} {_HELP[name]}\n# TYPE {metric} {kind}".encode()


def _lines(name: bytes, labels: Sequence[bytes], numbers: Sequence[bytes]) -> bytes:
    parts = [name] * (3 * len(labels))
    parts[1::3] = labels
    parts[2::3] = numbers
    return b"".join(parts)


def _number_lines(name: bytes, labels: Sequence[bytes], values: FloatArray) -> bytes:
    absent: npt.NDArray[np.bool_] = np.isnan(values)
    if absent.any():
        labels, values = list(compress(labels, (~absent).tolist())), values[~absent]
    return _lines(name, labels, numbers_text(values))


def _same(left: FloatArray, right: FloatArray) -> bool:
    return left is right or np.array_equal(left, right, equal_nan=True)


def _target_lines(kpi: KPI, own: str, index: SeriesIndex, texts: Sequence[bytes]) -> bytes:
    if "bound" in kpi.by:
        # The series' own label of that name moves aside as Prometheus would move it; twice the same label in a
        # line would cost the scraper the whole page.
        texts = [labels_text(own, _moved(labels, "bound", kpi.by)) for labels in index.label_sets]
    return b"".join(
        _lines(_TARGET, [b'%b,bound="%b"} ' % (text[:-2], bound) for text in texts], [number] * len(texts))
        for bound, number in _bounds(kpi)
    )


def _moved(labels: LabelSet, name: str, by: Sequence[str]) -> list[tuple[str, str]]:
    free = f"exported_{name}"
    while free in by:
        free = f"exported_{free}"
    return [(free if label == name else label, value) for label, value in labels]


def _burn_alarm_lines(seconds: Mapping[str, float]) -> bytes:
    numbers = numbers_text(np.array(list(seconds.values())))
    return b"".join(
        b'%b{sprint="%b"} %b' % (_BURN_ALARM, escape(sprint).encode("utf-8", "replace"), number)
        for sprint, number in zip(seconds, numbers, strict=True)
    )


def _bounds(kpi: KPI) -> list[tuple[bytes, bytes]]:
    """Return the ``bound`` label and the number of each bound.

    The objective's own is named by its direction; those of warn and resolve by their role.
    """
    found = [] if kpi.objective is None else _sides(kpi.objective)
    for role, objective in (("warn", kpi.warn), ("resolve", kpi.resolve)):
        if objective is not None:
            sides = _sides(objective)
            found += [(role if len(sides) == 1 else f"{role}_{side}", bound) for side, bound in sides]
    numbers = numbers_text(np.array([bound for _, bound in found]))
    return [(name.encode(), number) for (name, _), number in zip(found, numbers, strict=True)]


def _sides(objective: Objective) -> list[tuple[str, float]]:
    if objective.op is Op.BETWEEN:
        assert objective.upper is not None
        return [(Op.AT_LEAST.value, objective.bound), (Op.AT_MOST.value, objective.upper)]
    return [(objective.op.value, objective.bound)]


def _severities(kpi: KPI) -> set[Severity]:
    """Return the severities that the KPI's alerts can have."""
    found = {kpi.severity}
    if kpi.warn is not None or kpi.checkpoint_at is not None:
        found.add(kpi.warn_severity)
    if kpi.error_budget is not None:
        found |= {pair.severity for pair in kpi.error_budget.burn_alerts}
    return found - {Severity.NONE}


def _alert_lines(kpis: Mapping[tuple[str, str], KPI], alerts: Mapping[AlertKey, Alert]) -> bytes:
    tallies: dict[tuple[str, str, Severity], list[int]] = {}
    for key, alert in alerts.items():
        rule = kpis.get((key.sprint, key.kpi))
        if rule is not None:
            tally = tallies.setdefault((key.sprint, key.kpi, key.slot.severity(rule)), [0, 0])
            tally[alert.state is AlertState.FIRING] += 1
    # The labels do not name the sprint, so that KPIs of one id in two sprints share their lines.
    counts: dict[tuple[str, str, Severity], list[int]] = {}
    for (sprint, name), kpi in kpis.items():
        for severity in Severity:
            numbers = tallies.get((sprint, name, severity))
            if numbers is not None or severity in _severities(kpi):
                total = counts.setdefault((kpi.id, kpi.lane, severity), [0, 0])
                total[0] += numbers[0] if numbers is not None else 0
                total[1] += numbers[1] if numbers is not None else 0
    return b"".join(
        f'{_ALERTS.decode()}{{kpi="{escape(kpi)}",lane="{escape(lane)}",severity="{severity}",'
        f'alertstate="{state}"}} {number}'.encode()
        for (kpi, lane, severity), numbers in counts.items()
        for state, number in zip(("pending", "firing"), numbers, strict=True)
    )
