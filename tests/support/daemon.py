"""The real daemon as a process of its own, started and ended by its pid, and read as a user reads it: over HTTP and its log."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import requests

from slo_guard.domain.alerts import Transition
from slo_guard.domain.notifications import Decision
from slo_guard.store import open_store

ROOT = Path(__file__).parents[2]
_READY = re.compile(r"^slo_guard is ready: (https?://\S+)$", re.MULTILINE)

T = TypeVar("T")


def eventually(check: Callable[[], T], timeout: float = 20.0, *, what: str = "", every: float = 0.05) -> T:
    """Return the first true value of ``check``, asked again and again; fail with its last one after ``timeout`` seconds.

    A refused connection or an AssertionError counts as "not yet".
    """
    deadline = time.monotonic() + timeout
    while True:
        last: Any
        try:
            last = check()
        except (requests.RequestException, AssertionError, LookupError) as error:
            last = f"{type(error).__name__}: {error}"
        else:
            if last:
                return last
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or check}; last: {str(last)[:2000]}")
        time.sleep(every)


class Daemon:
    """``python -m slo_guard run --config CONFIG``; may be started again after it ended. Use as a context manager."""

    def __init__(
        self,
        config: Path,
        *,
        env: Mapping[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.config = config
        self.starts = 0
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})}
        self._preexec = preexec
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start the process; returns at once."""
        assert not self.running
        self.starts += 1
        with self.stderr_file.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "slo_guard", "run", "--config", str(self.config)],
                cwd=self.config.parent,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                preexec_fn=self._preexec,
            )
        return self

    def wait_ready(self, timeout: float = 30.0) -> Self:
        """Wait until the first evaluation has finished; fail at once if the process ends."""

        def ready() -> bool:
            if not self.running:
                raise RuntimeError(f"the daemon ended with {self.exit_code}:\n{self.stderr}")
            return bool(self.url) and requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200

        eventually(ready, timeout, what=f"the daemon is ready; it said:\n{self.stderr[-3000:]}")
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def stderr_file(self) -> Path:
        """Where this start's output goes."""
        return self.config.with_suffix(f".start-{self.starts}.log")

    @property
    def stderr(self) -> str:
        """What this start has said so far."""
        return self.stderr_file.read_text(encoding="utf-8", errors="replace") if self.starts else ""

    @property
    def all_stderr(self) -> str:
        """What all starts have said."""
        files = sorted(self.config.parent.glob(f"{self.config.stem}.start-*.log"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    @property
    def url(self) -> str:
        """Where it serves, as it says itself; empty before."""
        found = _READY.findall(self.stderr)
        return found[-1].rstrip("/") if found else ""

    @property
    def handles(self) -> set[int]:
        """The signals that do not end the process: those that it handles and those that it ignores."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn:", "SigCgt:"))]
        return {number for mask in masks for number in range(1, 65) if mask >> (number - 1) & 1}

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 15.0) -> int:
        """Ask it to end and return its exit code; fails when it has not ended by ``timeout``."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = 15.0) -> int:
        """Wait for its end and return the exit code."""
        assert self._process is not None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end within {timeout:g} s:\n{self.stderr[-3000:]}") from None

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone; nothing if it is gone already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=options.pop("timeout", 10), **options)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        answer.raise_for_status()
        return answer.json()

    def kpis(self) -> dict[str, Any]:
        """Every KPI's answer of the API, by id."""
        return {kpi["kpi"]: kpi for kpi in self.json("/api/v1/kpis")["kpis"]}

    def kpi(self, name: str) -> Any:
        return self.json(f"/api/v1/kpis/{name}")

    def series(self, name: str, **labels: str) -> Any:
        """One series of a KPI; without labels the KPI's only or worst one."""
        found = [each for each in self.kpi(name)["series"] if not labels or each["labels"] == labels]
        return found[0]

    def verdict(self, name: str, **labels: str) -> tuple[str, str]:
        """One series' verdict and reason."""
        found = self.series(name, **labels)
        return found["verdict"], found["reason"]

    def firing(self) -> set[tuple[str, tuple[tuple[str, str], ...], str]]:
        """Return the alerts that fire now: KPI, labels and kind."""
        return {
            (alert["kpi"], tuple(sorted(alert["labels"].items())), alert["kind"])
            for alert in self.json("/api/v1/alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a series of /metrics; None where it is absent."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith((name + "{", name + " ")):
                series, _, value = line.rpartition(" ")
                if all(f'{label}="{text}"' in series for label, text in labels.items()):
                    return float(value)
        return None

    def outbox_is_empty(self) -> bool:
        """Whether all that was planned is delivered, as /metrics shows it."""
        lines = [
            line for line in self.get("/metrics").text.splitlines() if line.startswith("slo_guard_outbox_pending{")
        ]
        assert lines
        return all(float(line.rpartition(" ")[2]) == 0 for line in lines)


def slo_guard(
    *arguments: str, cwd: Path, timeout: float = 60.0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run another command of the real command line to its end; ``env`` is added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "slo_guard", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def stored(path: Path) -> tuple[tuple[Transition, ...], tuple[Decision, ...]]:
    """Return all transitions and decisions of the store of a daemon that has ended."""
    store = open_store(path)
    try:
        return store.transitions(), store.decisions()
    finally:
        store.close()


@contextmanager
def taken_port() -> Iterator[int]:
    """Give a port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def described(transition: Transition) -> str:
    """Return a transition on one line, for failures."""
    key = transition.key
    change = f"{transition.from_state.label}->{transition.to_state.label}"
    return (
        f"#{transition.seq} {key.kpi}{json.dumps(dict(key.labels))} {key.kind.value} {change} {transition.reason.value}"
    )
