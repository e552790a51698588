"""The server's life: it starts on a port that is ours, says plainly why it cannot, and always stops."""

from __future__ import annotations

import signal
import socket
import threading

import pytest
import requests

from slo_guard.clock import monotonic
from slo_guard.errors import StartError
from slo_guard.expose.server import HttpServer


async def hello(scope, receive, send):
    """Answer every request with 200."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def flood(scope, receive, send):
    """Send more than any buffer holds."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10_000):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})


@pytest.fixture
def server():
    """Give a started server, stopped at the end."""
    started = HttpServer(hello, port=0)
    started.start()
    yield started
    started.stop()


def test_it_answers_as_soon_as_start_returns(server):
    """The URL that `run` prints works at once; port 0 gives a real one."""
    assert requests.get(server.url, timeout=5).text == "hello"
    assert server.running


def test_a_port_in_use_is_said_plainly(server):
    """The commonest reason not to start: two daemons, or another program there."""
    port = int(server.url.rsplit(":", 1)[1])

    with pytest.raises(StartError, match=rf"port {port} on 127\.0\.0\.1 is in use; .*another port"):
        HttpServer(hello, port=port).start()


@pytest.mark.parametrize(
    ("host", "text"), [("192.0.2.1", "not an address of this machine"), ("no-such-host.invalid", "cannot be resolved")]
)
def test_a_host_that_cannot_be_listened_on_is_said_plainly(host, text):
    """No traceback for what stands in a config file."""
    with pytest.raises(StartError, match=text):
        HttpServer(hello, host=host, port=0).start()


def test_the_port_is_free_again_after_stop(server):
    """A restart finds its port."""
    port = int(server.url.rsplit(":", 1)[1])
    requests.get(server.url, timeout=5)
    server.stop()

    again = HttpServer(hello, port=port)
    again.start()
    again.stop()


def test_stop_is_idempotent_and_harmless_before_start():
    """Whoever cleans up need not know how far the start came."""
    server = HttpServer(hello, port=0)
    server.stop()
    server.start()
    server.stop()
    server.stop()

    assert not server.running


def test_open_keep_alive_connections_do_not_hold_up_the_stop(server):
    """Prometheus keeps its connection open for ever."""
    with requests.Session() as session:
        session.get(server.url, timeout=5)
        thread = threading.Thread(target=server.stop)
        thread.start()
        thread.join(3)

        assert not thread.is_alive()
        assert not server.running


def test_a_client_that_does_not_read_its_answer_does_not_hold_up_the_stop(capfd):
    """A stuck scraper must not keep the daemon from ending, nor fill its log with a traceback."""
    server = HttpServer(flood, port=0)
    server.start()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(10)
        started = monotonic()
        server.stop()

        assert monotonic() - started < 4
    assert "Traceback" not in capfd.readouterr().err


def test_it_leaves_signal_handlers_alone():
    """Signals belong to the main thread's owner, which stops everything in order."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    started = HttpServer(hello, port=0)

    started.start()
    while_it_runs = [signal.getsignal(number) for number in numbers]
    started.stop()

    assert while_it_runs == before
    assert [signal.getsignal(number) for number in numbers] == before
