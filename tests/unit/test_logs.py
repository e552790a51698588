"""What the log looks like: for people on a console, and for programs as JSON, a document a line whatever happens."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from slo_guard import logs
from tests.support.said import logging_put_back

log = structlog.get_logger("test")


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    with logging_put_back():
        yield
    logging.captureWarnings(capture=False)


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_json_line_begins_with_when_how_bad_and_what(capsys: pytest.CaptureFixture[str]):
    """Whoever reads it raw sees the same three first; a program finds them by name."""
    logs.configure("info", "json")

    log.info("evaluated", verdicts={"met": 3}, total_ms=1.5)
    log.debug("not logged at info")

    [line] = documents(capsys)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["verdicts"], line["total_ms"]) == ("info", "evaluated", {"met": 3}, 1.5)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1: 2, (3,): 4},
        {1, 2},
        b"bytes",
        "line\nbreak",
        "\udc80",
        pytest.param(object(), id="object"),
        RuntimeError("x"),
    ],
    ids=repr,
)
def test_whatever_is_logged_is_one_json_document(capsys: pytest.CaptureFixture[str], value: Any):
    """A line that does not parse is dropped by what collects logs, and it is always the one that mattered."""
    logs.configure("info", "json")

    log.warning("odd", value=value)

    out = capsys.readouterr().err
    assert out.count("\n") == 1
    assert json.loads(out, parse_constant=pytest.fail)["event"] == "odd"


def test_a_traceback_is_one_field(capsys: pytest.CaptureFixture[str]):
    """Twenty lines of it would be twenty messages."""
    logs.configure("info", "json")

    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        log.error("job_failed", exc_info=error)
        logging.getLogger("uvicorn.error").exception("of a library")

    ours, theirs = documents(capsys)
    for line in (ours, theirs):
        assert line["exception"].endswith("ZeroDivisionError: division by zero")
        assert "exc_info" not in line
    assert (theirs["event"], theirs["level"]) == ("of a library", "error")


def test_libraries_log_in_the_same_way_and_not_more_than_we_need(capsys: pytest.CaptureFixture[str]):
    """One format for all; a line for each request or each job would hide the rest."""
    logs.configure("info", "json")

    logging.getLogger("alembic.runtime.migration").info("Running upgrade")
    logging.getLogger("apscheduler.scheduler").warning("maximum number of running instances reached")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("sqlalchemy.pool").warning("%s was odd", "something")

    assert [(line["level"], line["event"]) for line in documents(capsys)] == [("warning", "something was odd")]


def test_warnings_and_dying_threads_are_logged_too(capsys: pytest.CaptureFixture[str]):
    """Python prints them as they come, in the middle of the JSON."""
    logs.configure("info", "json")
    logs.take_over_stray_output()

    def die() -> None:
        raise KeyError("a bug")

    thread = threading.Thread(target=die, name="collector-7")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    ended, warned = documents(capsys)
    assert (ended["event"], ended["name"], ended["error"]) == ("thread_ended", "collector-7", "KeyError")
    assert "KeyError: 'a bug'" in ended["exception"]
    assert "DeprecationWarning: old" in warned["event"]


def test_a_line_for_people_stays_one_line(capsys: pytest.CaptureFixture[str]):
    """A source that sends a line break must not be able to write a line of its own into the log."""
    logs.configure("info", "console")

    log.warning("collection_failed", collector="page", error="no\n2026-01-01 [info] all is well\x1b[2J")

    logging.getLogger("sqlalchemy.pool").warning("odd\nrequest")

    out = capsys.readouterr().err
    assert out.count("\n") == 2
    assert "\x1b[2J" not in out
    assert r"odd\nrequest" in out
    assert "collection_failed" in out
    assert "collector=page" in out
    assert r"no\n2026-01-01" in out


def test_a_program_that_reads_gets_nothing_else():
    """`slo-guard run` prints where the page is for people only."""
    logs.configure("info", "console")
    before = logs.in_json()
    logs.configure("info", "json")

    assert (before, logs.in_json()) == (False, True)


class TestOnceLogged:
    """What goes wrong each second is told as it begins, as it changes and as it is over."""

    def test_the_same_cause_is_told_once_and_its_end_too(self, capsys: pytest.CaptureFixture[str]):
        """Thousands of equal lines hide the one that is not."""
        logs.configure("info", "json")
        told = logs.OnceLogged()

        for cause in ("a", "a", "b", "b"):
            told.wrong("job", "failed", cause, level="warning", name="x")
        failing = told.jobs("jo")
        told.right("job", "works", name="x")
        told.right("job", "works", name="x")

        assert failing == {"job"}
        assert [(line["level"], line["event"], line.get("error")) for line in documents(capsys)] == [
            ("warning", "failed", "a"),
            ("warning", "failed", "b"),
            ("info", "works", None),
        ]
