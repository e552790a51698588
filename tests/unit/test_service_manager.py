"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slo_guard.service_manager import ServiceManager


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address)
        heard.setblocking(False)
        yield heard


def said(heard: socket.socket) -> list[str]:
    """Everything that has come so far."""
    found = []
    try:
        while True:
            found.append(heard.recv(1024).decode())
    except BlockingIOError:
        return found


@pytest.mark.parametrize("name", ["a file", "an abstract name"])
def test_it_hears_of_the_start_and_the_stop(tmp_path: Path, name: str):
    """`systemctl start` waits for the one, and what comes after the other is no crash."""
    address = str(tmp_path / "notify") if name == "a file" else f"@slo-guard{tmp_path}"
    with listening(address.replace("@", "\0")) as heard:
        manager = ServiceManager.of({"NOTIFY_SOCKET": address}, pid=7)
        manager.ready()
        manager.stopping()

        assert said(heard) == ["READY=1", "STOPPING=1"]


def test_it_hears_signs_of_life_twice_within_its_time_and_only_while_evaluations_go_on(tmp_path: Path):
    """A daemon that hangs is started anew; one that lives must never be."""
    address, now, asked = str(tmp_path / "notify"), [100.0], []
    with listening(address) as heard:
        manager = ServiceManager(address, 10.0, lambda: now[0])
        for alive in (True, True, False):
            manager.alive_if(lambda within, alive=alive: asked.append(within) or alive)
            manager.alive_if(lambda _within: True)  # not due again
            now[0] += 5.0
        found = said(heard)

    assert found == ["WATCHDOG=1", "WATCHDOG=1"]
    assert asked == [10.0, 10.0, 10.0]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "8"},
    ],
)
def test_without_a_watchdog_there_is_nothing_to_ask(environ: dict[str, str], tmp_path: Path):
    """One that watches another process must not be fed by this one."""
    address = str(tmp_path / "notify")
    with listening(address) as heard:
        manager = ServiceManager.of({"NOTIFY_SOCKET": address, **environ}, pid=7)
        manager.alive_if(lambda _within: True)

        assert said(heard) == []


def test_nobody_who_listens_is_no_error(tmp_path: Path):
    """A socket that is gone must not end what it was told of."""
    ServiceManager.of({}, pid=7).ready()
    ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}, pid=7).ready()
