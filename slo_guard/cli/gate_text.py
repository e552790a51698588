"""A go/no-go as a table, and as Markdown for a release's papers."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from slo_guard.cli.explain_text import VERDICT_STYLES
from slo_guard.cli.recorded import table, table_console
from slo_guard.domain.calendar import local_text
from slo_guard.domain.gates import Gate, GateItem, GateOutcome
from slo_guard.domain.verdicts import Verdict

_STYLES = {GateOutcome.GO: "green", GateOutcome.UNDECIDED: "yellow", GateOutcome.NO_GO: "bold red"}
_COLUMNS = ("KPI", "gate", "verdict", "value", "objective", "evidence", "missing", "owner", "lane")


def print_gate(gate: Gate) -> None:
    """Print the table, if there is anything to decide by, and below it what is decided."""
    rows = table(_title(gate), *_COLUMNS)
    for item in gate.items:
        rows.add_row(
            Text.assemble(item.kpi.title or item.kpi.id, "\n", (item.kpi.id, "dim")),
            Text(item.outcome.label, style=_STYLES[item.outcome]),
            Text(_verdict(item.verdict), style=VERDICT_STYLES.get(item.verdict, "") if item.verdict else ""),
            Text(item.value),
            Text(item.objective or "none"),
            Text("\n".join((*item.evidence, *item.remarks))),
            Text("\n".join(item.missing)),
            Text(item.kpi.owner),
            Text(item.kpi.lane),
        )
    console = table_console()
    console.print(rows if gate.items else Text(_title(gate)))
    console.print(Text.assemble((gate.outcome.label.upper(), _STYLES[gate.outcome]), f": {gate.reason}"))


def gate_markdown(gate: Gate) -> str:
    """Return the table in GitHub's Markdown, under a heading that says what is decided."""
    return "\n".join([*_markdown(gate), ""])


def _title(gate: Gate) -> str:
    how = ", as it closed" if gate.final else ""
    return f"Go/no-go of {gate.sprint.title or gate.sprint.id} at {local_text(gate.at, gate.sprint.timezone)}{how}"


def _markdown(gate: Gate) -> Iterator[str]:
    yield f"## {_plain(gate.sprint.title or gate.sprint.id)}: **{gate.outcome.label}**"
    yield ""
    how = ", as it closed" if gate.final else ""
    yield f"{_plain(gate.reason)}. As of {local_text(gate.at, gate.sprint.timezone)}{how}."
    if not gate.items:
        return
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    for item in gate.items:
        yield f"| {' | '.join(_cells(item))} |"


def _cells(item: GateItem) -> Iterator[str]:
    yield f"{_plain(item.kpi.title or item.kpi.id)}<br>`{item.kpi.id}`"
    yield item.outcome.label if item.outcome is GateOutcome.GO else f"**{item.outcome.label}**"
    yield _verdict(item.verdict)
    yield _plain(item.value)
    yield _plain(item.objective or "none")
    for lines in ((*item.evidence, *item.remarks), item.missing):
        yield "<br>".join(_plain(line) for line in lines)
    yield _plain(item.kpi.owner)
    yield _plain(item.kpi.lane)


def _plain(text: str) -> str:
    """Return ``text`` such that Markdown takes it for text: no column, no element and no emphasis begins in it."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{each}" if each in "\\|*`[]" else each for each in escaped)


def _verdict(verdict: Verdict | None) -> str:
    return "not judged" if verdict is None else verdict.label.replace("_", " ")
