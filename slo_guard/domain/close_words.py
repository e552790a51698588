"""A sprint's end, and targets that changed in it, in lines beside a KPI's verdict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import Restatement, Verdict, VerdictFrame

_LINES_SHOWN = 5
_DIGEST_SHOWN = 12


def seal_words(frame: VerdictFrame | None) -> str:
    """Return the digests of a final verdict in short: ``inputs 1a2b3c4d5e6f, rule 5e6f7a8b9c0d``."""
    if frame is None or frame.seal is None:
        return ""
    return f"inputs {frame.seal.inputs_digest[:_DIGEST_SHOWN]}, rule {frame.seal.rule_digest[:_DIGEST_SHOWN]}"


def target_lines(frame: VerdictFrame | None, when: Callable[[float], str]) -> tuple[str, ...]:
    """Return a line for each change of a rule in mid-sprint, and one for the verdict by the first target."""
    targets = None if frame is None else frame.targets
    if targets is None:
        return ()
    lines = _shortened([each.in_words(when(each.at)) for each in targets.changes])
    if targets.verdict is not None and targets.objective is not None:
        first, verdict = targets.objective.replace("_", " ", 1), _word(targets.verdict)
        lines.append(f"by the original target, {first}: {verdict}")
    return tuple(lines)


def restated_lines(
    frame: VerdictFrame | None, when: Callable[[float], str], value: Callable[[float | None], str]
) -> tuple[str, ...]:
    """Return a line for each series that later data would change: ``restated: met 104 (as of …), final: missed 98``."""
    restated = None if frame is None else frame.restatement
    if frame is None or restated is None:
        return ()
    rows = restated.differing(frame)
    return tuple(_shortened([_line(frame, restated, row, when, value) for row in rows]))


def _line(
    frame: VerdictFrame,
    restated: Restatement,
    row: int,
    when: Callable[[float], str],
    value: Callable[[float | None], str],
) -> str:
    labels = restated.index.label_sets[row]
    said = _said(restated.verdict[row], restated.value[row], value)
    line = f"{_where(labels)}restated: {said} (as of {when(restated.at)})"
    position = frame.index.positions.get(labels)
    if position is None:
        return f"{line}, not there at the close"
    return f"{line}, final: {_said(frame.verdict[position], frame.value[position], value)}"


def _where(labels: LabelSet) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels) + ": " if labels else ""


def _said(verdict: np.int8, value: np.float64, words: Callable[[float | None], str]) -> str:
    word = _word(Verdict(int(verdict)))
    return word if np.isnan(value) else f"{word} {words(float(value))}"


def _word(verdict: Verdict) -> str:
    return verdict.label.replace("_", " ")


def _shortened(lines: list[str]) -> list[str]:
    hidden = len(lines) - _LINES_SHOWN
    return lines if hidden <= 0 else [*lines[:_LINES_SHOWN], f"and {hidden:,} more"]
