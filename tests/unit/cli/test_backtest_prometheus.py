"""``slo-guard backtest --prometheus``: what is asked, in which pages, and how a server that refuses ends the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from slo_guard.cli.backtest import backtest

START = 1783353600
SPRINT = "version: 1\nsprint: s\ntimezone: UTC\nstart: 2026-07-06\nend: 2026-07-17\n"
LANE = """\
version: 1
sprint: s
lane: checkout
interval: 30s
kpis:
  - {kpi: latency, indicator: latency_seconds, objective: {at_most: 1s}, forget_after: 5m}
"""
CONFIG = """\
version: 1
rules: [rules]
collectors:
  - name: prometheus
    type: prometheus
    url: http://127.0.0.1:1
    interval: 20s
    http: {retries: 0, auth: {bearer: {env: HISTORY_TOKEN}}, headers: {X-Scope-OrgID: team-a}}
    indicators: [{name: latency_seconds, type: gauge, unit: ms, query: max(latency_milliseconds)}]
receivers: []
"""
TOKEN = "s3cr3t-t0ken-of-the-history"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "lane.yaml").write_text(LANE)
    (tmp_path / "slo-guard.yaml").write_text(CONFIG)
    monkeypatch.setenv("HISTORY_TOKEN", TOKEN)
    return tmp_path


def run(*arguments: str | Path, hours: float = 1.0) -> Result:
    span = ["--from", str(START), "--to", str(START + 3600 * hours), "--format", "json"]
    return CliRunner().invoke(backtest, [*map(str, arguments), *span])


def points(request: Request) -> list[float]:
    start, end, step = (float(request.args[name]) for name in ("start", "end", "step"))
    return [start + k * step for k in range(round((end - start) / step) + 1)]


def answering(value_at: Callable[[float], float], most: int = 11_000) -> Callable[[Request], Response]:
    """Return a handler with one series, worth ``value_at`` of its time, that refuses more than ``most`` points."""

    def answer(request: Request) -> Response:
        asked = points(request)
        if len(asked) > most:
            document = {"status": "error", "errorType": "execution", "error": "query processing: too many samples"}
            return Response(json.dumps(document), 422)
        series = [{"metric": {"le": "x"}, "values": [[at, str(value_at(at))] for at in asked]}]
        return Response(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}}))

    return answer


def refusing(status: int, text: str) -> Response:
    return Response(json.dumps({"status": "error", "errorType": "bad_data", "error": text}), status)


def test_a_metric_is_asked_at_the_interval_of_its_kpis_from_where_they_look_back_to(
    folder: Path, httpserver: HTTPServer
) -> None:
    """Each evaluation finds a sample of its own instant, and what came before it as far as it matters."""
    httpserver.expect_request("/api/v1/query_range").respond_with_handler(answering(lambda _: 0.5))

    result = run("--rules", folder / "rules", "--prometheus", httpserver.url_for("/"))

    assert result.exit_code == 0, result.output
    requests = [request for request, _ in httpserver.log]
    assert {request.args["query"] for request in requests} == {'{__name__="latency_seconds"}'}
    asked = [at for request in requests for at in points(request)]
    assert asked == [START - 300 + 30 * k for k in range(131)]


def test_a_configs_query_is_asked_with_its_interval_authentication_and_headers(
    folder: Path, httpserver: HTTPServer
) -> None:
    """What guards the team's Prometheus guards its history too; milliseconds are seconds from here on."""
    slow = answering(lambda at: 1500.0 if at >= START + 1800 else 500.0)
    httpserver.expect_request("/api/v1/query_range").respond_with_handler(slow)

    result = run("--config", folder / "slo-guard.yaml", "--prometheus", httpserver.url_for(""))

    assert [(each["at"], each["to"], each["value"]) for each in json.loads(result.stdout)["transitions"]] == [
        ("2026-07-06T16:30:00Z", "firing", 1.5)
    ]
    request, _ = httpserver.log[0]
    assert request.args["query"] == "max(latency_milliseconds)"
    assert request.args["step"] == "20.000"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["X-Scope-OrgID"] == "team-a"


def test_a_long_history_comes_in_pages_each_point_once_and_smaller_where_the_server_wants_it(
    folder: Path, httpserver: HTTPServer
) -> None:
    """A sprint has more points than one answer may hold, and a server may allow fewer than usual."""
    httpserver.expect_request("/api/v1/query_range").respond_with_handler(
        answering(lambda at: 2.0 if (at - START) % 3600 >= 1800 else 0.5, most=20)
    )

    result = run("--rules", folder / "rules", "--prometheus", httpserver.url_for("/"), hours=2)

    told = [(each["at"][11:16], each["to"]) for each in json.loads(result.stdout)["transitions"]]
    assert told == [("16:30", "firing"), ("17:00", "inactive"), ("17:30", "firing"), ("18:00", "inactive")]
    asked = [at for request, response in httpserver.log if response.status_code == 200 for at in points(request)]
    assert asked == [START - 300 + 30 * k for k in range(251)]


def test_samples_that_are_no_numbers_are_counted(folder: Path, httpserver: HTTPServer) -> None:
    """NaN ages into no_data: whoever wonders why must be told."""
    httpserver.expect_request("/api/v1/query_range").respond_with_handler(answering(lambda _: float("nan")))

    result = run("--rules", folder / "rules", "--prometheus", httpserver.url_for("/"))

    assert result.exit_code == 0
    assert '131 samples are not usable and count as missing (latency_seconds{le="x"} is nan)' in result.stderr


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusing(400, 'parse error: unexpected "\n\x1b[2J"'), 'answers 400: bad_data: parse error: unexpected " [2J"'),
        (refusing(401, f"no access with {TOKEN}"), "answers 401: bad_data: no access with …"),
        (Response("<html>", 403), "answers 403"),
        (Response("<html>", 200), "the answer is not JSON; is this the address of a Prometheus API?"),
    ],
)
def test_what_the_server_says_is_one_line_without_the_secret(
    folder: Path, httpserver: HTTPServer, answer: Response, says: str
) -> None:
    """An SRE mends what the line names; a log of it must not hold the token, nor what redraws a terminal."""
    httpserver.expect_request("/api/v1/query_range").respond_with_response(answer)

    result = run("--config", folder / "slo-guard.yaml", "--prometheus", httpserver.url_for(""))

    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("latency_seconds between 2026-07-06T15:55:00Z and 2026-07-06T16:28:00Z cannot be read: ")
    assert line.endswith(says)
    assert TOKEN not in result.output


def test_a_server_that_is_not_there_and_a_secret_that_is_not_set_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are mended in a minute by whoever knows which it is."""
    unreachable = run("--config", folder / "slo-guard.yaml", "--prometheus", "http://127.0.0.1:1")
    monkeypatch.delenv("HISTORY_TOKEN")
    unset = run("--config", folder / "slo-guard.yaml", "--prometheus", "http://127.0.0.1:1")

    assert (unreachable.exit_code, unset.exit_code) == (2, 2)
    assert "cannot connect to http://127.0.0.1:1/api/v1/query_range: Connection refused" in unreachable.stderr
    assert "the environment variable HISTORY_TOKEN holds no secret; set it" in unset.stderr
    assert len(unreachable.stderr.splitlines()) == len(unset.stderr.splitlines()) == 1


@pytest.mark.parametrize("url", ["prometheus:9090", "http://ada:hunter2@127.0.0.1:9090"])
def test_an_address_that_cannot_be_used_says_what_to_write_and_shows_no_password(folder: Path, url: str) -> None:
    """A password on the command line stands in everybody's process list: it belongs into the config's auth."""
    result = run("--rules", folder / "rules", "--prometheus", url)

    assert result.exit_code == 2
    assert "--prometheus" in result.stderr
    assert "hunter2" not in result.stderr


def test_rules_of_which_prometheus_knows_nothing_are_an_error(folder: Path) -> None:
    """An empty list of transitions would read as a quiet day."""
    (folder / "rules" / "lane.yaml").write_text(
        LANE.split("  - {", maxsplit=1)[0]
        + "  - {kpi: slowest, indicator: checkout, measure: p95 over 1h, objective: {at_most: 1}}\n"
    )

    result = run("--rules", folder / "rules", "--prometheus", "http://127.0.0.1:1")

    assert result.exit_code == 2
    assert "state type: histogram where it has their buckets: checkout" in result.stderr
    assert "left out of the backtest, 1 of 1 KPIs: slowest (reads checkout)" in result.stderr
    assert "no KPI is left" in result.stderr
