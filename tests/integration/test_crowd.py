"""A crowd at the door of a real daemon: slow, greedy and numerous clients, and evaluation that does not notice."""

from __future__ import annotations

import contextlib
import socket
import threading

import psutil
import pytest
import requests

from tests.support.daemon import Daemon, eventually
from tests.support.http_sources import Reply, always, http_source
from tests.support.small_mission import gauge_kpi, scrape, write_config, write_rules

SERIES = 3000
PAGE = "".join(f'load{{tenant="tenant-{number}"}} {number % 7}\n' for number in range(SERIES))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """Run a daemon that judges 3,000 series every two seconds."""
    folder = tmp_path_factory.mktemp("crowd")
    write_rules(folder, [gauge_kpi("load", by=["tenant"], objective={"at_most": 10})])
    lane = folder / "rules" / "lane.yaml"
    lane.write_text(lane.read_text().replace("interval: 1s", "interval: 2s"))
    with http_source(always(Reply(PAGE.encode()))) as source:
        config = write_config(folder, [scrape("tenants", source.url, "load")])
        with Daemon(config) as started:
            started.start().wait_ready()
            eventually(lambda: started.metric("slo_guard_kpi_value", tenant="tenant-2999") is not None)
            yield started


@contextlib.contextmanager
def crowd(daemon, stopped):
    """Give 500 connections that say nothing or half a request, and what sends a huge body and reads by the byte."""
    place = ("127.0.0.1", int(daemon.url.rpartition(":")[2]))
    with contextlib.ExitStack() as stack:

        def connected() -> socket.socket:
            client = stack.enter_context(socket.create_connection(place, timeout=10))
            client.settimeout(10)
            return client

        slow, greedy = connected(), connected()
        threads = [
            threading.Thread(target=read_by_the_byte, args=(slow, stopped)),
            threading.Thread(target=send_a_gigabyte, args=(greedy,)),
        ]
        for thread in threads:
            thread.start()
        clients = [connected() for _ in range(500)]
        for client in clients[::2]:
            with contextlib.suppress(OSError):
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        yield clients
        stopped.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def read_by_the_byte(client: socket.socket, stopped: threading.Event) -> None:
    with contextlib.suppress(OSError):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        while client.recv(1) and not stopped.wait(0.01):
            pass


def send_a_gigabyte(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.sendall(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2**14):
            client.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")


def numbers(scraper: requests.Session, url: str) -> tuple[float, float]:
    """Return how many evaluations ran and how many were missed."""
    found = {}
    for line in scraper.get(f"{url}/metrics", timeout=30).text.splitlines():
        if line.startswith(("slo_guard_evaluation_duration_seconds_count ", "slo_guard_evaluations_missed_total ")):
            name, _, value = line.partition(" ")
            found[name] = float(value)
    return found["slo_guard_evaluation_duration_seconds_count"], found["slo_guard_evaluations_missed_total"]


def test_a_crowd_delays_no_evaluation_and_no_scrape(daemon):
    """Whoever can reach the port must not be able to switch the alerts off."""
    stopped, process = threading.Event(), psutil.Process(daemon.pid)
    with requests.Session() as scraper:
        ran, missed = numbers(scraper, daemon.url)
        memory = process.memory_info().rss
        with crowd(daemon, stopped):
            eventually(lambda: numbers(scraper, daemon.url)[0] >= ran + 4, 60, what="evaluations go on", every=0.5)
            during = numbers(scraper, daemon.url)
            grown = process.memory_info().rss - memory

    assert during[1] == missed
    assert grown < 100 * 2**20
    assert "Traceback" not in daemon.stderr


def test_who_comes_after_the_crowd_is_served(daemon):
    """Connections that do nothing are closed after ten seconds at most; those of the crowd went with their clients."""
    assert eventually(lambda: daemon.get("/-/ready").status_code == 200)
    assert daemon.running
