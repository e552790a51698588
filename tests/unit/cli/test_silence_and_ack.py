"""``slo-guard silence`` and ``slo-guard ack`` over a real store, beside a daemon and without one."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from slo_guard.cli.ack import ack
from slo_guard.cli.silence import silence
from slo_guard.clock import iso
from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.store import open_store
from tests.unit.cli.test_explain_and_gate import CONFIG, START, lived, minutes, run, slow_from_minute_two

NOW = START + 430
WHO = ("--by", "Ada", "--why", "a new gateway")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have a daemon live for eight minutes, with ``fs`` slow from minute 2 on and firing from minute 4 on."""
    return lived(tmp_path_factory.mktemp("silences"), *minutes(8), at=slow_from_minute_two).parent


@pytest.fixture
def config(once: Path, tmp_path: Path) -> Path:
    """Return the config of that daemon, over a store of the test's own."""
    shutil.copytree(once, tmp_path / "its")
    return tmp_path / "its" / "slo-guard.yaml"


def ok(command: Any, *arguments: object, at: float = NOW) -> str:
    result = run(command, *arguments, at=at)
    assert result.exit_code == 0, result.output
    return result.stdout


def kept(config: Path) -> tuple[tuple[Silence, ...], tuple[Acknowledgement, ...]]:
    with closing(open_store(config.parent / "slo-guard.db")) as store:
        return store.silences(), store.acknowledgements()


class TestSilence:
    """Typed in a hurry, before something is taken down."""

    def test_adding_one_says_what_it_does(self, config: Path) -> None:
        """Its number, its end, and that it meets the alert that rings."""
        said = ok(silence, "add", "kpi=ga_e2e_p95", "system=~fs|xai", "--for", "2h", *WHO, "--config", config)

        [added] = kept(config)[0]
        assert (added.starts_at, added.ends_at, added.by, added.why) == (NOW, NOW + 7200, "Ada", "a new gateway")
        assert said.splitlines() == [
            f"silence 1 from {iso(NOW)} until {iso(NOW + 7200)}, 2h; the daemon honours it at its next evaluation",
            "firing now and silenced by it: ga_e2e_p95 system=fs (breach)",
        ]

    def test_one_for_later(self, config: Path) -> None:
        """Maintenance is announced the day before."""
        said = ok(
            silence,
            "add",
            "lane=ga-ops",
            "--starts",
            iso(NOW + 60),
            "--until",
            iso(NOW + 120),
            *WHO,
            "--config",
            config,
        )

        assert said.startswith(f"silence 1 from {iso(NOW + 60)} until {iso(NOW + 120)}, 1m")
        assert (
            json.loads(ok(silence, "list", "--format", "json", "--config", config))["silences"][0]["state"] == "pending"
        )

    def test_it_may_be_added_before_a_daemon_has_ever_run(self, tmp_path: Path, once: Path) -> None:
        """The first start is maintenance, too."""
        config = tmp_path / "slo-guard.yaml"
        config.write_text(CONFIG.replace("[rules]", f"[{once}/rules]"))

        said = ok(silence, "add", "kpi=drill", "--for", "1h", *WHO, "--config", config)

        assert "no daemon seems to run: it counts once one does" in said
        assert "nothing that it matches fires now" in said
        assert len(kept(config)[0]) == 1

    def test_the_list_shows_who_until_when_why_and_what_it_keeps_quiet(self, config: Path) -> None:
        """One look says whether somebody has muted too much."""
        ok(silence, "add", "kpi=ga_e2e_p95", "--for", "2h", *WHO, "--config", config)

        shown = run(silence, "list", "--config", config, at=NOW + 60)
        [row] = [line for line in shown.stdout.splitlines() if "kpi=ga_e2e_p95" in line]

        assert row.split() == [
            "1", "active", "kpi=ga_e2e_p95", iso(NOW), iso(NOW + 7200), "1h", "59m", "1", "Ada", "a", "new", "gateway",
        ]  # fmt: skip

    def test_what_has_ended_is_listed_on_demand(self, config: Path) -> None:
        """An empty list must say that it is empty, not nothing."""
        ok(silence, "add", "kpi=drill", "--for", "1m", *WHO, "--config", config)

        empty = run(silence, "list", "--config", config, at=NOW + 60)
        found = json.loads(ok(silence, "list", "--all", "--format", "json", "--config", config, at=NOW + 60))

        assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", "nothing is silenced\n")
        assert [each["state"] for each in found["silences"]] == ["expired"]

    def test_it_is_ended_before_its_time(self, config: Path) -> None:
        """The work is done sooner; a second hand learns that it was too late."""
        for kpi in ("ga_e2e_p95", "drill"):
            ok(silence, "add", f"kpi={kpi}", "--for", "2h", *WHO, "--config", config)

        said = ok(silence, "expire", 1, "--config", config)
        again = run(silence, "expire", 1, 2, "--config", config, at=NOW + 5)
        unknown = run(silence, "expire", 9, "--config", config)

        assert said == "ended: 1; the daemon honours it at its next evaluation\n"
        assert (again.exit_code, again.stdout.split(";")[0]) == (1, "ended: 2")
        assert again.stderr == f"silence 1 had ended already, at {iso(NOW)}\n"
        assert (unknown.exit_code, unknown.stderr.split(";")[0]) == (2, "there is no silence 9")
        assert [each.expired_at for each in kept(config)[0]] == [NOW, NOW + 5]

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["kpi=ga_e2e_p59", "--for", "2h"], "no kpi is called 'ga_e2e_p59'; did you mean 'ga_e2e_p95'?"),
            (["lane=gaops", "--for", "2h"], "no lane is called 'gaops'; did you mean 'ga-ops'?"),
            (["sytem=fs", "--for", "2h"], "no alert has the label 'sytem'; did you mean 'system'?"),
            (["kpi=~(", "--for", "2h"], "kpi: '(' is not a regular expression"),
            (["drill", "--for", "2h"], "'drill' is no matcher; write label=value"),
            (["kpi=drill", "--until", iso(NOW - 1)], "before it starts"),
            (["kpi=drill"], "write either --for, such as --for 2h, or --until"),
            (["kpi=drill", "--for", "2h", "--until", iso(NOW + 60)], "write either --for"),
            (["--for", "2h"], "write between 1 and 20 matchers"),
            (["kpi=drill", "--for", "2"], "2"),
            (["system=f\udcffs", "--for", "2h"], "'f\\udcffs' is not UTF-8 text"),
        ],
    )
    def test_a_slip_is_one_clear_line(self, config: Path, arguments: list[str], says: str) -> None:
        """What to write instead; nothing is silenced by half."""
        result = run(silence, "add", *arguments, *WHO, "--config", config, at=NOW)

        assert (result.exit_code, result.stdout) == (2, "")
        assert says in result.stderr
        assert "Traceback" not in result.stderr
        assert kept(config)[0] == ()

    def test_what_no_rule_has_yet_can_be_forced(self, config: Path) -> None:
        """The rules come with the deploy."""
        result = run(silence, "add", "kpi=ga_new", "--for", "2h", "--force", *WHO, "--config", config, at=NOW)

        assert result.exit_code == 0
        assert result.stderr.startswith("no kpi is called 'ga_new'")

    def test_a_value_that_no_series_has_is_remarked_on(self, config: Path) -> None:
        """A tenant may come tomorrow; a slip is still a slip."""
        result = run(silence, "add", "system=xia", "--for", "2h", *WHO, "--config", config, at=NOW)

        assert result.exit_code == 0
        assert result.stderr == "no series has system=xia now; did you mean 'xai'?\n"


def test_nothing_that_was_typed_or_measured_takes_over_the_terminal(config: Path) -> None:
    """A label value is a source's word: as it stands it could name the window, or fake a line of ours."""
    hostile = "system=\x1b]0;owned\x07\x1b[31m\u202efs"

    added = run(silence, "add", hostile, "--for", "2h", *WHO, "--config", config, at=NOW)
    listed = ok(silence, "list", "--config", config)

    assert added.exit_code == 0
    assert "no series has system=]0;owned[31mfs now" in added.stderr
    assert "system=]0;owned[31mfs" in listed
    assert not {"\x1b", "\x07", "\u202e"}.intersection(added.output + listed)


class TestAck:
    """Typed half asleep: the KPI, how long, who, what."""

    def test_it_says_what_it_stops_and_until_when(self, config: Path) -> None:
        """All that fires of the KPI, without naming it."""
        said = ok(ack, "ga_e2e_p95", "--for", "4h", *WHO, "--config", config)

        [added] = kept(config)[1]
        assert (added.sprint, added.kpi, added.labels, added.until) == ("s", "ga_e2e_p95", None, NOW + 4 * 3600)
        assert said == (
            "acknowledgement 1 of ga_e2e_p95, all that fires of it: "
            f"no reminders until {iso(NOW + 4 * 3600)}; the daemon honours it at its next evaluation\n"
        )

    def test_of_one_series_with_the_options_first(self, config: Path) -> None:
        """The order in which somebody types must not matter."""
        said = ok(ack, "--for", "4h", *WHO, "--label", "system=fs", "ga_e2e_p95", "--config", config)

        assert "acknowledgement 1 of ga_e2e_p95, system=fs: " in said
        assert kept(config)[1][0].labels == (("system", "fs"),)

    def test_it_is_listed_and_ended(self, config: Path) -> None:
        """Who has what in hand is seen, and given back."""
        ok(ack, "ga_e2e_p95", "--until", iso(NOW + 3600), *WHO, "--config", config)

        [row] = [line for line in ok(ack, "list", "--config", config).splitlines() if "ga_e2e_p95" in line]
        said = ok(ack, "end", 1, "--config", config, at=NOW + 5)
        again, unknown = (run(ack, "end", number, "--config", config, at=NOW + 6) for number in (1, 9))
        left = run(ack, "list", "--config", config, at=NOW + 6)
        found = json.loads(ok(ack, "list", "--all", "--format", "json", "--config", config, at=NOW + 6))

        assert row.split()[:6] == ["1", "active", "s", "ga_e2e_p95", "all", iso(NOW + 3600)]
        assert said == "ended: 1, reminders of ga_e2e_p95 go on; the daemon honours it at its next evaluation\n"
        assert (again.exit_code, again.stderr) == (1, f"acknowledgement 1 had ended already, at {iso(NOW + 5)}\n")
        assert (unknown.exit_code, unknown.stderr.split(";")[0]) == (2, "there is no acknowledgement 9")
        assert (left.stdout, left.stderr) == ("", "nothing is acknowledged\n")
        assert [(each["state"], each["ended_at"]) for each in found["acknowledgements"]] == [("ended", iso(NOW + 5))]

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["ga_e2e_p9", "--for", "4h"], "no KPI is called 'ga_e2e_p9'; did you mean 'ga_e2e_p95'?"),
            (["drill", "--for", "4h"], "drill does not fire, so there is nothing to acknowledge"),
            (
                ["ga_e2e_p95", "--for", "4h", "--label", "system=xai"],
                "does not fire for system=xai; it does for system=fs",
            ),
            (["ga_e2e_p95", "--for", "4h", "--label", "fs"], "'fs' is not NAME=VALUE"),
            (["ga_e2e_p95", "--until", iso(NOW - 1)], "would have ended already"),
            (["ga_e2e_p95"], "write either --for, such as --for 2h, or --until"),
        ],
    )
    def test_a_slip_is_one_clear_line(self, config: Path, arguments: list[str], says: str) -> None:
        """Nobody must believe that something is taken care of which is not."""
        result = run(ack, *arguments, *WHO, "--config", config, at=NOW)

        assert (result.exit_code, result.stdout) == (2, "")
        assert says in result.stderr
        assert kept(config)[1] == ()
