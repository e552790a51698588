"""``slo-guard status`` over a real server and over a real store: for people in 80 columns, for scripts by exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.status import status
from slo_guard.domain.alerts import Alert, AlertKey, AlertKind
from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.ports import EvaluationRecord, PlanRecord, VerdictMemory
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.silences import Acknowledgement, Matcher, Silence
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Reason, Verdict
from slo_guard.expose.access import AccessGate, AccessRules
from slo_guard.expose.credentials import Credentials
from slo_guard.expose.snapshot import Snapshot, SourceError, SourceStatus
from slo_guard.passwords import token_digest
from slo_guard.store import open_store
from tests.support.builders import a_kpi, an_objective, labels
from tests.support.daemon import ROOT, eventually
from tests.support.fake_store import FakeStore
from tests.support.http_sources import Reply, always, http_source
from tests.support.notices import a_notification
from tests.support.pictures import NOW, a_snapshot, an_alert, verdict_frame
from tests.support.serving import serving
from tests.support.small_mission import gauge_kpi, scrape, write_config, write_rules

P95 = a_kpi(
    "ga_e2e_p95",
    title="GA end-to-end p95, over all systems and with a title that is rather long",
    by=("system",),
    unit="seconds",
    objective=an_objective("at_most", 1.16),
)
SEV1 = a_kpi("sev1", lane="reliability", title="Sev-1 incidents", unit="", objective=an_objective("equals", 0))
AUDITS = a_kpi("audits", lane="reliability", title="Audits", unit="ratio", objective=an_objective("at_least", 0.99))
TOKEN = "a-token-of-some-length"


def unwell() -> Snapshot:
    """Return a sprint with a breach in one of two series, and an alert that is silenced and known."""
    p95 = verdict_frame(
        P95,
        {labels("system=fs"): 1.31, labels("system=xai2"): 0.9},
        [Verdict.MISSED, Verdict.MET],
        reason=[REASON_CODE[Reason.OBJECTIVE_MISSED], REASON_CODE[Reason.OBJECTIVE_MET]],
        alert_state=[AlertState.FIRING, AlertState.INACTIVE],
        since=[NOW - 7500, NOW - 60],
    )
    risk = an_alert(AUDITS, (), kind=AlertKind.RISK)
    firing = an_alert(P95, labels("system=fs"), active_at=NOW - 7500, fired_at=NOW - 7200)
    silence = Silence(
        matchers=(Matcher("kpi", "audits"),),
        starts_at=NOW - 60,
        ends_at=NOW + 600,
        by="ana",
        why="known",
        id=3,
        created_at=NOW - 60,
    )
    known = Acknowledgement(
        sprint=P95.sprint, kpi=P95.id, labels=None, until=NOW + 600, by="ben", why="on it", id=1, created_at=NOW - 60
    )
    return a_snapshot(
        [verdict_frame(SEV1, 0), p95, verdict_frame(AUDITS, 0.995, Verdict.AT_RISK)],
        [firing, risk],
        sources=(
            SourceStatus("page", last_success_at=NOW - 5),
            SourceStatus("tickets", (), NOW - 400, SourceError("timeout", "no answer in time", NOW - 10)),
        ),
        silences=(silence,),
        acknowledgements=(known,),
    )


def fine() -> Snapshot:
    return a_snapshot([verdict_frame(SEV1, 0), verdict_frame(AUDITS, 0.995)])


def run(*arguments: object, env: dict[str, str] | None = None) -> Result:
    clean = {"COLUMNS": "80", "SLO_GUARD_TOKEN": "", **(env or {})}
    return CliRunner(env=clean).invoke(status, [*map(str, arguments)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_rules(tmp_path, [gauge_kpi("load")])
    return write_config(tmp_path, [scrape("page", "http://127.0.0.1:1", "load")], server={"host": "0.0.0.0", "port": 1})


@pytest.fixture(scope="module")
def unwell_url() -> Iterator[str]:
    store = FakeStore()
    store.save_plan(PlanRecord(0, {}, (a_notification(key="dead"), a_notification(key="waits"))))
    row = store.lease("sre", NOW, 30.0)
    assert row is not None
    store.record_attempt(row, DeliveryOutcome.DEAD, NOW, error="http_400: answered 400")
    with serving(unwell(), deliveries=store.deliveries) as url:
        yield url


@pytest.fixture(scope="module")
def shown(unwell_url: str) -> Result:
    return run("--url", unwell_url, "--config", "/nowhere.yaml")


class TestOfARunningDaemon:
    """One look in the terminal says whether anything is wrong, since when, and who takes care of it."""

    def test_all_of_it_stands_within_80_columns_without_colour(self, shown: Result):
        """It is pasted into a chat, and read on a split screen."""
        assert max(map(len, shown.stdout.splitlines())) <= 80
        assert "\x1b" not in shown.stdout

    def test_what_is_wrong_stands_first(self, shown: Result):
        """The lane with a breach before the calm one, and in it the breach."""
        text = shown.stdout
        rows = [text.index(words) for words in ("1 missed", "2 alerts fire", "ga-ops", "reliability")]

        assert rows == sorted(rows)
        assert re.search(r"missed +GA end-to-end p95.+1\.31s +at most 1\.16 +2h 5m", text)
        assert "(1 of 2)" in text
        assert text.index("Audits") < text.index("Sev-1 incidents"), "at risk before met"

    def test_alerts_say_whether_somebody_knows(self, shown: Result):
        """A second person need not look into what the first has in hand."""
        assert re.search(r"ga_e2e_p95 \[system=fs\], for 2h 5m", shown.stdout)
        assert "silenced (#3)" in shown.stdout
        assert "known to ben until" in " ".join(shown.stdout.split())

    def test_sources_and_messages_are_counted_and_the_failing_are_named(self, shown: Result):
        """A page that does not arrive, and a source that is down, look like calm."""
        text = " ".join(shown.stdout.split())

        assert "1 failing, 1 ok" in text
        assert "tickets: timeout: no answer in time (last success 6m 40s ago)" in text
        assert "messages: 1 (sre 1) wait" in text
        assert "1 (sre 1) given up (slo-guard deliveries list --state dead)" in text

    def test_the_exit_code_says_whether_all_is_well(self, shown: Result):
        """`slo-guard status || call-somebody` in a script."""
        with serving(fine()) as url:
            well = run("--url", url, "--config", "/nowhere.yaml")

        assert (shown.exit_code, well.exit_code) == (1, 0), well.output
        assert "no alert fires" in well.stdout

    def test_scripts_get_json(self, unwell_url: str):
        """Names and instants that do not depend on how wide a terminal is."""
        result = run("--url", unwell_url, "--format", "json", "--config", "/nowhere.yaml")

        document = json.loads(result.stdout)
        kpis = {each["kpi"]: each for each in document["kpis"]}
        assert (document["reachable"], document["origin"], document["well"]) == (True, "daemon", False)
        assert (kpis["ga_e2e_p95"]["verdict"], kpis["ga_e2e_p95"]["value"]) == ("missed", "1.31s")
        assert (kpis["ga_e2e_p95"]["series"], kpis["ga_e2e_p95"]["unwell_series"]) == (2, 1)
        assert {each["kpi"]: each["silenced_by"] for each in document["alerts"]} == {"ga_e2e_p95": None, "audits": 3}
        assert document["sprints"][0]["days_left"] > 0

    def test_a_daemon_that_wants_a_login_gets_a_token_and_shows_none(self, tmp_path: Path):
        """From the environment or from a file; never as an argument, which others can see."""
        rules = AccessRules(Credentials({}, {"ci": token_digest(TOKEN)}), reads_open=False)
        (tmp_path / "token").write_text(TOKEN + "\n")
        with serving(fine(), gate=AccessGate(rules)) as url:
            without = run("--url", url, "--config", "/nowhere.yaml")
            by_variable = run("--url", url, "--config", "/nowhere.yaml", env={"SLO_GUARD_TOKEN": TOKEN})
            by_file = run("--url", url, "--config", "/nowhere.yaml", "--token-file", tmp_path / "token")
            wrong = run("--url", url, "--config", "/nowhere.yaml", env={"SLO_GUARD_TOKEN": "wrong-token"})

        assert [each.exit_code for each in (without, by_variable, by_file, wrong)] == [2, 0, 0, 2]
        assert "give a token in SLO_GUARD_TOKEN or with --token-file" in without.stderr
        assert TOKEN not in by_variable.output
        assert "wrong-token" not in wrong.output


class TestWithoutADaemon:
    """That nobody guards anything must be the first thing that is seen."""

    def test_the_store_says_how_it_stood(self, config: Path, tmp_path: Path):
        """At three in the morning, with the daemon down: what was known when it went."""
        with closing(open_store(tmp_path / "slo-guard.db")) as store:
            store.save_plan(PlanRecord(0, {}, (a_notification(key="waits"),)))

        result = run("--config", config)

        assert result.exit_code == 2
        assert result.stdout.startswith("daemon not reachable: cannot connect to http://127.0.0.1:1")
        assert "from its store, nothing was judged yet" in result.stdout
        assert "messages: 1 (sre 1) wait" in result.stdout
        assert "not judged" in result.stdout

    def test_what_was_judged_last_is_shown_with_since_when(self, config: Path, tmp_path: Path):
        """Verdicts, alerts and their ages outlive the daemon; values do not, and are not made up."""
        key = AlertKey("s1", "load", (), AlertKind.BREACH)
        memory = VerdictMemory(
            "s1",
            "load",
            SeriesIndex.of([()]),
            np.array([Verdict.MISSED], dtype=np.int8),
            np.array([REASON_CODE[Reason.OBJECTIVE_MISSED]], dtype=np.int8),
            np.array([NOW - 7500.0]),
            np.array([False]),
        )
        with closing(open_store(tmp_path / "slo-guard.db")) as store:
            store.save_evaluation(
                EvaluationRecord(
                    NOW,
                    0,
                    alerts={key: Alert(key, AlertState.FIRING, NOW - 7500.0, fired_at=NOW - 7200.0)},
                    memories=(memory,),
                    evaluated=(("s1", "load"),),
                )
            )

        result = run("--config", config)
        document = json.loads(run("--config", config, "--format", "json").stdout)

        assert (result.exit_code, document["reachable"], document["well"]) == (2, False, False)
        assert "as of 2026-07-08T20:00:00Z" in result.stdout
        assert "page   load, for 2h 5m" in result.stdout
        assert re.search(r"missed +load +- +at most 1 +2h 5m", result.stdout)
        assert [(each["verdict"], each["value"], each["reason"]) for each in document["kpis"]] == [
            ("missed", None, "objective_missed")
        ]
        assert document["sources"] is None

    def test_without_either_both_are_named(self, config: Path):
        """Never a traceback."""
        result = run("--config", config)

        assert result.exit_code == 2
        assert "daemon not reachable" in result.stderr
        assert "there is no store" in result.stderr

    def test_what_answers_but_is_no_slo_guard_is_said(self):
        """A port that somebody else took."""
        with http_source(always(Reply(b'{"up": true}'))) as other:
            strange = run("--url", other.url, "--config", "/nowhere.yaml")
        with serving(None) as url:
            early = run("--url", url, "--config", "/nowhere.yaml")
        kpi = dict.fromkeys(("sprint", "lane", "kpi", "title", "verdict", "unit", "objective"), "")
        body = {name: [] for name in ("sources", "alerts", "deliveries", "sprints")} | {
            "at": "2026-07-07T00:00:00Z",
            "kpis": [kpi | {"series": [], "series_total": 0, "counts": []}],
        }
        with http_source(always(Reply(json.dumps(body).encode()))) as other:
            odd = run("--url", other.url, "--config", "/nowhere.yaml")

        assert (strange.exit_code, early.exit_code, odd.exit_code) == (2, 2, 2)
        assert "not as this version of slo_guard does" in strange.stderr
        assert "no evaluation has finished yet" in early.stderr

    def test_wrong_use_is_said(self, config: Path):
        """Exit code 2 as well: a script must not take it for calm."""
        both = run("--config", config, "--watch", "--format", "json")
        url = run("--config", config, "--url", "nowhere")
        never = run("--config", config, "--watch", "--every", "nan")

        assert (both.exit_code, url.exit_code, never.exit_code) == (2, 2, 2)
        assert "'nan' is no number of seconds" in never.stderr
        assert "--watch is for people" in both.stderr
        assert "--url: not a usable URL" in url.stderr


def test_it_is_shown_in_place_until_ctrl_c_and_the_terminal_is_as_before(unwell_url: str):
    """On the screen on the wall; whoever ends it wants their prompt back, and no traceback."""
    outer, inner = pty.openpty()
    arguments = ["status", "--url", unwell_url, "--config", "/nowhere.yaml", "--watch", "--every", "0.5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "slo_guard", *arguments],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(inner)
    said = b""

    def frames() -> int:
        nonlocal said
        said += os.read(outer, 65536)
        return said.count(b"GA end-to-end")

    eventually(lambda: frames() >= 2)
    process.send_signal(signal.SIGINT)
    code = process.wait(10)
    said += os.read(outer, 65536)
    os.close(outer)

    assert code == 0
    assert b"\x1b[?1049h" in said, "on a screen of its own"
    assert said.rindex(b"\x1b[?1049l") > said.rindex(b"\x1b[?1049h"), "and back"
    assert b"Traceback" not in said
    assert b"Aborted" not in said
