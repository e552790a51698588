"""``slo-guard store``: a copy of the daemon's store while it runs, whether the store is sound, and what it holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from slo_guard.cli.config_file import config_option
from slo_guard.cli.recorded import (
    ending_the_command,
    format_option,
    load_config_of,
    print_json,
    table,
    table_console,
    tell,
)
from slo_guard.clock import iso
from slo_guard.errors import StoreError
from slo_guard.store import back_up, check_store, open_stored, take_inventory
from slo_guard.store.backup import StoreCheck
from slo_guard.store.inventory import Inventory
from slo_guard.store.schema import HEAD
from slo_guard.units import BYTES, format_value

_UNSOUND = 1
_CURSOR_SHOWN = 60


@click.group()
def store() -> None:
    """Copy, check or look into the store of a config's daemon, which may run meanwhile."""


@store.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@config_option
def backup(*, file: Path, force: bool, config_path: Path) -> None:
    """Copy the store to FILE, whole and as it is at one instant, while the daemon goes on.

    The copy is checked before it gets its name. To go back to it: stop the daemon, put it in the place of the store
    (and remove what stands beside it as -wal and -shm), start the daemon.

    Exit code 0: made; 1: not made, and FILE is as it was; 2: the config cannot be used.
    """
    path = load_config_of(config_path).store.path
    try:
        made = back_up(path, file, force=force)
    except StoreError as error:
        tell([str(error)])
        sys.exit(_UNSOUND)
    click.echo(f"{made.file}: {_described(made.check)}, copied and found sound in {made.seconds:.1f} s")


@store.command()
@click.option("--file", type=click.Path(path_type=Path), help="Another file, such as a copy, instead.")
@config_option
def check(*, file: Path | None, config_path: Path) -> None:
    """Look through the whole store for damage.

    Exit code 0: sound; 1: damaged, with what was found; 2: it cannot be read, or is no store.
    """
    path = load_config_of(config_path).store.path if file is None else file
    with ending_the_command():
        if not path.is_file():
            raise StoreError(f"there is no store {path}")
        found = check_store(path)
    if found.faults:
        tell([f"{path} is damaged:", *(f"  {fault}" for fault in found.faults), "go back to a copy that is sound"])
        sys.exit(_UNSOUND)
    click.echo(f"{path}: {_described(found)}, sound")


@store.command()
@format_option
@config_option
def info(*, style: str, config_path: Path) -> None:
    """Show what the store holds: tables, how far readings go back, where collectors stand."""
    path = load_config_of(config_path).store.path
    with ending_the_command():
        open_stored(path).close()  # says what is wrong with a store of another version
        found = take_inventory(path)
    if style == "json":
        print_json(_document(found))
    else:
        _print(found)


def _described(found: StoreCheck) -> str:
    judged = "never judged" if found.evaluated_at is None else f"last judged at {iso(found.evaluated_at)}"
    newer = "" if found.schema == HEAD else f" (this version's is {HEAD})"
    return f"{format_value(float(found.size_bytes), BYTES)}, schema {found.schema}{newer}, {judged}"


def _print(found: Inventory) -> None:
    console = table_console()
    console.print(Text(f"{found.path}", style="bold"))
    facts = {
        "file": f"{_bytes(found.file_bytes)}, of which {_bytes(found.used_bytes)} hold data",
        "schema": HEAD,
        "last judged": _instant(found.evaluated_at) or "never",
        "readings": f"from {_instant(found.oldest_reading_at) or '-'} to {_instant(found.newest_reading_at) or '-'}",
        "messages": ", ".join(f"{number} {state}" for state, number in found.messages.items()) or "none",
    }
    for name, fact in facts.items():
        console.print(Text.assemble((f"  {name:<12}", "dim"), fact))
    rows = table("Tables", "table", "rows", "size with indexes")
    for each in found.tables:
        rows.add_row(each.name, f"{each.rows:,}", "" if each.size_bytes is None else _bytes(each.size_bytes))
    console.print(rows)
    if found.cursors:
        cursors = table("Collectors", "collector", "stands at")
        for name, cursor in found.cursors.items():
            cursors.add_row(Text(name), Text(cursor if len(cursor) <= _CURSOR_SHOWN else cursor[:_CURSOR_SHOWN] + "…"))
        console.print(cursors)


def _document(found: Inventory) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "file_bytes": found.file_bytes,
        "used_bytes": found.used_bytes,
        "schema": HEAD,
        "evaluated_at": _instant(found.evaluated_at),
        "oldest_reading_at": _instant(found.oldest_reading_at),
        "newest_reading_at": _instant(found.newest_reading_at),
        "messages": dict(found.messages),
        "tables": [{"table": each.name, "rows": each.rows, "bytes": each.size_bytes} for each in found.tables],
        "cursors": dict(found.cursors),
    }


def _bytes(size: int) -> str:
    return format_value(float(size), BYTES)


def _instant(seconds: float | None) -> str | None:
    return None if seconds is None else iso(seconds)
