"""The daemon's process: what signals do to it while it starts, while it sends and while its files are wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.daemon import Daemon, eventually, slo_guard
from tests.support.http_sources import HttpSource, Reply, Request, http_source
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules


class Receiver:
    """A page with a KPI that is missed, and a receiver that keeps its first sender waiting until it is released."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.come, self.released = threading.Event(), threading.Event()

    def answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return Reply(b"load 7\n", headers={"Content-Type": "text/plain; version=0.0.4"})
        first = not self.keys
        self.keys.append(request.headers["Idempotency-Key"])
        self.come.set()
        if first:
            self.released.wait(30)
        return Reply(b"{}")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def source(receiver: Receiver) -> Iterator[HttpSource]:
    with http_source(receiver.answer) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, source: HttpSource) -> Path:
    write_rules(tmp_path, [gauge_kpi("load")])
    return write_config(tmp_path, [scrape("page", source.url, "load")], [webhook(f"{source.url}/hook")])


def test_a_reload_asked_for_while_it_starts_does_not_end_it(config: Path, receiver: Receiver):
    """A service manager reloads right after a restart; SIGHUP by default ends a process."""
    receiver.released.set()
    with Daemon(config) as daemon:
        daemon.start()
        eventually(lambda: signal.SIGHUP in daemon.handles, 10, every=0.002)

        while not daemon.url:
            daemon.send(signal.SIGHUP)
            time.sleep(0.02)
            assert daemon.running, daemon.stderr
        daemon.wait_ready()
        eventually(lambda: "reloaded" in daemon.stderr)
        code = daemon.stop()

    assert code == 0
    assert "Traceback" not in daemon.stderr


def test_it_can_be_stopped_while_it_starts(config: Path):
    """Reading a config that comes through a pipe can take for ever; Ctrl-C must not."""
    config.unlink()
    os.mkfifo(config)
    with Daemon(config) as daemon:
        daemon.start()
        eventually(lambda: signal.SIGTERM in daemon.handles, 10, every=0.01)

        code = daemon.stop()

    assert code == 0
    assert "Traceback" not in daemon.stderr


def test_a_message_that_is_accepted_while_it_stops_is_not_sent_again(config: Path, receiver: Receiver):
    """At least once is no excuse for twice where a second of patience avoids it."""
    with Daemon(config) as daemon:
        daemon.start()
        assert receiver.come.wait(30)
        daemon.send(signal.SIGTERM)
        time.sleep(0.5)
        receiver.released.set()
        code = daemon.wait()
        daemon.start().wait_ready()
        eventually(daemon.outbox_is_empty)
        daemon.stop()

    assert code == 0
    assert len(receiver.keys) == 1


def test_a_message_cut_off_by_a_kill_is_sent_right_after_the_next_start(config: Path, receiver: Receiver):
    """The lease of a process that is gone kept that receiver's whole line waiting for more than a minute."""
    with Daemon(config) as daemon:
        daemon.start()
        assert receiver.come.wait(30)
        daemon.kill()
        receiver.released.set()
        daemon.start()
        eventually(lambda: len(receiver.keys) == 2, 20)
        daemon.wait_ready()
        eventually(daemon.outbox_is_empty)
        daemon.stop()

    assert len(set(receiver.keys)) == 1, "under the same key, so that a receiver can tell"


@pytest.mark.parametrize("place", ["store", "secret"])
def test_a_path_that_no_file_can_have_is_one_clear_error(config: Path, receiver: Receiver, place: str):
    r"""`"a\0b"` is a text in YAML and a crash in every call that opens a file."""
    receiver.released.set()
    with Daemon(config) as daemon:
        daemon.start().wait_ready()
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        if place == "store":
            content["store"] = {"path": "a\0b"}
        else:
            content["receivers"][0]["url"] = {"file": "a\0b"}
        config.write_text(yaml.safe_dump(content), encoding="utf-8")

        daemon.send(signal.SIGHUP)
        eventually(lambda: "reload_refused" in daemon.stderr)
        runs_on = daemon.running
        daemon.stop()
    checked = slo_guard("check", "--config", str(config), cwd=config.parent)
    started = slo_guard("run", "--config", str(config), cwd=config.parent)
    signed = slo_guard("sign", "load", "--by", "Ana", "--config", str(config), cwd=config.parent)

    assert runs_on
    assert [each.returncode for each in (checked, started, signed)] == [1, 1, 1]
    for text in (daemon.stderr, checked.stdout, started.stderr, signed.stderr):
        assert text.count("holds a NUL byte") == 1
        assert "Traceback" not in text
