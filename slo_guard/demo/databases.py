"""Mission Control's databases, as SQLite files in WAL mode: billing and onboarding."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from slo_guard.demo.mission_control import MissionControl
from slo_guard.domain.readings import FloatArray

BILLING = "billing.db"
ONBOARDING = "onboarding.db"

_BILLING_TABLES = """
CREATE TABLE IF NOT EXISTS usage_snapshots (
    id INTEGER PRIMARY KEY, taken_at REAL NOT NULL, tenant TEXT NOT NULL, metered_units REAL, billed_units REAL
);
CREATE TABLE IF NOT EXISTS tenants (tenant TEXT PRIMARY KEY, active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS month_open_exports (tenant TEXT PRIMARY KEY, on_schedule INTEGER NOT NULL);
"""
_ONBOARDING_TABLES = """
CREATE TABLE IF NOT EXISTS census (
    id INTEGER PRIMARY KEY, counted_at REAL NOT NULL, tenants_live INTEGER NOT NULL, go_live_blocks INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS factory (tenant TEXT PRIMARY KEY, stage INTEGER NOT NULL, evidence_bundle TEXT);
"""


class Databases:
    """Writes what Mission Control's databases hold at any instant; one thread at a time may call it."""

    def __init__(self, folder: Path, mission: MissionControl) -> None:
        self._folder = folder
        self._mission = mission
        self._written_until = mission.story.history_from - 1.0
        self._billing: sqlite3.Connection | None = None
        self._onboarding: sqlite3.Connection | None = None

    def advance(self, now: float) -> None:
        """Write all rows up to ``now`` (Unix seconds) that are not written yet, and the present state.

        The rows do not depend on how often this is called; ``now`` never goes back.
        """
        billing, onboarding = self._connections()
        ticks = self._mission.story.ticks(self._written_until, now)
        with billing:
            self._advance_billing(billing, ticks, now)
        with onboarding:
            self._advance_onboarding(onboarding, ticks, now)
        self._written_until = now

    def close(self) -> None:
        """Close the files; idempotent."""
        for connection in (self._billing, self._onboarding):
            if connection is not None:
                connection.close()
        self._billing = self._onboarding = None

    def _connections(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if self._billing is None:
            self._billing = _open(self._folder / BILLING, _BILLING_TABLES)
        if self._onboarding is None:
            self._onboarding = _open(self._folder / ONBOARDING, _ONBOARDING_TABLES)
        return self._billing, self._onboarding

    def _advance_billing(self, connection: sqlite3.Connection, ticks: FloatArray, now: float) -> None:
        mission = self._mission
        metered = mission.indicator("metering_metered_units", ticks)
        billed = mission.indicator("metering_billed_units", ticks)
        connection.executemany(
            "INSERT INTO usage_snapshots (taken_at, tenant, metered_units, billed_units) VALUES (?, ?, ?, ?)",
            [
                (at, dict(labels)["tenant"], float(units[position]), float(billed[labels][position]))
                for position, at in enumerate(ticks.tolist())
                for labels, units in metered.items()
            ],
        )
        active, on_schedule = (
            mission.now(name, now) for name in ("metering_active_tenants", "metering_export_on_schedule")
        )
        connection.executemany(
            "INSERT INTO tenants VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET active = excluded.active",
            [(dict(labels)["tenant"], int(value)) for labels, value in active.items()],
        )
        connection.executemany(
            "INSERT INTO month_open_exports VALUES (?, ?) "
            "ON CONFLICT (tenant) DO UPDATE SET on_schedule = excluded.on_schedule",
            [(dict(labels)["tenant"], int(value)) for labels, value in on_schedule.items()],
        )

    def _advance_onboarding(self, connection: sqlite3.Connection, ticks: FloatArray, now: float) -> None:
        mission = self._mission
        live, blocks = (
            mission.indicator(name, ticks)[()]
            for name in ("onboarding_tenants_live", "onboarding_go_live_blocks_total")
        )
        rows = np.stack([ticks, live, blocks], axis=1).tolist()
        connection.executemany("INSERT INTO census (counted_at, tenants_live, go_live_blocks) VALUES (?, ?, ?)", rows)
        stages = mission.now("onboarding_stage", now)
        bundles = int(mission.now("onboarding_evidence_bundles", now)[()])
        connection.executemany(
            "INSERT INTO factory VALUES (?, ?, ?) ON CONFLICT (tenant) DO UPDATE "
            "SET stage = excluded.stage, evidence_bundle = excluded.evidence_bundle",
            [
                (dict(labels)["tenant"], int(stage), "bundle.zip" if number < bundles else None)
                for number, (labels, stage) in enumerate(stages.items())
            ],
        )


def _open(file: Path, tables: str) -> sqlite3.Connection:
    # Opened where the room is entered, and written to by the thread that ticks.
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(tables)
    return connection
