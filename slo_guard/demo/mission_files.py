"""All that Mission Control writes: databases, growing files and the file of sign-offs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from slo_guard.clock import iso
from slo_guard.demo.databases import Databases
from slo_guard.demo.growing_files import GrowingFiles
from slo_guard.demo.mission_control import MissionControl
from slo_guard.domain.readings import SignOff

SIGN_OFFS = "sign-offs.yaml"


class MissionFiles:
    """Writes into ``folder`` what Mission Control's files hold at any instant; one thread at a time may call it."""

    def __init__(self, folder: Path, mission: MissionControl) -> None:
        self._folder = folder
        self._mission = mission
        self._databases = Databases(folder, mission)
        self._growing = GrowingFiles(folder, mission)
        self._signed: list[dict[str, Any]] | None = None

    def advance(self, now: float) -> None:
        """Bring all files to what they hold at ``now`` (Unix seconds), which never goes back."""
        self._databases.advance(now)
        self._growing.advance(now)
        signed = [
            _entry(indicator, sign_off)
            for indicator, sign_offs in self._mission.sign_offs(now).items()
            for sign_off in sign_offs
        ]
        if signed != self._signed:
            replace_file(self._folder / SIGN_OFFS, yaml.safe_dump(signed, sort_keys=False))
            self._signed = signed

    def close(self) -> None:
        """Close what is open; idempotent."""
        self._databases.close()


def replace_file(file: Path, text: str) -> None:
    """Write a file so that whoever reads it meanwhile sees the old or the new content, never half of it."""
    half = file.with_name(f".{file.name}")
    half.write_text(text, encoding="utf-8")
    half.replace(file)


def _entry(indicator: str, signed: SignOff) -> dict[str, Any]:
    entry: dict[str, Any] = {"indicator": indicator, "value": signed.value, "by": signed.by, "when": iso(signed.when)}
    if signed.link:
        entry["link"] = signed.link
    if signed.labels:
        entry["labels"] = dict(signed.labels)
    return entry
