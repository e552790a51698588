"""What the pages say there is, there is, and the other way round: commands, fields and metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from slo_guard.cli import group
from slo_guard.cli.schema import schema
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.notifications import NotificationReason, NotToldReason, RowState
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.expose.own_metrics import HeartbeatOutcome, OwnMetrics
from slo_guard.vitals import Part
from tests.docs.fences import fences

ROOT = Path(__file__).parents[2]
COMMANDS_PAGE = (ROOT / "deploy/commands.md").read_text(encoding="utf-8")
METRICS_PAGE = (ROOT / "deploy/metrics.md").read_text(encoding="utf-8")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]
}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by the words that call it."""
    pending: list[tuple[str, click.Command]] = [("slo-guard", group)]
    while pending:
        words, command = pending.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                pending.append((f"{words} {name}", found))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield words, command


COMMANDS = dict(commands())
COMMANDS.pop("slo-guard", None)
SHORTER = {"slo-guard ack": COMMANDS["slo-guard ack add"]}
"""What may be left out: `slo-guard ack KPI` is `slo-guard ack add KPI`."""


def options(command: click.Command) -> set[str]:
    """Return the long options of a command; the page says once for all what ``--config`` is."""
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts) if name.startswith("--")} - {
        "--config"
    }


def said_of(words: str) -> str:
    """Return the lines of the table of commands that show ``words``."""
    rows = [line for line in COMMANDS_PAGE.splitlines() if line.startswith("| `slo-guard ")]
    return "\n".join(row for row in rows if re.match(rf"\| `{words}(?= |`)", row))


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_command_and_its_options_are_in_the_table_of_commands(words: str) -> None:
    """What is not there nobody finds."""
    said = said_of(words)

    assert said, f"deploy/commands.md lacks {words}"
    missing = {option for option in options(COMMANDS[words]) if not re.search(rf"{option}(?![a-z-])", said)}
    assert not missing, f"deploy/commands.md's row of {words} lacks {', '.join(sorted(missing))}"


def test_every_command_in_the_pages_exists_with_its_options() -> None:
    """Nobody copies a line that does not work."""
    wrong = []
    for name, page in PAGES.items():
        for call in re.findall(r"(?<!-n )slo-guard (?!slo-guard)[a-z][^`\n|;&>)]*", page):
            known = [words for words in (*COMMANDS, *SHORTER) if re.match(rf"{words}(?![a-z-])", call)]
            if not known:
                if not re.match(r"slo-guard (command|and|as|is)\b", call):
                    wrong.append(f"{name}: {call}")
                continue
            given = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", call.partition(" #")[0]))
            known_options = set().union(*(options({**SHORTER, **COMMANDS}[words]) for words in known)) | {
                "--config",
                "--help",
                "--version",
            }
            wrong += [f"{name}: {call}: {option}" for option in given - known_options]

    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "file"),
    [("config", "config/reference.md"), ("rules", "rules/reference.md"), ("tests", "rules/tests-reference.md")],
)
def test_the_reference_has_every_field_that_is_read(kind: str, file: str) -> None:
    """The tables are written by `make reference`; one that was forgotten would describe another version."""
    written = CliRunner().invoke(schema, [kind, "--format", "markdown"], catch_exceptions=False).stdout

    assert (ROOT / file).read_text(encoding="utf-8") == written, f"{file} is out of date: make reference"


def metrics() -> set[str]:
    """Return the names of all metrics that slo_guard shows, those of its process apart."""
    own = OwnMetrics()
    own.expect_heartbeat(expected=True)
    own.heartbeat(HeartbeatOutcome.SENT, 0.0)
    shown = re.findall(r"^# TYPE (\S+)", own.render().decode(), re.MULTILINE)
    texts = [(ROOT / "slo_guard" / "expose" / name).read_text(encoding="utf-8") for name in ("render.py", "facts.py")]
    rendered = [name for text in texts for name in re.findall(r'"(?:\\n)?(slo_guard_[a-z_]+)"', text)]
    return {name for name in (*shown, *rendered) if name.startswith("slo_guard_")}


def test_every_metric_is_in_the_table_of_metrics_and_the_other_way_round() -> None:
    """Dashboards are built from these names."""
    said = set(re.findall(r"slo_guard_[a-z_]+(?=[`{])", METRICS_PAGE)) - {BURN_ALARM}

    assert said == metrics()


def words_in_use() -> set[str]:
    """Return the words that rules, config, verdicts, decisions, metrics, log lines and answers have."""
    enums = (Reason, NotToldReason, NotificationReason, RowState, AlertState, Verdict, AlertKind)
    words = {str(getattr(each, "label", each.value)) for enum in enums for each in enum}
    words |= {f"{part.value}_stalled" for part in Part} | {
        f"{step}_ms" for step in ("store", "evaluate", "plan", "render")
    }
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in ("config/reference.md", "rules/reference.md")]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "slo_guard").rglob("*.py")]
    return words | metrics() | {BURN_ALARM}.union(*(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text) for text in texts))


OF_OTHERS = {"quantile_over_time"}
"""Words that are Prometheus's."""


@pytest.mark.parametrize("page", ["README.md", "config/README.md", "deploy/operations.md", "rules/README.md"])
def test_every_name_in_the_prose_is_one_that_is_used(page: str) -> None:
    """A reason that no log and no page ever shows leads nowhere whoever searches for it."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"))
    said = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", prose))

    assert said - words_in_use() - OF_OTHERS == set()


def test_every_page_that_is_linked_to_is_there() -> None:
    """Links within the repository break silently."""
    broken: list[str] = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/README.md")]:
        text = path.read_text(encoding="utf-8")
        targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
        broken += [f"{path.relative_to(ROOT)}: {each}" for each in targets if not (path.parent / each).exists()]

    assert broken == []
    assert fences(ROOT / "README.md")
