"""The wheel is all there is of slo_guard in an image: it must bring its rules, templates, styles and migrations along."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support.daemon import eventually

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """The wheel, and where it was installed, without the repository."""

    wheel: Path
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [str(self.folder / "bin" / "slo-guard"), *arguments]

    @property
    def env(self) -> dict[str, str]:
        # As in the image: no home, nothing written beside the code.
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "OPENBLAS_CORETYPE")}
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    @property
    def files(self) -> set[Path]:
        return set(self.folder.rglob("*"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Build the wheel from the tree and install it into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, capture_output=True, timeout=120, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(folder / "lib")]
    subprocess.run([*install, str(wheel)], cwd=folder, capture_output=True, timeout=120, check=True)
    yield Installed(wheel, folder / "lib")
    shutil.rmtree(folder)


def test_it_holds_every_file_of_the_package_and_the_rules_of_the_demo(installed: Installed):
    """A template that stays behind shows when somebody opens the page."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "slo_guard", "rules"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()
    expected = {re.sub("^rules/", "slo_guard/demo/rules/", name) for name in listed if (ROOT / name).exists()}

    with zipfile.ZipFile(installed.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert expected <= held
    assert not [name for name in held if not name.startswith("slo_guard/") or name.endswith((".pyc", ".db"))]


def test_the_demo_runs_from_it_without_the_repository(installed: Installed, tmp_path: Path):
    """Whoever tries it out has the image or the wheel, not the repository."""
    before = installed.files
    log = tmp_path / "log"

    with log.open("wb") as out:
        process = subprocess.Popen(
            installed.command("demo", "--host", "0.0.0.0", "--port", "0", "--no-faults"),
            cwd=tmp_path,
            env={**installed.env, "TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        url = eventually(lambda: re.findall(r"Page\s+(http://127\.0\.0\.1:\d+)/", log.read_text())[0], 60)
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, 60)
        url = url.replace("127.0.0.1", "127.0.0.2")  # as from outside of a container: not the address that it names
        page = requests.get(url, timeout=10).text
        kpi = requests.get(f"{url}/kpis/ga_e2e_p95", timeout=10).text
    except AssertionError as error:
        raise AssertionError(log.read_text()) from error
    finally:
        process.terminate()
        code = process.wait(20)

    assert "GA end-to-end p95" in page
    assert "/static/page.css" in page
    assert "GA end-to-end p95" in kpi
    assert code == 0
    assert installed.files == before, "nothing is written beside the code: it may be read-only"
    assert {each.name for each in tmp_path.iterdir()} == {"log"}, "and nothing is left behind"


def test_the_config_of_the_deployment_is_checked_and_run_from_it(installed: Installed, tmp_path: Path):
    """It is what compose file and manifests start with; the migrations of the store come with the wheel, too."""
    shutil.copytree(ROOT / "deploy" / "config", tmp_path, dirs_exist_ok=True)
    config = tmp_path / "slo-guard.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("/data/", f"{tmp_path}/data/").replace("port: 9469", "port: 0").replace("0.0.0.0", "127.0.0.1")
    )
    (tmp_path / "data").mkdir()
    log = tmp_path / "log"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(60)
    supervised = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}

    checked = subprocess.run(
        installed.command("check", "--config", str(config)),
        cwd=tmp_path / "data",
        env=installed.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            installed.command("run", "--config", str(config)),
            cwd=tmp_path / "data",
            env={**installed.env, **supervised},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        url = eventually(lambda: re.findall(r'"event": "started", "url": "(\S+)"', log.read_text())[0], 60)
        listed = requests.get(f"{url}/-/healthy", timeout=5)
        heard = [manager.recv(100), manager.recv(100), manager.recv(100)]
    except AssertionError as error:
        raise AssertionError(log.read_text()) from error
    finally:
        process.terminate()
        code = process.wait(20)
        manager.close()

    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"], "what the systemd unit waits for"
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert listed.ok
    assert code == 0, log.read_text()
    assert {each.name for each in (tmp_path / "data").iterdir()} >= {"slo-guard.db"}
