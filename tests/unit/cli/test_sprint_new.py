"""``slo-guard sprint new``: the next sprint's rules in one command, with comments and order as people wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from slo_guard.cli import group
from slo_guard.rulebook import load_rules

SPRINT = """\
version: 1
sprint: sprint-40
title: "Sprint 40"
timezone: America/Denver
start: 2026-07-06
end: "2026-07-17" # included
"""
LANE = """\
version: 1
sprint: sprint-40
lane: fs-v2
defaults: {severity: ticket}
kpis:
  # The memo comes first.
  - {kpi: memo, indicator: memo, objective: {is: true}, due: 2026-07-06T17:00}
  - kpi: sources
    indicator: sources
    objective: {between: [2, 3]}
    due: sprint_end
    checkpoint: '2026-07-10'
    exclude:
      - {from: 2026-07-08, to: 2026-07-08, reason: "moved since 2026-07-08", by: Ana}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules" / "sprint-40"
    (folder / "lanes").mkdir(parents=True)
    (folder / "sprint.yaml").write_text(SPRINT)
    (folder / "lanes" / "fs.yaml").write_text(LANE)
    return folder


def run(*arguments: object):
    return CliRunner().invoke(group, ["sprint", "new", *map(str, arguments)])


def test_every_date_is_moved_and_all_else_stays(rules: Path):
    """People copy a folder and forget a date; a due time in the past would page at once."""
    result = run("sprint-41", "--from", rules, "--start", "2026-07-20")

    folder = rules.parent / "sprint-41"
    assert result.exit_code == 0, result.output
    assert (folder / "sprint.yaml").read_text() == SPRINT.replace("sprint-40", "sprint-41").replace(
        "2026-07-06", "2026-07-20"
    ).replace("2026-07-17", "2026-07-31")
    lane = (folder / "lanes" / "fs.yaml").read_text()
    assert lane == LANE.replace("sprint-40", "sprint-41").replace("2026-07-06T17:00", "2026-07-20T17:00").replace(
        "'2026-07-10'", "'2026-07-24'"
    ).replace("from: 2026-07-08, to: 2026-07-08", "from: 2026-07-22, to: 2026-07-22")
    assert "kpis[1].checkpoint: 2026-07-10 -> 2026-07-24" in result.output
    assert "an exclusion was moved as well" in result.output


def test_the_new_rules_load_beside_the_old_ones(rules: Path):
    """Both sprints run in one daemon, so that what fires goes over."""
    run("sprint-41", "--from", rules, "--start", "2026-07-20")

    loaded = load_rules([rules.parent], None)

    assert loaded.plan is not None, loaded.findings
    assert sorted(loaded.plan.sprints) == ["sprint-40", "sprint-41"]
    assert loaded.plan.sprints["sprint-40"].end_at < loaded.plan.sprints["sprint-41"].start_at


def test_the_shipped_rules_make_a_next_sprint(tmp_path: Path):
    """The README's chapter is true as typed."""
    shipped = Path(__file__).parents[3] / "rules" / "sprint-40"

    result = run("sprint-41", "--from", shipped, "--start", "2026-07-20", "--to", tmp_path / "sprint-41")

    assert result.exit_code == 0, result.output
    assert load_rules([tmp_path / "sprint-41"], None).plan is not None


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("sprint-41", "--start", "soon"), 2, "'soon' is not a date; write one such as 2026-07-10"),
        (("sprint-40", "--start", "2026-07-20"), 2, "is the name of the sprint in"),
        (("../x", "--start", "2026-07-20"), 2, "will not do; write a name such as sprint-41"),
    ],
)
def test_wrong_use_says_what_to_write(rules: Path, arguments: tuple[str, ...], code: int, says: str):
    """A typing mistake must not write anywhere."""
    result = run(*arguments, "--from", rules)

    assert result.exit_code == code
    assert says in " ".join(result.output.split())
    assert [path.name for path in rules.parent.iterdir()] == ["sprint-40"]


def test_a_folder_that_is_there_is_not_written_over(rules: Path):
    """Somebody may have begun with it by hand."""
    (rules.parent / "sprint-41").mkdir()
    (rules.parent / "sprint-41" / "mine.yaml").write_text("version: 1\n")

    result = run("sprint-41", "--from", rules, "--start", "2026-07-20")

    assert result.exit_code == 1
    assert (rules.parent / "sprint-41" / "mine.yaml").read_text() == "version: 1\n"


def test_a_folder_without_a_sprint_is_refused(tmp_path: Path):
    """Dates can only be moved from a known start."""
    (tmp_path / "lane.yaml").write_text(LANE)

    result = run("sprint-41", "--from", tmp_path, "--start", "2026-07-20")

    assert result.exit_code == 1
    assert isinstance(result.exception, Exception)
    assert "no file states a sprint" in str(result.exception)
