"""Mission Control's two SQLite databases, in the test's hands: tables as the shipped config's queries read them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

TENANTS = ("acme", "globex", "initech")
NEW_TENANTS = ("northwind", "contoso")
BILLED_UNITS = 10_000.0

_BILLING = """
CREATE TABLE usage_snapshots (
    id INTEGER PRIMARY KEY, taken_at REAL NOT NULL, tenant TEXT NOT NULL, metered_units REAL, billed_units REAL
);
CREATE TABLE tenants (tenant TEXT PRIMARY KEY, active INTEGER NOT NULL);
CREATE TABLE month_open_exports (tenant TEXT PRIMARY KEY, on_schedule INTEGER NOT NULL);
"""
_ONBOARDING = """
CREATE TABLE census (
    id INTEGER PRIMARY KEY, counted_at REAL NOT NULL, tenants_live INTEGER NOT NULL, go_live_blocks INTEGER NOT NULL
);
CREATE TABLE factory (tenant TEXT PRIMARY KEY, stage INTEGER NOT NULL, evidence_bundle TEXT);
"""


class _Database:
    def __init__(self, file: Path, tables: str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(tables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _run(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def _add(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Write rows in one transaction."""
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")


class Billing(_Database):
    """``billing.db``: snapshots of usage by tenant, the tenants, and their month-open exports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "billing.db", _BILLING)
        for tenant in TENANTS:
            self.add_tenant(tenant)
            self.export(tenant, on_schedule=True)

    def snapshots(self, rows: Iterable[tuple[float, str, float]]) -> None:
        """Add snapshots: their time, the tenant, and by which part metered units are more than billed ones."""
        self._add(
            "INSERT INTO usage_snapshots (taken_at, tenant, metered_units, billed_units) VALUES (?, ?, ?, ?)",
            [(at, tenant, BILLED_UNITS * (1.0 + apart), BILLED_UNITS) for at, tenant, apart in rows],
        )

    def add_tenant(self, tenant: str) -> None:
        """Have a tenant more, whose export nobody has planned yet."""
        self._run("INSERT INTO tenants VALUES (?, 1)", tenant)

    def export(self, tenant: str, *, on_schedule: bool) -> None:
        self._run("INSERT OR REPLACE INTO month_open_exports VALUES (?, ?)", tenant, int(on_schedule))


class Onboarding(_Database):
    """``onboarding.db``: the census of tenants, and the factory that makes new ones."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "onboarding.db", _ONBOARDING)
        self._add("INSERT INTO factory VALUES (?, 2, NULL)", [(tenant,) for tenant in NEW_TENANTS])

    def census(self, rows: Iterable[tuple[float, int, int]]) -> None:
        """Add counts: their time, how many tenants are live, and how many go-lives were blocked."""
        self._add("INSERT INTO census (counted_at, tenants_live, go_live_blocks) VALUES (?, ?, ?)", rows)

    def count(self, at: float, *, went_live: int = 0, blocked: int = 0) -> None:
        """Count again, with so many more than the last time."""
        self._run(
            "INSERT INTO census (counted_at, tenants_live, go_live_blocks) "
            "SELECT ?, tenants_live + ?, go_live_blocks + ? FROM census ORDER BY id DESC LIMIT 1",
            at,
            went_live,
            blocked,
        )

    def attach_bundle(self, tenant: str) -> None:
        self._run("UPDATE factory SET evidence_bundle = ? WHERE tenant = ?", f"{tenant}.zip", tenant)
