"""Does with the blocks of one folder what their notes say, as somebody would who reads the page from its top.

Only the port is another: a daemon that runs on this machine may have the usual one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from slo_guard.clock import monotonic
from tests.docs.fences import Fence
from tests.support.prometheus_server import free_port

_SECONDS = 120
_USUAL_PORT = "9469"


class Reader:
    """Somebody who follows the examples in ``folder``, with the commands of this environment."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self._folder = folder
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": binaries, "COLUMNS": "160", **variables}
        self._port = free_port()
        self._printed = ""
        self._log = folder / "none.log"
        self._running: subprocess.Popen[bytes] | None = None

    def follow(self, fence: Fence) -> None:
        """Do what the note of ``fence`` says; raises ``AssertionError`` that says what went another way."""
        fence = replace(fence, text=fence.text.replace(_USUAL_PORT, str(self._port)))
        action = fence.action
        if match := re.fullmatch(r"write (\S+)", action):
            path = self._folder / match[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            is_config = path.name == "slo-guard.yaml" and "server:" not in fence.text
            path.write_text(fence.text + f"server: {{port: {self._port}}}\n" * is_config, encoding="utf-8")
        elif match := re.fullmatch(r"append to (\S+)", action):
            path = self._folder / match[1]
            path.write_text(path.read_text(encoding="utf-8") + fence.text, encoding="utf-8")
        elif match := re.fullmatch(r"paste into (\S+) before (.+)", action):
            self._paste(self._folder / match[1], match[2], fence)
        elif match := re.fullmatch(r"run(?:, exit (\d+))?", action):
            self._run(fence, int(match[1] or 0))
        elif match := re.fullmatch(r"run until (.+)", action):
            self._start(fence, match[1])
            self.stop()
        elif match := re.fullmatch(r"start until (.+)", action):
            self._start(fence, match[1])
        elif action == "printed":
            self._look_for(fence)
        else:
            raise AssertionError(f"{fence.place}: no such action: {fence.note!r}")

    def _paste(self, path: Path, before: str, fence: Fence) -> None:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        at = next((number for number, line in enumerate(lines) if line.startswith(before)), None)
        assert at is not None, f"{fence.place}: {path.name} has no line that begins with {before!r}"
        path.write_text("".join([*lines[:at], fence.text, *lines[at:]]), encoding="utf-8")

    def _run(self, fence: Fence, code: int) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", fence.text],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        self._printed = done.stdout + done.stderr
        assert done.returncode == code, f"{fence.place}: exit code {done.returncode}\n{self._printed}"

    def _start(self, fence: Fence, text: str) -> None:
        """Start a command that goes on until it is stopped, and wait until it has printed ``text``."""
        script = re.sub(r"(?m)^((?:\w+=\S+ )*)(slo-guard \S.*)\Z", r"\1exec \2", fence.text.strip())
        log = self._folder / f"{fence.line}.log"
        with log.open("w") as output:
            self._running = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self._folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._log = log
        deadline = monotonic() + _SECONDS
        while text not in log.read_text() and self._running.poll() is None and monotonic() < deadline:
            time.sleep(0.05)
        assert text in log.read_text(), f"{fence.place}: {text!r} was not printed\n{log.read_text()}"

    def stop(self) -> None:
        """End what was started, which must end well."""
        running, self._running = self._running, None
        if running is not None:
            running.send_signal(signal.SIGTERM)
            code = running.wait(_SECONDS)
            self._printed = self._log.read_text()
            assert code == 0, f"exit code {code}\n{self._printed}"

    def _look_for(self, fence: Fence) -> None:
        for line in filter(None, map(str.strip, fence.text.splitlines())):
            pattern = r"[^\n]*".join(re.escape(part).replace(r"\ ", r"\s+") for part in line.split("…"))
            assert re.search(pattern, self._printed), f"{fence.place}: not printed: {line!r}\n{self._printed}"
