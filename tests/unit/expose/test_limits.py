"""What one client may take: slow, greedy and numerous ones are shown the door, and everybody else is served."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import contextmanager

import pytest
import requests

from slo_guard.errors import StartError
from slo_guard.expose.limits import ServerLimits
from slo_guard.expose.listening import make_room_for
from slo_guard.expose.server import HttpServer
from tests.support.daemon import eventually

QUICK = ServerLimits(
    max_connections=8,
    max_head=4096,
    max_body=1000,
    head_seconds=0.3,
    body_seconds=0.3,
    answer_seconds=0.5,
    idle_seconds=0.3,
    linger_seconds=0.3,
)


async def echo(scope, receive, send):
    """Answer with how much body came; /flood with more than any buffer holds; /deaf without reading the body."""
    taken = 0
    more = scope["path"] != "/deaf"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        taken += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"keep-alive")]})
    for _ in range(1000 if scope["path"] == "/flood" else 0):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"%d" % taken})


@pytest.fixture(scope="module")
def server():
    """Serve ``echo`` within tight limits."""
    started = HttpServer(echo, port=0, limits=QUICK)
    started.start()
    yield started
    started.stop()


@contextmanager
def connected(server):
    """Give a connection."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as client:
        client.settimeout(10)
        yield client


def until_closed(client):
    """Return all that comes before the server closes; fails where it does not."""
    got = b""
    try:
        while piece := client.recv(65536):
            got += piece
    except ConnectionError:
        pass
    return got


def trickle(client):
    """Send a head for ten seconds."""
    client.sendall(b"GET / HTTP/1.1\r\n")
    for _ in range(200):
        client.sendall(b"X-A: b\r\n")
        time.sleep(0.05)


def stream(client, path):
    """Send a body of 650 MB in chunks."""
    client.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10_000):
        client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def test_a_request_of_two_lengths_hides_no_other_behind_it(server):
    """A proxy that goes by the one and we by the other would let a stranger's request pass as a known one's."""
    with connected(server) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"POST /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        answer = until_closed(client)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")


class TestSlowClients:
    """Slow loris: a connection that is held by doing nothing, or next to nothing, costs the attacker nothing."""

    @pytest.mark.parametrize("begun", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
    def test_a_head_that_is_never_finished_is_waited_for_so_long(self, server, begun):
        """Also where nothing was sent at all."""
        with connected(server) as client:
            client.sendall(begun)
            assert until_closed(client) == b""

    def test_bytes_that_trickle_do_not_prolong_it(self, server):
        """The whole head has one time-out, not each byte."""
        with connected(server) as client, pytest.raises(ConnectionError):
            trickle(client)

    def test_the_second_head_of_a_connection_has_a_time_out_too(self, server):
        """Uvicorn stops its keep-alive clock at the first byte."""
        with connected(server) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGE")
            assert until_closed(client).endswith(b"\r\n\r\n1\r\n0\r\n0\r\n\r\n")

    def test_a_body_that_is_never_finished_is_waited_for_so_long(self, server):
        """The route is told that its client is gone."""
        with connected(server) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            assert until_closed(client) == b""

    def test_an_answer_that_is_not_taken_in_is_given_up(self, server):
        """It keeps the page that it is read from in memory."""
        with connected(server) as client:
            client.sendall(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1.0)
            assert len(until_closed(client)) < 100_000_000

    def test_a_connection_without_a_request_idles_so_long(self, server):
        """Keep-alive, as before."""
        with connected(server) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in until_closed(client)

    def test_requests_one_behind_the_other_each_have_their_own_time(self, server):
        """Pipelined ones are answered in order."""
        with connected(server) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            assert until_closed(client).count(b"200 OK") == 5


class TestGreedyClients:
    """A body is JSON of a few hundred bytes; nobody needs a gigabyte."""

    def test_a_body_that_says_it_is_too_large_is_not_read(self, server):
        """The answer comes before a byte of it does."""
        with connected(server) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            got = until_closed(client)
        assert got.startswith(b"HTTP/1.1 413 ")
        assert b"the body is larger than 1000 bytes" in got

    def test_a_body_that_does_not_say_so_is_cut_off(self, server):
        """Chunked bodies have no length; the same holds where the route does not read it."""
        for path in (b"/", b"/deaf"):
            with connected(server) as client, pytest.raises(ConnectionError):
                stream(client, path)

    def test_a_body_within_the_limit_is_taken(self, server):
        """To the byte, and the connection goes on."""
        with requests.Session() as session:
            assert session.post(server.url, data=b"x" * 1000, timeout=5).text == "1000"
            assert session.post(server.url + "/deaf", data=b"x" * 1000, timeout=5).text == "0"
            assert session.post(server.url, data=b"x" * 1001, timeout=5).status_code == 413
            assert session.post(server.url, data=b"x", timeout=5).text == "1"

    def test_a_head_that_is_too_large_is_refused(self, server):
        """And is a problem like every other error."""
        whole = requests.get(server.url, headers={"X-A": "x" * 5000}, timeout=5)
        with connected(server) as client:
            client.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"x" * 5000)
            begun = until_closed(client)

        assert (whole.status_code, begun[:13]) == (431, b"HTTP/1.1 400 ")
        assert "the head is larger than 4096 bytes" in whole.json()["detail"]
        assert b"a head of at most 4096 bytes" in begun
        assert b"nosniff" in begun


class TestManyClients:
    """One tool that leaks connections must not shut everybody out for long, nor use up the file handles."""

    def test_one_too_many_is_told_to_come_again_and_those_before_go_on(self, server):
        """Prometheus, which keeps its connection, scrapes on."""
        with requests.Session() as scraper:
            scraper.get(server.url, timeout=5)
            others = [socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) for _ in range(20)]
            refused = requests.get(server.url, timeout=5)
            kept = scraper.get(server.url, timeout=5)
            for other in others:
                other.close()

        assert (refused.status_code, kept.status_code) == (503, 200)
        assert refused.headers["retry-after"] == "5"
        assert refused.headers["content-type"] == "application/problem+json"
        assert eventually(lambda: requests.get(server.url, timeout=5).status_code == 200, 5)

    def test_far_too_many_are_closed_as_they_come(self):
        """Before a byte is read or a handshake begun: each holds a file handle."""
        patient = HttpServer(echo, port=0, limits=ServerLimits(max_connections=8, head_seconds=60))
        patient.start()
        place = ("127.0.0.1", int(patient.url.rpartition(":")[2]))
        others = [socket.create_connection(place, timeout=10) for _ in range(8 + 64 + 1)]

        last = until_closed(others[-1])
        for other in others:
            other.close()
        patient.stop()

        assert last == b""

    def test_more_than_the_system_allows_is_said_at_the_start(self, monkeypatch):
        """Not as "too many open files" in the middle of a collection."""
        monkeypatch.setattr(resource, "getrlimit", lambda _which: (100, 300))

        with pytest.raises(StartError, match="max_connections: 256 needs 512 open files and this process may have 300"):
            make_room_for(256)
