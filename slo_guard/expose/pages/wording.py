"""Verdicts, objectives and reasons as the pages print them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote, urlencode, urlsplit

from slo_guard.domain.alerts import AlertKey, AlertKind
from slo_guard.domain.kpi import KPI, Objective, Op
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import Reason, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.evaluate.comparison_words import distance_words
from slo_guard.expose.answers import reason_text

_GLYPHS = {
    Verdict.MET: "✓",
    Verdict.AT_RISK: "!",
    Verdict.MISSED: "✕",
    Verdict.NOT_DUE: "○",
    Verdict.INSUFFICIENT: "~",
    Verdict.NO_DATA: "?",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.TRACKED: "·",
}
_KINDS = {AlertKind.RISK: "at risk", AlertKind.BURN: "burn rate"}
_ONE_SIDED = (Op.AT_MOST, Op.BELOW, Op.AT_LEAST, Op.ABOVE)


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict, or another state, as word, sign and colour class: never as colour alone."""

    word: str
    glyph: str
    css: str


UNJUDGED = Badge("not judged yet", "·", "tracked")


def badge(verdict: Verdict) -> Badge:
    """Return a verdict's word, sign and colour class."""
    return Badge(verdict.label.replace("_", " "), _GLYPHS[verdict], verdict.label.replace("_", "-"))


def objective_words(objective: Objective | None) -> str:
    """Return an objective for people: ``at most 1.16s``; ``tracked only`` for None."""
    if objective is None:
        return "tracked only"
    return objective.text.replace("_", " ", 1)


def objective_judged(kpi: KPI, frame: VerdictFrame | None) -> str:
    """Return the objective beside a verdict: of one that is final the one that it was judged by."""
    if frame is None or frame.seal is None or frame.seal.objective is None:
        return objective_words(kpi.objective)
    return frame.seal.objective.replace("_", " ", 1)


def why_words(row: SeriesVerdict) -> str:
    """Return why a series is judged as it is: the reason in words, and how far its value is from the bound."""
    objective, value, note = row.kpi.objective, row.value, proof_of(row)[0]
    if row.reason is Reason.OBJECTIVE_MET and note and row.kpi.type is IndicatorType.BOOL:
        return note
    plain = row.reason in (Reason.OBJECTIVE_MET, Reason.OBJECTIVE_MISSED)
    if not plain or objective is None or objective.op not in _ONE_SIDED or value is None:
        return reason_text(row.reason, note)
    distance = distance_words(value - objective.bound, row.kpi.unit)
    if row.verdict is Verdict.MET:
        return f"{distance} to spare" + (f"; {note}" if note else "")
    side = "above" if value > objective.bound else "below"
    words = f"{row.reason.sentence}: {distance} {side}" if value != objective.bound else row.reason.sentence
    return words + (f"; {note}" if note else "")


def proof_of(row: SeriesVerdict) -> tuple[str | None, str | None]:
    """Return a series' note without the address of the proof that stands at its end, and that address."""
    rest, comma, last = (row.note or "").rpartition(", ")
    link = web_link(last) if comma else None
    return (rest, link) if link else (row.note, None)


def counts_words(counts: dict[Verdict, int]) -> str:
    """Return verdicts counted: ``1 missed, 2 met``."""
    return ", ".join(f"{count:,} {verdict.label.replace('_', ' ')}" for verdict, count in counts.items())


def kind_words(key: AlertKey) -> str:
    """Return what kind of alert it is where it is not that of a breach: ``at risk``, ``burn rate 1h/5m``."""
    return f"{_KINDS.get(key.kind, '')} {key.tier}".strip()


def place_words(kpi: KPI) -> str:
    """Return where in the rule files a KPI stands, by folder and file: ``rules/ga-ops.yaml:8``."""
    return f"{'/'.join(PurePath(kpi.place.file).parts[-2:])}:{kpi.place.line}" if kpi.place else ""


def web_link(url: str | None) -> str | None:
    """Return ``url`` if a page may link to it (http or https), else None."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def kpi_path(sprint: str, kpi: str) -> str:
    """Return the path of the page of a KPI."""
    return f"/kpis/{quote(kpi, safe='')}?{urlencode({'sprint': sprint})}"


def anchor(sprint: str, kpi: str) -> str:
    """Return the id by which the board's address leads to a KPI."""
    return f"kpi-{sprint}-{kpi}"
